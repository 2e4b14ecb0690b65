import * as z from "zod";
import { inFlow } from "./issues.ts";
import { serviceSchema } from "./schema.ts";

/** The JSON Schema of service.yaml, for editors that check and complete while one types. */
export function serviceJsonSchema(): string {
  // Draft 7 is what the editors' YAML plug-ins understand best.
  const schema = z.toJSONSchema(serviceSchema, { io: "input", target: "draft-7" });
  return `${JSON.stringify(schema, undefined, 2)}\n`;
}

const begin = "<!-- table of keys: written by scripts/docs.mjs from src/catalog/schema.ts -->";
const end = "<!-- end of the table -->";

/**
 * A documentation page with the table of keys between its markers brought up to date.
 * @throws Error when the page has no markers
 */
export function withKeyTable(page: string): string {
  const from = page.indexOf(begin);
  const to = page.indexOf(end);
  if (from < 0 || to < from) throw new Error(`the page has no place for the table: ${begin} ... ${end}`);
  return `${page.slice(0, from)}${begin}\n\n${keyTable()}\n\n${page.slice(to)}`;
}

function keyTable(): string {
  const rows = Object.entries(serviceSchema.shape).map(([key, schema]) => {
    const meta = z.globalRegistry.get(schema);
    const examples = meta?.["examples"];
    const shown = Array.isArray(examples)
      ? examples.map((example) => `\`${key}: ${inFlow(example)}\``).join("<br>")
      : "";
    const value = schema instanceof z.ZodDefault ? `\`${inFlow(schema.def.defaultValue)}\`` : "";
    return [`\`${key}\``, meta?.title ?? "", value, meta?.description ?? "", shown];
  });
  return [["key", "value", "default", "meaning", "for example"], ["---", "---", "---", "---", "---"], ...rows]
    .map((cells) => `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`)
    .join("\n");
}

// Writes what the documentation takes from the code: the table of keys in docs/services.md, and the JSON Schema of
// service.yaml in docs/service.schema.json. A test fails when they are out of date. Run: node scripts/docs.mjs
import { build } from "esbuild";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dirname, "..");
// Below the project, so that the bundle finds node_modules.
const temporary = mkdtempSync(join(root, "node_modules", ".docs-"));
try {
  const outfile = join(temporary, "schema-docs.mjs");
  await build({
    entryPoints: [join(root, "src/catalog/schema-docs.ts")],
    outfile,
    bundle: true,
    packages: "external",
    format: "esm",
    platform: "node",
    logLevel: "warning",
  });
  const { serviceJsonSchema, withKeyTable } = await import(outfile);
  const page = join(root, "docs/services.md");
  writeFileSync(page, withKeyTable(readFileSync(page, "utf8")));
  writeFileSync(join(root, "docs/service.schema.json"), serviceJsonSchema());
} finally {
  rmSync(temporary, { recursive: true, force: true });
}

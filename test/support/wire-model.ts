import { shapeNamed, type Model } from "./api-model.ts";
import { newerMembers, newerValues } from "./newer-model.ts";

/*
 * Between values and what stands on the wire, by AWS's model of the API: whatever is not in it, nor in today's SDK, is a problem.
 */

/** A member of a structure in the model; `newer` when only today's SDK has it. */
function memberOf(
  model: Model,
  structure: string,
  name: string,
  direction: "input" | "output",
): { readonly shape: string } | "newer" | undefined {
  const to = shapeNamed(model, structure).members?.[name];
  if (to !== undefined) return { shape: to.shape };
  return newerMembers(structure, direction).includes(name) ? "newer" : undefined;
}

/** Checks a request or reply, as a value, against its shape. @returns what is wrong */
export function valueProblems(
  model: Model,
  shape: string,
  value: unknown,
  direction: "input" | "output",
  place = shape,
): string[] {
  const it = shapeNamed(model, shape);
  if (it.type === "structure") {
    if (typeof value !== "object" || value === null) return [`${place}: no structure`];
    const missing = (it.required ?? []).filter((name) => Reflect.get(value, name) === undefined);
    return [
      ...missing.map((name) => `${place}: the required ${name} is missing`),
      ...Object.entries(value).flatMap(([name, inner]) => {
        const member = memberOf(model, shape, name, direction);
        if (member === undefined) return [`${place}: ${shape} has no member ${name}`];
        if (member === "newer" || inner === undefined) return [];
        return valueProblems(model, member.shape, inner, direction, `${place}.${name}`);
      }),
    ];
  }
  if (it.type === "list") {
    if (!Array.isArray(value)) return [`${place}: no list`];
    const items: readonly unknown[] = value;
    const { member } = it;
    return items.flatMap((item) =>
      valueProblems(model, member?.shape ?? "String", item, direction, `${place}[]`),
    );
  }
  if (it.type === "map") return typeof value === "object" ? [] : [`${place}: no map`];
  const wanted = jsTypes[it.type] ?? "string";
  if (typeof value !== wanted) return [`${place}: ${typeof value} for a ${it.type}`];
  const values = it.enum;
  if (values === undefined || values.includes(String(value))) return [];
  return newerValues(shape).includes(String(value)) ? [] : [`${place}: ${String(value)} is no ${shape}`];
}

const jsTypes: Readonly<Record<string, string>> = {
  boolean: "boolean",
  integer: "number",
  long: "number",
  double: "number",
  timestamp: "number",
};

/**
 * Reads the parameters of a request of the query protocol as the value that they stand for; what is read is taken away.
 * (AWS query protocol: `A.B.member.1`)
 */
export function readQuery(
  model: Model,
  shape: string,
  parameters: Map<string, string>,
  prefix = "",
): unknown {
  const it = shapeNamed(model, shape);
  const begins = (start: string): boolean =>
    [...parameters.keys()].some((key) => key === start || key.startsWith(`${start}.`));
  if (it.type === "structure") {
    const names = new Set([...Object.keys(it.members ?? {}), ...newerMembers(shape, "input")]);
    const entries = [...names].flatMap((name) => {
      const at = prefix === "" ? name : `${prefix}.${name}`;
      if (!begins(at)) return [];
      const member = memberOf(model, shape, name, "input");
      const inner =
        member === undefined || member === "newer"
          ? take(parameters, at)
          : readQuery(model, member.shape, parameters, at);
      return [[name, inner]];
    });
    return Object.fromEntries(entries);
  }
  if (it.type === "list") {
    const items: unknown[] = [];
    for (let n = 1; begins(`${prefix}.member.${n}`); n += 1) {
      items.push(readQuery(model, it.member?.shape ?? "String", parameters, `${prefix}.member.${n}`));
    }
    return items;
  }
  const text = take(parameters, prefix);
  if (it.type === "boolean") return text === "true";
  return jsTypes[it.type] === "number" ? Number(text) : text;
}

function take(parameters: Map<string, string>, key: string): string {
  const value = parameters.get(key) ?? "";
  parameters.delete(key);
  return value;
}

/** A value as XML of the query protocol. */
export function writeXml(value: unknown): string {
  if (Array.isArray(value)) return value.map((item) => `<member>${writeXml(item)}</member>`).join("");
  if (typeof value !== "object" || value === null) {
    return String(value).replaceAll("&", "&amp;").replaceAll("<", "&lt;");
  }
  return Object.entries(value)
    .filter(([, inner]) => inner !== undefined)
    .map(([name, inner]) => `<${name}>${writeXml(inner)}</${name}>`)
    .join("");
}

import * as z from "zod";
import { didYouMean } from "../base/nearest.ts";
import { serviceSchema } from "./schema.ts";
import { at, type YamlPath } from "./yaml.ts";

/** What the schema has against a value, in words. */
export interface Issue {
  /** To the key or entry that is wrong. */
  readonly path: YamlPath;
  readonly message: string;
  readonly hint: string | undefined;
}

type Schema = z.core.$ZodType;
type RawIssue = z.core.$ZodIssue;

/** Turns what zod found in a service file into messages; the words come from the schema's own descriptions. */
export function issuesInWords(issues: readonly RawIssue[], value: unknown): Issue[] {
  const found = new Map<string, Issue>();
  for (const issue of issues.flatMap((raw) => unfold(raw, []))) {
    for (const told of tell(issue, value))
      found.set(`${told.path.map(String).join("/")} ${told.message}`, told);
  }
  return [...found.values()];
}

/**
 * Of a union's issues, those of the one alternative whose kind of value it is; the union as such when there is
 * none. So `{dnf: 1}` is told what is wrong with dnf, not that it is no list.
 */
function unfold(issue: RawIssue, above: YamlPath): RawIssue[] {
  const path = [...above, ...issue.path];
  if (issue.code === "invalid_union") {
    const meant = issue.errors.find(
      (branch) => !branch.some(({ code, path }) => code === "invalid_type" && path.length === 0),
    );
    if (meant !== undefined) return meant.flatMap((inner) => unfold(inner, path));
  }
  return [{ ...issue, path }];
}

function tell(issue: RawIssue, value: unknown): Issue[] {
  const candidates = schemasAt(serviceSchema, issue.path);
  if (issue.code === "unrecognized_keys") {
    const valid = candidates.flatMap(keysOf);
    return issue.keys.map((key) => ({
      path: [...issue.path, key],
      message: `unknown key ${place([...issue.path, key])}`,
      hint: didYouMean(key, valid) || `the keys here are ${valid.join(", ")}`,
    }));
  }
  const key = issue.path.at(-1);
  const expected = issue.code === "invalid_key" ? keySchemas(issue.path) : candidates;
  const titled = expected.map((schema) => z.globalRegistry.get(schema)).filter((meta) => meta?.title);
  // A value of the wrong kind is told all that would do; one of a right kind what its own kind asks for.
  const isKindWrong = issue.code === "invalid_type" || issue.code === "invalid_union";
  const meta = titled.at(isKindWrong ? 0 : -1);
  const given = issue.code === "invalid_key" ? JSON.stringify(String(key)) : shown(at(value, issue.path));
  const title = meta?.title ?? "another value";
  const where = issue.path.length === 0 ? "the file" : place(issue.path);
  const examples = meta?.["examples"];
  const example: unknown = Array.isArray(examples) ? examples[0] : undefined;
  return [
    {
      path: issue.path,
      message: `${where}: expected ${title}, not ${given}`,
      hint:
        example === undefined
          ? meta?.description
          : `for example ${typeof key === "string" ? `${key}: ` : ""}${inFlow(example)}`,
    },
  ];
}

/** The schemas that a value at this path has to fit, outermost first: several where the way leads through a union. */
function schemasAt(schema: Schema, path: YamlPath): Schema[] {
  const here = alternatives(schema);
  const [segment, ...rest] = path;
  if (segment === undefined) return here;
  return here.flatMap((candidate) => {
    const inner = child(candidate, segment);
    return inner === undefined ? [] : schemasAt(inner, rest);
  });
}

/** A schema with what it wraps and, after it, the alternatives of a union. */
function alternatives(schema: Schema): Schema[] {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodDefault) {
    return [schema, ...alternatives(schema.def.innerType)];
  }
  if (schema instanceof z.ZodUnion) return [schema, ...schema.def.options.flatMap(alternatives)];
  return [schema];
}

function child(schema: Schema, segment: PropertyKey): Schema | undefined {
  if (schema instanceof z.ZodObject) {
    const shape: Readonly<Record<string, Schema>> = schema.shape;
    return shape[String(segment)];
  }
  if (schema instanceof z.ZodArray) return typeof segment === "number" ? schema.def.element : undefined;
  if (schema instanceof z.ZodRecord) return schema.def.valueType;
  return undefined;
}

function keySchemas(path: YamlPath): Schema[] {
  return schemasAt(serviceSchema, path.slice(0, -1)).flatMap((schema) =>
    schema instanceof z.ZodRecord ? [schema.def.keyType] : [],
  );
}

function keysOf(schema: Schema): string[] {
  return schema instanceof z.ZodObject ? Object.keys(schema.shape) : [];
}

/** A path as a person would write it: `parameters.port.default`, `requires[0]`. */
function place(path: YamlPath): string {
  return path
    .map((segment, index) =>
      typeof segment === "number" ? `[${segment}]` : `${index === 0 ? "" : "."}${String(segment)}`,
    )
    .join("");
}

function shown(value: unknown): string {
  if (value === null || value === undefined) return "nothing";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return "a mapping";
  const text = typeof value === "number" ? String(value) : JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

/** A value as one line of YAML. */
export function inFlow(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(inFlow).join(", ")}]`;
  if (typeof value === "object" && value !== null) {
    return `{${Object.entries(value)
      .map(([key, inner]) => `${key}: ${inFlow(inner)}`)
      .join(", ")}}`;
  }
  // JSON's scalars are YAML's; a plain word needs no quotes.
  if (typeof value === "string" && /^[A-Za-z][A-Za-z0-9 ._-]*$|^[0-9]+[smh]$/.test(value)) return value;
  return JSON.stringify(value);
}

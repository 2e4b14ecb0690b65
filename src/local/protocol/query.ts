import { z } from "zod";
import { ApiError } from "./errors.ts";

/** The parameters of a query request as a tree: `Filter.1.Name=x` is `{Filter: {1: {Name: "x"}}}`. */
export type QueryNode = string | { readonly [name: string]: QueryNode };

type Branch = Map<string, string | Branch>;

/**
 * Parses form-encoded parameters.
 * @throws ApiError `InvalidQueryParameter` when a name is both a value and a parent, or comes twice.
 */
export function parseQuery(forms: readonly string[]): Readonly<Record<string, QueryNode>> {
  const root: Branch = new Map();
  for (const [name, value] of forms.flatMap((form) => [...new URLSearchParams(form)])) {
    const path = name.split(".");
    const leaf = path.pop() ?? "";
    let branch = root;
    for (const step of path) {
      const next: string | Branch = branch.get(step) ?? new Map<string, string | Branch>();
      if (typeof next === "string") throw ambiguous(name);
      branch.set(step, next);
      branch = next;
    }
    if (branch.has(leaf)) throw ambiguous(name);
    branch.set(leaf, value);
  }
  return plain(root);
}

function plain(branch: Branch): Readonly<Record<string, QueryNode>> {
  return Object.fromEntries(
    [...branch].map(([name, value]) => [name, typeof value === "string" ? value : plain(value)]),
  );
}

function ambiguous(name: string): ApiError {
  return new ApiError("InvalidQueryParameter", `The parameter ${name} is given more than once`);
}

/* What an action's table of parameters is made of. */

export const text = z.string();
export const integer = z
  .string()
  .regex(/^-?\d{1,15}$/, "Expecting an integer.")
  .transform(Number);
export const flag = z
  .string()
  .regex(/^(?:true|false)$/i, "Expecting true or false.")
  .transform((value) => value.toLowerCase() === "true");

/** A list, numbered from 1 on the wire; an empty list is an empty value there. */
export function list<T extends z.ZodType>(item: T) {
  return z
    .preprocess((value: unknown) => {
      if (value === "") return [];
      if (typeof value !== "object" || value === null) return value;
      const entries = Object.entries(value);
      if (!entries.every(([index]) => /^\d+$/.test(index))) return value;
      return entries.sort(([a], [b]) => Number(a) - Number(b)).map(([, entry]): unknown => entry);
    }, z.array(item))
    .prefault([]);
}

/**
 * The parameters of one call, checked against its table.
 * @throws ApiError `UnknownParameter`, `MissingParameter` or `InvalidParameterValue` naming the parameter as on the wire.
 */
export function parseParameters<S extends z.ZodType>(schema: S, query: QueryNode): z.output<S> {
  const result = schema.safeParse(query);
  if (result.success) return result.data;
  const { issues } = result.error;
  // A misspelt name shows up twice, as unknown and as missing; the former says more.
  const issue = issues.find(({ code }) => code === "unrecognized_keys") ?? issues[0];
  if (issue === undefined) throw new ApiError("InvalidParameterValue", "A parameter is invalid");
  throw explain(issue, query);
}

function explain(issue: z.core.$ZodIssue, query: QueryNode): ApiError {
  const path = issue.path.map((step) => (typeof step === "number" ? String(step + 1) : String(step)));
  if (issue.code === "unrecognized_keys") {
    const name = [...path, issue.keys[0] ?? ""].join(".");
    return new ApiError("UnknownParameter", `The parameter ${name} is not recognized by the local cloud`);
  }
  const value = valueAt(query, path);
  const name = path.join(".");
  if (value === undefined) {
    return new ApiError("MissingParameter", `The request must contain the parameter ${name}`);
  }
  const shown = typeof value === "string" ? value : "...";
  return new ApiError(
    "InvalidParameterValue",
    `Value (${shown}) for parameter ${name} is invalid. ${issue.message}`,
  );
}

function valueAt(query: QueryNode, path: readonly string[]): QueryNode | undefined {
  let node: QueryNode | undefined = query;
  for (const step of path) {
    if (typeof node === "string" || node === undefined) return undefined;
    node = node[step];
  }
  return node;
}

import { ApiError } from "./errors.ts";
import type { QueryNode } from "./query.ts";
import type { XmlObject } from "./xml.ts";

/* AWS's JSON protocol, in the terms of the query protocol: an action's table and reply are the same for both. */

/**
 * The parameters of a JSON request as a tree, with lists numbered from 1 as the query protocol has them.
 * @throws ApiError `SerializationException` for what is no JSON object
 */
export function parseJson(body: string): Readonly<Record<string, QueryNode>> {
  let value: unknown;
  try {
    value = JSON.parse(body === "" ? "{}" : body);
  } catch {
    throw new ApiError("SerializationException", "The body of the request is not JSON");
  }
  const tree = Array.isArray(value) ? undefined : node(value);
  if (typeof tree === "object") return tree;
  throw new ApiError("SerializationException", "The body of the request is not a JSON object");
}

function node(value: unknown): QueryNode | undefined {
  if (value === null || value === undefined) return undefined;
  if (typeof value !== "object") return typeof value === "string" ? value : JSON.stringify(value);
  if (Array.isArray(value) && value.length === 0) return "";
  const entries: [string, unknown][] = Array.isArray(value)
    ? value.map((item: unknown, index) => [String(index + 1), item])
    : Object.entries(value);
  return Object.fromEntries(
    entries.flatMap(([name, item]): [string, QueryNode][] => {
      const child = node(item);
      return child === undefined ? [] : [[name, child]];
    }),
  );
}

/** A reply as JSON; times are seconds since the epoch there. */
export function jsonText(content: XmlObject): string {
  return JSON.stringify(content, function replace(this: unknown, name: string, value: unknown): unknown {
    // By now a Date is text already; as it was, it is still in its place.
    const original: unknown = typeof this === "object" && this !== null ? Reflect.get(this, name) : undefined;
    return original instanceof Date ? original.getTime() / 1000 : value;
  });
}

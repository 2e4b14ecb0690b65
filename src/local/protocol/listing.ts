import { z } from "zod";
import type { Tags } from "../state/schema.ts";
import { ApiError, invalidValue } from "./errors.ts";
import { integer, list, text } from "./query.ts";

/* What every Describe action shares: filters, and pages. */

/** Parameter tables of filters and of pages, to be spread into an action's table. */
export const filterParameters = { Filter: list(z.strictObject({ Name: text, Value: list(text) })) };
export const pageParameters = { MaxResults: integer.optional(), NextToken: text.optional() };

export interface Filter {
  readonly Name: string;
  readonly Value: readonly string[];
}

/** What a resource shows to a filter of each name. */
export type Attributes<T> = Readonly<Record<string, (item: T) => readonly (string | undefined)[]>>;

/**
 * The items that match all filters; a filter matches when any of its values does. Values may hold `*` and `?`, with `\` to
 * take one literally.
 * @throws ApiError `InvalidParameterValue` for a filter that this listing does not know.
 */
export function filtered<T>(
  items: readonly T[],
  filters: readonly Filter[],
  attributes: Attributes<T>,
  tagsOf: (item: T) => Tags,
): T[] {
  const tests = filters.map((filter) => {
    const matches = matcher(filter.Value);
    const attribute = attributeNamed(filter.Name, attributes, tagsOf);
    return (item: T): boolean => attribute(item).some((value) => value !== undefined && matches(value));
  });
  return items.filter((item) => tests.every((test) => test(item)));
}

function attributeNamed<T>(
  name: string,
  attributes: Attributes<T>,
  tagsOf: (item: T) => Tags,
): (item: T) => readonly (string | undefined)[] {
  if (name.startsWith("tag:")) return (item) => [tagsOf(item)[name.slice(4)]];
  if (name === "tag-key") return (item) => Object.keys(tagsOf(item));
  if (name === "tag-value") return (item) => Object.values(tagsOf(item));
  const attribute = Object.hasOwn(attributes, name) ? attributes[name] : undefined;
  if (attribute === undefined) throw new ApiError("InvalidParameterValue", `The filter '${name}' is invalid`);
  return attribute;
}

function matcher(patterns: readonly string[]): (value: string) => boolean {
  const sources = patterns.map((pattern) =>
    pattern.replaceAll(/\\(.)|([*?])|[^*?\\]+|\\$/gs, (all: string, literal?: string, wildcard?: string) => {
      if (literal !== undefined) return literally(literal);
      if (wildcard !== undefined) return wildcard === "*" ? "[^]*" : "[^]";
      return literally(all);
    }),
  );
  const all = new RegExp(`^(?:${sources.join("|")})$`);
  return (value) => all.test(value);
}

function literally(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|/-]/g, "\\$&");
}

/** How large the pages of a listing may be. */
export interface PageSizes {
  /** 5 when absent. */
  readonly smallest?: number;
  /** 1000 when absent. Where it is given it is the size of a page for which none is asked, too. */
  readonly largest?: number;
}

/**
 * One page of a listing.
 * @throws ApiError `InvalidParameterValue` for a size out of range or a token that is not ours.
 */
export function page<T>(
  items: readonly T[],
  request: { readonly MaxResults?: number | undefined; readonly NextToken?: string | undefined },
  sizes: PageSizes = {},
): { readonly items: readonly T[]; readonly nextToken: string | undefined } {
  const { smallest = 5, largest = 1000 } = sizes;
  const size = request.MaxResults;
  if (size !== undefined && (size < smallest || size > largest)) {
    throw invalidValue("MaxResults", String(size), `Expecting a value from ${smallest} to ${largest}.`);
  }
  const start = request.NextToken === undefined ? 0 : offsetIn(request.NextToken);
  const end = start + (size ?? sizes.largest ?? items.length);
  return { items: items.slice(start, end), nextToken: end < items.length ? tokenOf(end) : undefined };
}

function tokenOf(offset: number): string {
  return Buffer.from(`offset ${offset}`).toString("base64url");
}

function offsetIn(token: string): number {
  const digits = /^offset (\d{1,9})$/.exec(Buffer.from(token, "base64url").toString("latin1"))?.[1];
  if (digits === undefined) throw invalidValue("NextToken", token, "It is not a token of this listing.");
  return Number(digits);
}

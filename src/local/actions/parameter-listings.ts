import { z } from "zod";
import { ApiError } from "../protocol/errors.ts";
import { page, pageParameters } from "../protocol/listing.ts";
import { flag, list, text } from "../protocol/query.ts";
import type { Parameter } from "../state/schema.ts";
import { action } from "./action.ts";
import { describedParameter, shownParameter } from "./parameter-shape.ts";

const parameterFilters = list(z.strictObject({ Key: text, Option: text.optional(), Values: list(text) }));

type ParameterFilter = z.output<typeof parameterFilters>[number];

/** A name as a path from the root. */
function pathOf(name: string): string {
  return name.startsWith("/") ? name : `/${name}`;
}

function isBelow(name: string, path: string, recursive: boolean): boolean {
  const base = path.endsWith("/") ? path : `${path}/`;
  const own = pathOf(name);
  return (
    own.startsWith(base) && own.length > base.length && (recursive || !own.slice(base.length).includes("/"))
  );
}

/** What a parameter shows to a filter of each key, and how a filter may compare. */
const filterKeys: Readonly<
  Record<string, { readonly options: readonly string[]; readonly of: (it: Parameter) => string }>
> = {
  Name: { options: ["Equals", "BeginsWith", "Contains"], of: ({ name }) => name },
  Type: { options: ["Equals", "BeginsWith"], of: ({ type }) => type },
  KeyId: { options: ["Equals", "BeginsWith"], of: ({ keyId }) => keyId ?? "" },
  DataType: { options: ["Equals", "BeginsWith"], of: ({ dataType }) => dataType },
  Tier: { options: ["Equals"], of: () => "Standard" },
};

/**
 * Whether a parameter passes a filter; any of its values will do.
 * @throws ApiError `InvalidFilterKey`, `InvalidFilterOption`
 */
function passes(
  parameter: Parameter,
  { Key, Option, Values }: ParameterFilter,
  keys: readonly string[],
): boolean {
  if (Key === "Path" && keys.includes(Key)) {
    if (Option !== undefined && Option !== "Recursive" && Option !== "OneLevel")
      throw wrongOption(Key, Option);
    return Values.some((path) => isBelow(parameter.name, path, Option === "Recursive"));
  }
  const known = keys.includes(Key) ? filterKeys[Key] : undefined;
  if (known === undefined) {
    throw new ApiError(
      "InvalidFilterKey",
      `The following filter key is not valid: ${Key}. Valid: ${keys.join()}.`,
    );
  }
  const option = Option ?? "Equals";
  if (!known.options.includes(option)) throw wrongOption(Key, option);
  const own = known.of(parameter);
  return Values.some((value) => {
    if (option === "BeginsWith") return own.startsWith(value);
    return option === "Contains" ? own.includes(value) : own === value;
  });
}

function wrongOption(key: string, option: string): ApiError {
  return new ApiError("InvalidFilterOption", `The filter ${key} does not compare by ${option}.`);
}

function named(parameters: readonly Parameter[]): Parameter[] {
  return [...parameters].sort((a, b) => (a.name < b.name ? -1 : 1));
}

export const parameterListings = [
  action(
    "GetParametersByPath",
    z.strictObject({
      Path: text,
      Recursive: flag.optional(),
      ParameterFilters: parameterFilters,
      WithDecryption: flag.optional(),
      ...pageParameters,
    }),
    async (context, request) => {
      const { Path, Recursive = false, ParameterFilters, WithDecryption, NextToken, MaxResults } = request;
      if (!/^\/(?:[\w.-]+(?:\/[\w.-]+)*\/?)?$/.test(Path)) {
        throw new ApiError("ValidationException", `The path ${Path} must begin with a forward slash.`);
      }
      if (/^\/aws(?:\/|$)/.test(Path)) {
        throw new ApiError(
          "ValidationException",
          "The local cloud lists your own parameters; public ones are read by their names alone.",
        );
      }
      const { parameters } = await context.read();
      const found = named(parameters)
        .filter(({ name }) => isBelow(name, Path, Recursive))
        .filter((each) => ParameterFilters.every((filter) => passes(each, filter, ["Type", "KeyId"])));
      const { items, nextToken } = page(found, { MaxResults, NextToken }, { smallest: 1, largest: 10 });
      return {
        Parameters: items.map((each) => shownParameter(context.region, each, WithDecryption === true)),
        NextToken: nextToken,
      };
    },
  ),

  action(
    "DescribeParameters",
    z.strictObject({ ParameterFilters: parameterFilters, ...pageParameters }),
    async (context, { ParameterFilters, MaxResults, NextToken }) => {
      const { parameters } = await context.read();
      const keys = ["Path", ...Object.keys(filterKeys)];
      const found = named(parameters).filter((each) =>
        ParameterFilters.every((filter) => passes(each, filter, keys)),
      );
      const { items, nextToken } = page(found, { MaxResults, NextToken }, { smallest: 1, largest: 50 });
      return { Parameters: items.map(describedParameter), NextToken: nextToken };
    },
  ),
];

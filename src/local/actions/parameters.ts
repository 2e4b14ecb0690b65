import { z } from "zod";
import { ApiError, invalidValue } from "../protocol/errors.ts";
import { flag, list, text } from "../protocol/query.ts";
import { publicParameter } from "../public-parameters.ts";
import type { Parameter, State } from "../state/schema.ts";
import { action } from "./action.ts";
import { parameterChanges } from "./parameter-changes.ts";
import { parameterListings } from "./parameter-listings.ts";
import { parameterNotFound, shownParameter } from "./parameter-shape.ts";

/* The Parameter Store of Systems Manager: images by name, settings and secrets. */

/** The parameter with a name, which may end with `:` and a version. @throws ApiError */
function parameterNamed(state: State, asked: string): Parameter {
  const [name = "", selector] = asked.split(":");
  const found = state.parameters.find((each) => each.name === name) ?? publicParameter(state, name);
  if (found === undefined) throw parameterNotFound(name);
  if (selector !== undefined && selector !== String(found.version)) {
    throw new ApiError(
      "ParameterVersionNotFound",
      `Systems Manager could not find version ${selector} of ${name}: the local cloud keeps the newest only, ${found.version}.`,
    );
  }
  return found;
}

const resolvePrefix = "resolve:ssm:";

/**
 * The image id that a launch means: the id itself, or what the parameter in `resolve:ssm:NAME` holds.
 * @throws ApiError `InvalidParameterValue` when there is no such parameter
 */
export function resolvedImageId(state: State, asked: string): string {
  if (!asked.startsWith(resolvePrefix)) return asked;
  try {
    const { type, value } = parameterNamed(state, asked.slice(resolvePrefix.length));
    // Nor is the value of any other to be seen in an error about an image.
    if (type !== "String")
      throw invalidValue("ImageId", asked, `A parameter of type ${type} names no image.`);
    return value;
  } catch (error) {
    if (!(error instanceof ApiError) || error.code === "InvalidParameterValue") throw error;
    throw invalidValue("ImageId", asked, error.message);
  }
}

export const parameterActions = [
  action(
    "GetParameter",
    z.strictObject({ Name: text, WithDecryption: flag.optional() }),
    async (context, { Name, WithDecryption }) => {
      const parameter = parameterNamed(await context.read(), Name);
      return { Parameter: shownParameter(context.region, parameter, WithDecryption === true) };
    },
  ),

  action(
    "GetParameters",
    z.strictObject({ Names: list(text), WithDecryption: flag.optional() }),
    async (context, { Names, WithDecryption }) => {
      if (Names.length < 1 || Names.length > 10) {
        throw new ApiError("ValidationException", "Names must have 1 to 10 members.");
      }
      const state = await context.read();
      const invalid: string[] = [];
      const found = Names.flatMap((name) => {
        try {
          return parameterNamed(state, name);
        } catch (error) {
          if (!(error instanceof ApiError)) throw error;
          invalid.push(name);
          return [];
        }
      });
      return {
        Parameters: found.map((parameter) =>
          shownParameter(context.region, parameter, WithDecryption === true),
        ),
        InvalidParameters: invalid,
      };
    },
  ),

  ...parameterListings,
  ...parameterChanges,
];

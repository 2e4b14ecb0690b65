import { createHash } from "node:crypto";
import { z } from "zod";
import { ApiError, invalidValue } from "../protocol/errors.ts";
import { flag, list, text } from "../protocol/query.ts";
import type { XmlObject } from "../protocol/xml.ts";
import { publicParameter, reservedPrefix } from "../public-parameters.ts";
import { accountId, type Parameter, type State } from "../state/schema.ts";
import { action, type Context } from "./action.ts";

/* The Parameter Store of Systems Manager: only what names images and small settings is stored here. */

/** The parameter with a name, which may end with `:` and a version. @throws ApiError */
function parameterNamed(state: State, asked: string): Parameter {
  const [name = "", selector] = asked.split(":");
  const found = state.parameters.find((each) => each.name === name) ?? publicParameter(state, name);
  if (found === undefined) throw notFound(name);
  if (selector !== undefined && selector !== String(found.version)) {
    throw new ApiError(
      "ParameterVersionNotFound",
      `Systems Manager could not find version ${selector} of ${name}: the local cloud keeps the newest only, ${found.version}.`,
    );
  }
  return found;
}

function notFound(name: string): ApiError {
  return new ApiError("ParameterNotFound", `Parameter ${name} not found.`);
}

const resolvePrefix = "resolve:ssm:";

/**
 * The image id that a launch means: the id itself, or what the parameter in `resolve:ssm:NAME` holds.
 * @throws ApiError `InvalidParameterValue` when there is no such parameter
 */
export function resolvedImageId(state: State, asked: string): string {
  if (!asked.startsWith(resolvePrefix)) return asked;
  try {
    return parameterNamed(state, asked.slice(resolvePrefix.length)).value;
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    throw invalidValue("ImageId", asked, error.message);
  }
}

function shown(context: Context, parameter: Parameter, decrypted: boolean): XmlObject {
  const { name, type, value, version } = parameter;
  const isOurs = !name.startsWith("/aws/");
  return {
    Name: name,
    Type: type,
    Value: type === "SecureString" && !decrypted ? sealed(value) : value,
    Version: version,
    LastModifiedDate: new Date(parameter.changedAt),
    ARN: `arn:aws:ssm:${context.region}:${isOurs ? accountId : ""}:parameter/${name.replace(/^\//, "")}`,
    DataType: parameter.dataType,
  };
}

/** Stands for the ciphertext that AWS shows: says nothing of the value. */
function sealed(value: string): string {
  return createHash("sha256").update(value).digest("base64");
}

const newParameter = z.strictObject({
  Name: text,
  Value: text,
  Type: z.enum(["String", "StringList", "SecureString"]).optional(),
  DataType: z.enum(["text", "aws:ec2:image"]).optional(),
  Overwrite: flag.optional(),
});

/** @throws ApiError for what the Parameter Store does not take: names, sizes, and values that are no image ids. */
function checkNew({ Name, Value, DataType }: z.output<typeof newParameter>): void {
  if (reservedPrefix.test(Name)) {
    throw new ApiError("AccessDeniedException", `No access to reserved parameter name: ${Name}.`);
  }
  if (
    !/^\/?[\w.-]+(?:\/[\w.-]+)*$/.test(Name) ||
    Name.length > 1011 ||
    (Name.includes("/") && !Name.startsWith("/"))
  ) {
    throw new ApiError(
      "ValidationException",
      'Parameter name must be a fully qualified name: letters, digits, "_", ".", "-", and "/" between levels and in front of the first.',
    );
  }
  if (Name.split("/").length > 16) {
    throw new ApiError(
      "HierarchyLevelLimitExceededException",
      "A hierarchy can have a maximum of 15 levels.",
    );
  }
  if (Value === "" || Buffer.byteLength(Value) > 4096) {
    throw new ApiError(
      "ValidationException",
      "Standard tier parameters support a value of 1 to 4096 characters.",
    );
  }
  if (DataType === "aws:ec2:image" && !/^ami-[0-9a-f]{8}(?:[0-9a-f]{9})?$/.test(Value)) {
    throw new ApiError("ValidationException", `Invalid AMI ID format: ${Value}`);
  }
}

export const parameterActions = [
  action(
    "GetParameter",
    z.strictObject({ Name: text, WithDecryption: flag.optional() }),
    async (context, { Name, WithDecryption }) => {
      const parameter = parameterNamed(await context.read(), Name);
      return { Parameter: shown(context, parameter, WithDecryption === true) };
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
        Parameters: found.map((parameter) => shown(context, parameter, WithDecryption === true)),
        InvalidParameters: invalid,
      };
    },
  ),

  action("PutParameter", newParameter, async (context, request) => {
    checkNew(request);
    const version = await context.change((draft) => {
      const older = draft.parameters.find(({ name }) => name === request.Name);
      if (older !== undefined && request.Overwrite !== true) {
        throw new ApiError(
          "ParameterAlreadyExists",
          "The parameter already exists. To overwrite this value, set the overwrite option in the request to true.",
        );
      }
      const type = request.Type ?? older?.type;
      if (type === undefined) {
        throw new ApiError(
          "ValidationException",
          "A parameter type is required when you create a parameter.",
        );
      }
      const fresh: Parameter = {
        name: request.Name,
        type,
        dataType: request.DataType ?? older?.dataType ?? "text",
        value: request.Value,
        version: (older?.version ?? 0) + 1,
        changedAt: context.now(),
      };
      draft.parameters = [...draft.parameters.filter((each) => each !== older), fresh];
      return fresh.version;
    });
    return { Version: version, Tier: "Standard" };
  }),

  action("DeleteParameter", z.strictObject({ Name: text }), async (context, { Name }) => {
    await context.change((draft) => {
      const found = draft.parameters.find(({ name }) => name === Name);
      if (found === undefined) throw notFound(Name);
      draft.parameters = draft.parameters.filter((each) => each !== found);
    });
    return {};
  }),
];

import { z } from "zod";
import { ApiError } from "../protocol/errors.ts";
import { flag, list, text } from "../protocol/query.ts";
import { reservedPrefix } from "../public-parameters.ts";
import type { Parameter } from "../state/schema.ts";
import { action } from "./action.ts";
import { parameterNotFound } from "./parameter-shape.ts";

/** The key that encrypts where none is named. */
const defaultKey = "alias/aws/ssm";

const newParameter = z.strictObject({
  Name: text,
  Description: text.optional(),
  Value: text,
  Type: z.enum(["String", "StringList", "SecureString"]).optional(),
  KeyId: text.optional(),
  // Others hold more, and cost money.
  Tier: z.enum(["Standard", "Intelligent-Tiering"]).optional(),
  DataType: z.enum(["text", "aws:ec2:image"]).optional(),
  Overwrite: flag.optional(),
});

type NewParameter = z.output<typeof newParameter>;

/** @throws ApiError for what the Parameter Store does not take: names, sizes, and values that are no image ids. */
function checkNew({ Name, Description, Value, DataType }: NewParameter): void {
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
  if ((Description?.length ?? 0) > 1024) {
    throw new ApiError("ValidationException", "A description has at most 1024 characters.");
  }
  if (DataType === "aws:ec2:image" && !/^ami-[0-9a-f]{8}(?:[0-9a-f]{9})?$/.test(Value)) {
    throw new ApiError("ValidationException", `Invalid AMI ID format: ${Value}`);
  }
}

/** The type that a parameter is to have. @throws ApiError when it cannot have it */
function typeOf({ Type, KeyId }: NewParameter, older: Parameter | undefined): Parameter["type"] {
  const type = Type ?? older?.type;
  if (type === undefined) {
    throw new ApiError("ValidationException", "A parameter type is required when you create a parameter.");
  }
  if (older !== undefined && (older.type === "SecureString") !== (type === "SecureString")) {
    throw new ApiError(
      "HierarchyTypeMismatchException",
      `A parameter cannot be changed from ${older.type} to ${type}; create another one.`,
    );
  }
  if (KeyId !== undefined && type !== "SecureString") {
    throw new ApiError("ValidationException", "KeyId is required only for SecureString type parameter.");
  }
  return type;
}

/** The newer version of a parameter. @throws ApiError */
function newer(
  request: NewParameter,
  older: Parameter | undefined,
  changed: Pick<Parameter, "changedAt" | "changedBy">,
): Parameter {
  if (older !== undefined && request.Overwrite !== true) {
    throw new ApiError(
      "ParameterAlreadyExists",
      "The parameter already exists. To overwrite this value, set the overwrite option in the request to true.",
    );
  }
  const type = typeOf(request, older);
  const description = request.Description ?? older?.description;
  return {
    name: request.Name,
    type,
    dataType: request.DataType ?? older?.dataType ?? "text",
    value: request.Value,
    version: (older?.version ?? 0) + 1,
    ...changed,
    ...(description === undefined ? {} : { description }),
    ...(type === "SecureString" ? { keyId: request.KeyId ?? older?.keyId ?? defaultKey } : {}),
  };
}

export const parameterChanges = [
  action("PutParameter", newParameter, async (context, request) => {
    checkNew(request);
    const changed = { changedAt: context.now(), changedBy: context.caller.arn };
    const version = await context.change((draft) => {
      const older = draft.parameters.find(({ name }) => name === request.Name);
      const fresh = newer(request, older, changed);
      draft.parameters = [...draft.parameters.filter((each) => each !== older), fresh];
      return fresh.version;
    });
    return { Version: version, Tier: "Standard" };
  }),

  action("DeleteParameter", z.strictObject({ Name: text }), async (context, { Name }) => {
    await context.change((draft) => {
      const found = draft.parameters.find(({ name }) => name === Name);
      if (found === undefined) throw parameterNotFound(Name);
      draft.parameters = draft.parameters.filter((each) => each !== found);
    });
    return {};
  }),

  action("DeleteParameters", z.strictObject({ Names: list(text) }), async (context, { Names }) => {
    if (Names.length < 1 || Names.length > 10) {
      throw new ApiError("ValidationException", "Names must have 1 to 10 members.");
    }
    const deleted = await context.change((draft) => {
      const found = draft.parameters.map(({ name }) => name).filter((name) => Names.includes(name));
      draft.parameters = draft.parameters.filter(({ name }) => !found.includes(name));
      return found;
    });
    return {
      DeletedParameters: deleted,
      InvalidParameters: Names.filter((name) => !deleted.includes(name)),
    };
  }),
];

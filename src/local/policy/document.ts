import { readFile } from "node:fs/promises";
import { z } from "zod";
import { BakeError, messageOf } from "../../base/errors.ts";
import { nearest } from "../../base/nearest.ts";
import { isArnPattern, variablesIn } from "./template.ts";
import { keyNames, kindOfKey, operatorNamed, operatorNames, variableNames } from "./vocabulary.ts";

/*
 * An identity policy of IAM. Whatever is in one and is not evaluated here is an error, never passed over.
 * (IAM User Guide, "Grammar of the IAM JSON policy language")
 */

function oneOrMore<T extends z.ZodType>(item: T) {
  return z.preprocess(
    (value: unknown): unknown => (Array.isArray(value) ? value : [value]),
    z.array(item).min(1),
  );
}

/** In a condition, `true` and `8` may stand without quotes. */
const conditionValue = z.union([z.string(), z.boolean(), z.number()]).transform(String);

/** `*`, or a service and an action, either with wildcards. */
const actionPattern = z
  .string()
  .regex(
    /^(?:\*|[A-Za-z0-9*?-]+:[A-Za-z0-9*?]+)$/,
    'an action looks like "ec2:RunInstances" or "ec2:Describe*"',
  );

const resourcePattern = z
  .string()
  .refine((value) => value === "*" || isArnPattern(value), 'a resource is "*" or an ARN of six parts')
  .superRefine((value, context) => {
    for (const message of unknownVariables(value)) context.addIssue({ code: "custom", message });
  });

const condition = z
  .record(z.string(), z.record(z.string(), oneOrMore(conditionValue)))
  .superRefine((operators, context) => {
    for (const [name, keys] of Object.entries(operators)) {
      if (Object.keys(keys).length === 0) {
        context.addIssue({ code: "custom", path: [name], message: `${name} has no key to look at` });
      }
      for (const [key, values] of Object.entries(keys)) checkCondition(name, key, values, context);
    }
  });

const statement = z
  .strictObject({
    Sid: z
      .string()
      .regex(/^[A-Za-z0-9]*$/, "a Sid has letters and digits only")
      .optional(),
    Effect: z.enum(["Allow", "Deny"]),
    Action: oneOrMore(actionPattern).optional(),
    NotAction: oneOrMore(actionPattern).optional(),
    Resource: oneOrMore(resourcePattern).optional(),
    NotResource: oneOrMore(resourcePattern).optional(),
    Condition: condition.default({}),
  })
  .superRefine((it, context) => {
    for (const [one, other] of [
      ["Action", "NotAction"],
      ["Resource", "NotResource"],
    ] as const) {
      if ((it[one] === undefined) === (it[other] === undefined)) {
        context.addIssue({ code: "custom", message: `give either ${one} or ${other}` });
      }
    }
  });

/** The form of a policy; parsing makes a list of whatever may be one thing or a list. */
export const policyDocument = z
  .strictObject({
    Version: z.literal("2012-10-17", 'only version "2012-10-17" is evaluated'),
    Id: z.string().optional(),
    Statement: oneOrMore(statement),
  })
  .superRefine(({ Statement }, context) => {
    const names = Statement.flatMap(({ Sid }) => (Sid === undefined || Sid === "" ? [] : [Sid]));
    const twice = names.find((name, index) => names.indexOf(name) !== index);
    if (twice !== undefined) {
      context.addIssue({ code: "custom", message: `the Sid ${twice} is given more than once` });
    }
  });

export type PolicyDocument = z.output<typeof policyDocument>;
export type Statement = z.output<typeof statement>;

/**
 * A policy from what JSON gave.
 * @param name what the policy is called in errors
 * @throws BakeError `usage` with everything that is no policy, or that the local cloud cannot enforce.
 */
export function parsePolicy(value: unknown, name = "the policy"): PolicyDocument {
  const result = policyDocument.safeParse(value);
  if (result.success) return result.data;
  throw new BakeError("usage", `${name} cannot be enforced`, {
    details: result.error.issues.map(({ path, message }) => {
      const place = path
        .map((step) => (typeof step === "number" ? `[${step}]` : `.${String(step)}`))
        .join("");
      return place === "" ? message : `${place.replace(/^\./, "")}: ${message}`;
    }),
  });
}

/**
 * Reads a policy from a JSON file.
 * @throws BakeError `usage` when it cannot be read, and as {@link parsePolicy} does.
 */
export async function readPolicy(file: string): Promise<PolicyDocument> {
  let value: unknown;
  try {
    value = JSON.parse(await readFile(file, "utf8"));
  } catch (error) {
    throw new BakeError("usage", `cannot read the policy ${file}: ${messageOf(error)}`, { cause: error });
  }
  return parsePolicy(value, `the policy ${file}`);
}

function checkCondition(
  name: string,
  key: string,
  values: readonly string[],
  context: z.core.$RefinementCtx,
): void {
  const path = [name, key];
  const operator = operatorNamed(name);
  const kind = kindOfKey(key);
  const refuse = (message: string): void => {
    context.addIssue({ code: "custom", path, message });
  };
  if (operator === undefined)
    refuse(`the operator ${name} is not evaluated here${meant(name, operatorNames)}`);
  if (kind === undefined) refuse(`the key ${key} is not known here${meant(key, keyNames)}`);
  if (operator === undefined || kind === undefined) return;
  const { comparison, quantifier } = operator;
  if (kind === "list" && quantifier === "single" && comparison !== "null") {
    refuse(`${key} has many values: say ForAllValues:${name} or ForAnyValue:${name}`);
  }
  if (comparison === "number" && kind !== "number") refuse(`${name} is for numbers, and ${key} is none`);
  for (const value of values) {
    for (const problem of unknownVariables(value)) refuse(problem);
    if (comparison === "number" && !/^-?\d+(?:\.\d+)?$/.test(value)) refuse(`"${value}" is no number`);
    if ((comparison === "flag" || comparison === "null") && !/^(?:true|false)$/i.test(value)) {
      refuse(`${name} takes "true" or "false", not "${value}"`);
    }
    if (comparison === "arn" && !isArnPattern(value)) refuse(`"${value}" is no ARN`);
  }
}

/** A message for each policy variable that has no value here. */
function unknownVariables(value: string): string[] {
  const known = variableNames.map((name) => name.toLowerCase());
  return variablesIn(value)
    .filter((name) => !known.includes(name.toLowerCase()))
    .map((name) => `the policy variable \${${name}} has no value here${meant(name, variableNames)}`);
}

function meant(word: string, candidates: readonly string[]): string {
  const match = nearest(word, candidates);
  return match === undefined ? "" : `; the nearest is ${match}`;
}

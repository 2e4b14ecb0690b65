import { BakeError } from "../base/errors.ts";
import type { Parameter } from "./service.ts";

/** What a parameter is given: a value, or where in Parameter Store the machine finds it. */
export type GivenValue =
  | { readonly kind: "value"; readonly value: string }
  /** The name of a parameter of Systems Manager, with its leading slash. */
  | { readonly kind: "reference"; readonly name: string };

/** The name in `ssm:/app/token`; undefined for any other text. */
export function referenceIn(text: string): string | undefined {
  return /^ssm:(\/?[A-Za-z0-9_.-]+(?:\/[A-Za-z0-9_.-]+)*)$/.exec(text)?.[1];
}

/** What is wrong with a value, and what would do. */
export interface Misfit {
  readonly message: string;
  readonly hint: string;
}

/**
 * Takes a value as a person wrote it: checks it by the parameter's type and brings it into the one form that steps see
 * (`true` and `false`; the words of a list with single spaces).
 * @param what how to name the parameter in a message: `web.port`
 */
export function readValue(what: string, parameter: Parameter, text: string): GivenValue | Misfit {
  const name = referenceIn(text);
  if (name !== undefined) {
    if (parameter.phase === "update") return { kind: "reference", name };
    return {
      message: `${what} is used by init, and ${text} is only known on the machine at update`,
      hint: "give a value, or declare the parameter with `phase: update`",
    };
  }
  if (parameter.secret) {
    return {
      message: `${what} is a secret, and those are given by reference only`,
      hint: `put it into Parameter Store and say where: --set ${what}=ssm:/path/of/it`,
    };
  }
  if (text.includes("\0")) {
    return {
      message: `the value of ${what} contains a NUL character`,
      hint: "no environment variable can hold one",
    };
  }
  const value = normalised(parameter, text);
  return value === undefined
    ? {
        message: `${what} is ${typeInWords(parameter)}, and ${JSON.stringify(text)} is not`,
        hint: example(what, parameter),
      }
    : { kind: "value", value };
}

/**
 * As {@link readValue}, for whoever takes one value alone.
 * @throws BakeError `usage`
 */
export function checkValue(service: string, name: string, parameter: Parameter, text: string): GivenValue {
  const read = readValue(`${service}.${name}`, parameter, text);
  if ("kind" in read) return read;
  throw new BakeError("usage", read.message, { hint: read.hint });
}

/** The value in the form that steps see; undefined when it is not of the parameter's type. */
export function normalised({ type, values }: Parameter, text: string): string | undefined {
  switch (type) {
    case "string":
      return text;
    case "integer":
      return /^[+-]?\d+$/.test(text) ? text.replace(/^\+/, "") : undefined;
    case "boolean":
      return text === "true" || text === "false" ? text : undefined;
    case "enum":
      return values.includes(text) ? text : undefined;
    case "list": {
      const words = text.split(/[\s,]+/).filter((word) => word !== "");
      return words.every((word) => values.length === 0 || values.includes(word))
        ? words.join(" ")
        : undefined;
    }
  }
}

/** What a value of the parameter has to be. */
export function typeInWords({ type, values }: Pick<Parameter, "type" | "values">): string {
  switch (type) {
    case "string":
      return "a text";
    case "integer":
      return "a whole number";
    case "boolean":
      return "true or false";
    case "enum":
      return `one of ${values.join(", ")}`;
    case "list":
      return values.length === 0
        ? "a list of words with commas between them"
        : `a list of ${values.join(", ")}`;
  }
}

function example(what: string, { type, values }: Parameter): string {
  const [first = "", second = first] = values;
  const value = {
    string: "text",
    integer: "8080",
    boolean: "true",
    enum: first,
    list: values.length === 0 ? "a,b" : `${first},${second}`,
  }[type];
  return `for example --set ${what}=${value}`;
}

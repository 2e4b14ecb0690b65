import type * as z from "zod";
import { byText, environmentName, parameterNamePattern, reservedParameterNames } from "./names.ts";
import { normalised, referenceIn, typeInWords } from "./parameter-value.ts";
import type { Declaration, serviceSchema } from "./schema.ts";
import type { Parameter } from "./service.ts";
import { at, type YamlPath, type YamlText } from "./yaml.ts";

type DeclaredParameter = z.output<typeof serviceSchema>["parameters"][string];

type Tell = (path: YamlPath, message: string, hint?: string) => void;

/**
 * The parameters of a service file, sorted by name, with what the keys imply: a secret, and whatever the machine fetches
 * itself, belongs to update.
 */
export function readParameters(
  declaration: Declaration,
  yaml: YamlText | undefined,
): ReadonlyMap<string, Parameter> {
  return new Map(
    Object.entries(declaration.parameters)
      .sort(([a], [b]) => byText(a, b))
      .map(([name, declared]): [string, Parameter] => [name, readParameter(name, declared, yaml)]),
  );
}

function readParameter(name: string, declared: DeclaredParameter, yaml: YamlText | undefined): Parameter {
  const from = declared.from === undefined ? undefined : referenceIn(declared.from);
  const parameter: Parameter = {
    type: declared.type ?? "string",
    values: declared.values.map((value, index) => asText(value, yaml, ["parameters", name, "values", index])),
    default: undefined,
    description: declared.description,
    required: declared.required,
    secret: declared.secret,
    from,
    phase: declared.phase ?? (declared.secret || from !== undefined ? "update" : "init"),
  };
  const written = defaultText(name, declared, yaml);
  return written === undefined
    ? parameter
    : { ...parameter, default: normalised(parameter, written) ?? written };
}

function defaultText(
  name: string,
  { default: value }: DeclaredParameter,
  yaml: YamlText | undefined,
): string | undefined {
  const path = ["parameters", name, "default"];
  if (Array.isArray(value)) return value.map((each, index) => asText(each, yaml, [...path, index])).join(",");
  return value === undefined ? undefined : asText(value, yaml, path);
}

/** A number keeps the digits that a person wrote. */
function asText(value: string | number | boolean, yaml: YamlText | undefined, path: YamlPath): string {
  return typeof value === "number" ? (yaml?.textOf(path) ?? String(value)) : String(value);
}

/**
 * Checks what the schema cannot: the names among each other, and the keys of each parameter together.
 * @param declaration what of the file fits the schema
 */
export function checkParameters(declaration: Declaration, yaml: YamlText, tell: Tell): void {
  checkNames(at(yaml.value, ["parameters"]), tell);
  for (const [name, declared] of Object.entries(declaration.parameters)) {
    const path: YamlPath = ["parameters", name];
    checkType(name, declared, path, tell);
    checkDefault(name, declared, path, yaml, tell);
    checkPhase(name, declared, path, tell);
  }
}

function checkNames(parameters: unknown, tell: Tell): void {
  if (typeof parameters !== "object" || parameters === null || Array.isArray(parameters)) return;
  const byVariable = new Map<string, string>();
  for (const name of Object.keys(parameters)) {
    if (!parameterNamePattern.test(name)) continue;
    const variable = environmentName(name);
    const path = ["parameters", name];
    if (reservedParameterNames.some((reserved) => environmentName(reserved) === variable)) {
      const message = `the parameter ${name} would hide ${variable}, which every step gets`;
      tell(path, message, "choose another name");
    }
    const other = byVariable.get(variable);
    if (other !== undefined) {
      tell(path, `the parameters ${other} and ${name} would both be ${variable}`, "rename one of them");
    }
    byVariable.set(variable, name);
  }
}

function checkType(name: string, { type, values }: DeclaredParameter, path: YamlPath, tell: Tell): void {
  if (type === "enum" && values.length === 0) {
    tell(path, `the enum ${name} has no values`, "list them: values: [debug, info]");
  }
  if (type !== "enum" && type !== "list" && values.length > 0) {
    tell([...path, "values"], `only an enum or a list has values, and ${name} is neither`, "add type: enum");
  }
}

function checkDefault(
  name: string,
  declared: DeclaredParameter,
  path: YamlPath,
  yaml: YamlText,
  tell: Tell,
): void {
  const written = defaultText(name, declared, yaml);
  const found = written === undefined ? undefined : wrongWithDefault(name, declared, yaml, written);
  if (found !== undefined) tell([...path, "default"], ...found);
}

/** The message, and the hint where there is one. */
function wrongWithDefault(
  name: string,
  declared: DeclaredParameter,
  yaml: YamlText,
  written: string,
): readonly [string, string?] | undefined {
  if (declared.secret) {
    const hint = "say where the machine finds it: from: ssm:/path/of/it";
    return [`the secret ${name} has a default, which would be baked`, hint];
  }
  if (declared.from !== undefined) {
    return [`${name} has both a default and a place to get it from`, "keep one of them"];
  }
  if (declared.required) {
    return [`${name} is required and has a default, so nobody has to set it`, "keep one of the two keys"];
  }
  if (written.includes("\0")) {
    return [`the default of ${name} contains a NUL character`, "no environment variable can hold one"];
  }
  const parameter = readParameter(name, declared, yaml);
  const isList = Array.isArray(declared.default);
  if (isList !== (parameter.type === "list") && (isList || typeof declared.default !== "string")) {
    return [`the default of ${name} is not ${typeInWords(parameter)}`];
  }
  if (isList && /\s/.test(written)) {
    const hint = "steps see the words of a list with spaces between";
    return [`the default of ${name} has an entry with a space in it`, hint];
  }
  if (normalised(parameter, written) !== undefined) return undefined;
  return [`the default of ${name} is not ${typeInWords(parameter)}: ${JSON.stringify(written)}`];
}

function checkPhase(
  name: string,
  { phase, secret, from }: DeclaredParameter,
  path: YamlPath,
  tell: Tell,
): void {
  if (phase !== "init" || (!secret && from === undefined)) return;
  tell(
    [...path, "phase"],
    secret
      ? `the secret ${name} is used in init, so it would be baked into the image`
      : `${name} comes from Parameter Store, which is asked at update, and is used in init`,
    "use it in update",
  );
}

import { issuesInWords } from "./issues.ts";
import { byText, serviceNamePattern } from "./names.ts";
import { checkParameters, readParameters } from "./parameters.ts";
import { checkResources } from "./resources/check.ts";
import { readResources, timerUnits } from "./resources/read.ts";
import { secondsOf, serviceSchema, type Declaration } from "./schema.ts";
import type { PackageManager, Service, Unit } from "./service.ts";
import { at, readYaml, type YamlPath, type YamlProblem, type YamlText } from "./yaml.ts";

/** What a service file declares, in the form that the rest of the program uses. */
export type Declared = Pick<
  Service,
  | "description"
  | "requires"
  | "packages"
  | "units"
  | "resources"
  | "parameters"
  | "timeoutSeconds"
  | "retries"
>;

export interface DeclarationResult {
  /** As good as it could be read: what is wrong is left out, so that the rest can still be checked. */
  readonly declared: Declared;
  readonly problems: readonly YamlProblem[];
  /** The line on which a requirement is written. */
  readonly lineOfRequirement: (name: string) => number | undefined;
}

/**
 * Checks the bytes of a service.yaml.
 * @param bytes undefined for a service without the file, which is as good as an empty one
 */
export function parseDeclaration(bytes: Uint8Array | undefined): DeclarationResult {
  const read = bytes === undefined ? undefined : readYaml(bytes);
  if (read === undefined || "problems" in read) {
    return {
      declared: asDeclared(serviceSchema.parse({}), undefined),
      problems: read?.problems ?? [],
      lineOfRequirement: () => undefined,
    };
  }
  const { yaml } = read;
  const problems: YamlProblem[] = [];
  const tell = (path: YamlPath, message: string, hint?: string): void => {
    problems.push({ line: yaml.lineOf(path), message, hint });
  };
  const declaration = validate(yaml, tell);
  checkRepetition(yaml.value, tell);
  checkParameters(declaration, yaml, tell);
  checkResources(declaration, tell);
  return {
    declared: asDeclared(declaration, yaml),
    problems,
    lineOfRequirement: (name) => {
      const index = writtenRequirements(yaml.value).indexOf(name);
      return index < 0 ? undefined : yaml.lineOf(["requires", index]);
    },
  };
}

type Tell = (path: YamlPath, message: string, hint?: string) => void;

/** Applies the schema. Keys with an error are told and left out; the others are kept for the checks that follow. */
function validate(yaml: YamlText, tell: Tell): Declaration {
  // An empty file is a service that declares nothing.
  const value = yaml.value ?? {};
  const parsed = serviceSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const bad = new Set<PropertyKey>();
  for (const { path, message, hint } of issuesInWords(parsed.error.issues, value)) {
    tell(path, message, hint);
    if (path[0] !== undefined) bad.add(path[0]);
  }
  const good = typeof value === "object" ? Object.entries(value).filter(([key]) => !bad.has(key)) : [];
  const rest = serviceSchema.safeParse(Object.fromEntries(good));
  const declaration = rest.success ? rest.data : serviceSchema.parse({});
  // One bad name in the list must not hide what is wrong with the others.
  return { ...declaration, requires: writtenRequirements(value).filter((name) => name !== undefined) };
}

// What follows looks at the value as it is written, so that one flaw does not hide another, and so that positions
// are those in the file.

/** The list under `requires`, with undefined for what is no service name; empty when it is no list. */
function writtenRequirements(value: unknown): (string | undefined)[] {
  return namesAt(value, ["requires"]).map((name) =>
    name !== undefined && serviceNamePattern.test(name) ? name : undefined,
  );
}

const listsOfNames: readonly YamlPath[] = [
  ["requires"],
  ["packages"],
  ["packages", "dnf"],
  ["packages", "apt"],
  ["units"],
];

function checkRepetition(value: unknown, tell: Tell): void {
  for (const path of listsOfNames) {
    const seen = new Set<string>();
    for (const [index, name] of namesAt(value, path).entries()) {
      if (name === undefined) continue;
      if (seen.has(name)) tell([...path, index], `${path.join(".")}: ${name} is listed twice`, "keep one");
      seen.add(name);
    }
  }
}

/** The names in a list of names, or of mappings with a name; undefined for anything else in it. */
function namesAt(value: unknown, path: YamlPath): (string | undefined)[] {
  const list = at(value, path);
  if (!Array.isArray(list)) return [];
  return list.map((entry: unknown) => {
    const name = typeof entry === "object" ? at(entry, ["name"]) : entry;
    return typeof name === "string" ? name : undefined;
  });
}

function asDeclared(declaration: Declaration, yaml: YamlText | undefined): Declared {
  const { packages } = declaration;
  const byManager = Array.isArray(packages) ? { dnf: packages, apt: packages } : packages;
  return {
    description: declaration.description?.replaceAll(/\s+/g, " ").trim() || undefined,
    requires: unique(declaration.requires),
    packages: { dnf: unique(byManager.dnf), apt: unique(byManager.apt) } satisfies Record<
      PackageManager,
      unknown
    >,
    units: [...declaration.units.map(readUnit), ...timerUnits(declaration)],
    resources: readResources(declaration),
    parameters: readParameters(declaration, yaml),
    timeoutSeconds: secondsOf(declaration.timeout),
    retries: declaration.retries,
  };
}

function readUnit(declared: Declaration["units"][number]): Unit {
  if (typeof declared === "string") {
    return { name: declared, enabled: true, started: true, masked: false, restartOn: [] };
  }
  const { name, masked, restartOn } = declared;
  const enabled = declared.enabled && !masked;
  return { name, enabled, started: declared.started ?? enabled, masked, restartOn };
}

function unique(names: readonly string[]): string[] {
  return [...new Set(names)].sort(byText);
}

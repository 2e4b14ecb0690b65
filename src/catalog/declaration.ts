import { issuesInWords } from "./issues.ts";
import { byText, environmentName, reservedParameterNames, serviceNamePattern } from "./names.ts";
import { secondsOf, serviceSchema, type Declaration } from "./schema.ts";
import type { PackageManager, Parameter, Service, Unit } from "./service.ts";
import { readYaml, type YamlPath, type YamlProblem, type YamlText } from "./yaml.ts";

/** What a service file declares, in the form that the rest of the program uses. */
export type Declared = Pick<
  Service,
  "description" | "requires" | "packages" | "units" | "parameters" | "timeoutSeconds" | "retries"
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
  checkRepetition(yaml.value, declaration, tell);
  checkParameters(declaration, tell);
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

/** The list under `requires`, with undefined for what is no service name; empty when it is no list. */
function writtenRequirements(value: unknown): (string | undefined)[] {
  const list: unknown =
    typeof value === "object" && value !== null && "requires" in value ? value.requires : undefined;
  if (!Array.isArray(list)) return [];
  return list.map((name) => (typeof name === "string" && serviceNamePattern.test(name) ? name : undefined));
}

function checkRepetition(value: unknown, declaration: Declaration, tell: Tell): void {
  const { packages } = declaration;
  const lists: readonly (readonly [YamlPath, readonly (string | undefined)[]])[] = [
    [["requires"], writtenRequirements(value)],
    ...(Array.isArray(packages)
      ? [[["packages"], packages] as const]
      : ([
          [["packages", "dnf"], packages.dnf],
          [["packages", "apt"], packages.apt],
        ] as const)),
    [["units"], declaration.units.map(unitNameOf)],
  ];
  for (const [path, names] of lists) {
    const seen = new Set<string>();
    for (const [index, name] of names.entries()) {
      if (name === undefined) continue;
      if (seen.has(name)) tell([...path, index], `${path.join(".")}: ${name} stands there twice`, "keep one");
      seen.add(name);
    }
  }
}

function checkParameters(declaration: Declaration, tell: Tell): void {
  const byVariable = new Map<string, string>();
  for (const name of Object.keys(declaration.parameters)) {
    const variable = environmentName(name);
    const path = ["parameters", name];
    if (reservedParameterNames.map(environmentName).includes(variable)) {
      tell(
        path,
        `the parameter ${name} would hide ${variable}, which every step gets`,
        "choose another name",
      );
    }
    const other = byVariable.get(variable);
    if (other !== undefined) {
      tell(path, `the parameters ${other} and ${name} would both be ${variable}`, "rename one of them");
    }
    byVariable.set(variable, name);
  }
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
    units: declaration.units.map((unit): Unit =>
      typeof unit === "string" ? { name: unit, enabled: true } : unit,
    ),
    parameters: new Map(
      Object.entries(declaration.parameters)
        .sort(([a], [b]) => byText(a, b))
        .map(([name, { default: value, description }]): [string, Parameter] => [
          name,
          {
            default:
              typeof value === "number"
                ? (yaml?.textOf(["parameters", name, "default"]) ?? String(value))
                : value === undefined
                  ? undefined
                  : String(value),
            description,
          },
        ]),
    ),
    timeoutSeconds: secondsOf(declaration.timeout),
    retries: declaration.retries,
  };
}

function unitNameOf(unit: Declaration["units"][number]): string {
  return typeof unit === "string" ? unit : unit.name;
}

function unique(names: readonly string[]): string[] {
  return [...new Set(names)].sort(byText);
}

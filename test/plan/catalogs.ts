import { join } from "node:path";
import {
  formatProblems,
  readCatalog,
  type Catalog,
  type GlobalSteps,
  type Parameter,
  type Service,
  type Unit,
} from "../../src/catalog/index.ts";
import type { Project } from "../support/project.ts";

/** A service without anything, but for what is given. */
export function service(name: string, rest: Partial<Service> = {}): Service {
  return {
    name,
    directory: `/services/${name}`,
    builtIn: false,
    description: undefined,
    requires: [],
    packages: { dnf: [], apt: [] },
    units: [],
    resources: [],
    parameters: new Map(),
    timeoutSeconds: 600,
    retries: 0,
    steps: { init: [], update: [], verify: [] },
    files: [],
    ...rest,
  };
}

export function catalog(services: readonly Service[], globalSteps?: GlobalSteps): Catalog {
  return { services: new Map(services.map((entry) => [entry.name, entry])), globalSteps };
}

/** The catalog of a project without built-in services. */
export function catalogOf(project: Project): Catalog {
  const result = readCatalog({
    projectDirectory: project.directory,
    builtInDirectory: join(project.directory, "none"),
    verbs: [],
  });
  if ("problems" in result) throw new Error(formatProblems(result.problems).join("\n"));
  return result.catalog;
}

/** A unit that is enabled and started, or disabled and stopped. */
export function unit(name: string, enabled: boolean): Unit {
  return { name, enabled, started: enabled, masked: false, restartOn: [] };
}

/** A parameter that says nothing but what is given. */
export function parameter(more: Partial<Parameter> = {}): Parameter {
  return {
    type: "string",
    values: [],
    default: undefined,
    description: undefined,
    required: false,
    secret: false,
    from: undefined,
    phase: "init",
    ...more,
  };
}

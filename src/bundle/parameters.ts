import { shellWord } from "../base/quote.ts";
import { environmentName } from "../catalog/names.ts";
import type { PlannedService } from "../plan/plan.ts";

/** The lists of a service's parameters as its steps on the machine get them, by file name; an empty list needs no file. */
export interface ParameterLists {
  /** `BAKE_NAME='value'` of what init uses first; every phase gets these. */
  readonly env: readonly string[];
  /** The same of what update uses first; only update and verify get these. */
  readonly "env-update": readonly string[];
  /** `BAKE_NAME` of all that only update and verify may get, whether it has a value here or a launch gives it one. */
  readonly "update-names": readonly string[];
  /** `BAKE_NAME`, tab, name in Parameter Store, of what the machine resolves at update and verify. */
  readonly secrets: readonly string[];
  /** `BAKE_NAME`, tab, parameter, tab, first phase that uses it, of what must have a value and has none here. */
  readonly required: readonly string[];
}

/** Compiles the parameters of a service. Pure; sorted by name. */
export function parameterLists({ service, parameters, references }: PlannedService): ParameterLists {
  const phaseOf = (name: string): "init" | "update" => service.parameters.get(name)?.phase ?? "init";
  const assignments = (phase: "init" | "update"): string[] =>
    [...parameters]
      .filter(([name]) => phaseOf(name) === phase)
      .map(([name, value]) => `${environmentName(name)}=${quoted(value)}`)
      .sort();
  const declared = [...service.parameters];
  return {
    env: assignments("init"),
    "env-update": assignments("update"),
    "update-names": declared
      .filter(([, { phase }]) => phase === "update")
      .map(([name]) => environmentName(name))
      .sort(),
    secrets: [...references].map(([name, path]) => `${environmentName(name)}\t${path}`).sort(),
    required: declared
      .filter(([name, { required }]) => required && !parameters.has(name) && !references.has(name))
      .map(([name, { phase }]) => `${environmentName(name)}\t${name}\t${phase}`)
      .sort(),
  };
}

/** As {@link shellWord}, with a value that is empty. */
function quoted(value: string): string {
  return value === "" ? "''" : shellWord(value);
}

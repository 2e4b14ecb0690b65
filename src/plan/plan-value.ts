import type { Resource } from "../catalog/resources/resource.ts";
import type { GlobalSteps, PackageManager, Phase, Step, Unit } from "../catalog/service.ts";
import { mergedPackages } from "./packages.ts";
import type { Plan, PlannedService } from "./plan.ts";

/**
 * A plan for other programs. Within a version keys are only added; `version` is raised when one changes its meaning
 * or goes. Nothing in it depends on the computer: two checkouts of one project give the same value.
 */
export interface PlanValue {
  readonly version: 1;
  readonly digest: string;
  readonly requested: readonly string[];
  /** In the order of work. */
  readonly services: readonly PlanValueService[];
  /** Of all services, for one transaction. */
  readonly packages: Readonly<Record<PackageManager, readonly string[]>>;
  /** The project's own steps around all services; null without any. */
  readonly globalSteps: Readonly<Record<"before" | "after", StepNames>> | null;
}

export type StepNames = Readonly<Record<Phase, readonly string[]>>;

export interface PlanValueService {
  readonly name: string;
  readonly description: string | null;
  readonly builtIn: boolean;
  readonly digest: string;
  readonly requested: boolean;
  readonly requires: readonly string[];
  readonly requiredBy: readonly string[];
  readonly packages: Readonly<Record<PackageManager, readonly string[]>>;
  readonly units: readonly Unit[];
  readonly resources: readonly Pick<Resource, "kind" | "name" | "phase">[];
  /** Values by name; null for a parameter that has none. */
  readonly parameters: Readonly<Record<string, string | null>>;
  /** Of those that the machine finds in Parameter Store, their names there. */
  readonly references: Readonly<Record<string, string>>;
  readonly timeoutSeconds: number;
  readonly retries: number;
  readonly steps: StepNames;
}

/** The plan as a value for JSON. */
export function planValue(plan: Plan): PlanValue {
  return {
    version: 1,
    digest: plan.digest,
    requested: plan.requested,
    services: plan.services.map(serviceValue),
    packages: mergedPackages(plan),
    globalSteps: globalStepsValue(plan.globalSteps),
  };
}

function serviceValue(planned: PlannedService): PlanValueService {
  const { service } = planned;
  return {
    name: service.name,
    description: service.description ?? null,
    builtIn: service.builtIn,
    digest: planned.digest,
    requested: planned.requested,
    requires: service.requires,
    requiredBy: planned.requiredBy,
    packages: { dnf: service.packages.dnf, apt: service.packages.apt },
    units: service.units,
    resources: service.resources.map(({ kind, name, phase }) => ({ kind, name, phase })),
    parameters: Object.fromEntries(
      [...service.parameters.keys()].map((name) => [name, planned.parameters.get(name) ?? null]),
    ),
    references: Object.fromEntries(planned.references),
    timeoutSeconds: service.timeoutSeconds,
    retries: service.retries,
    steps: namesOf(service.steps),
  };
}

function globalStepsValue(steps: GlobalSteps | undefined): PlanValue["globalSteps"] {
  return steps === undefined ? null : { before: namesOf(steps.before), after: namesOf(steps.after) };
}

function namesOf(steps: Readonly<Record<Phase, readonly Step[]>>): StepNames {
  const names = (of: readonly Step[]): string[] => of.map(({ name }) => name);
  return { init: names(steps.init), update: names(steps.update), verify: names(steps.verify) };
}

import type { ResourceKind } from "../catalog/resources/resource.ts";
import { phases, type Phase, type Step, type Unit } from "../catalog/service.ts";
import { mergedPackages } from "./packages.ts";
import type { Plan, PlannedService } from "./plan.ts";

/**
 * A plan for people: the services in the order of work with the reason for each, what each phase of them runs, and
 * the packages. No line end at the end.
 */
export function planText(plan: Plan): string {
  const count = plan.services.length;
  return [
    `Plan for ${plan.requested.join(", ")}: ${count} ${count === 1 ? "service" : "services"} in this order`,
    ...globalLines(plan, "before"),
    ...plan.services.flatMap((planned, index) => [
      "",
      ...serviceLines(planned, index + 1, String(count).length),
    ]),
    ...globalLines(plan, "after"),
    ...packageLines(plan),
    "",
    `digest ${plan.digest}`,
  ].join("\n");
}

function serviceLines(planned: PlannedService, number: number, width: number): string[] {
  const { service, parameters, references } = planned;
  const head = `${String(number).padStart(width)}. ${service.name}`;
  const notes = [whyIncluded(planned), ...(service.builtIn ? ["built in"] : []), planned.digest];
  const indent = " ".repeat(width + 2);
  const rows: (readonly [string, string])[] = [
    ...(service.description === undefined ? [] : [["about", service.description] as const]),
    ...phases.map((phase) => [phase, workOf(planned, phase)] as const),
    [
      "values",
      [
        ...[...parameters].map(([name, value]) => `${name}=${JSON.stringify(value)}`),
        ...[...references].map(([name, at]) => `${name}=ssm:${at}`),
      ].join(" "),
    ],
    ["unset", unset(planned).join(" ")],
  ];
  return [
    `${head}  (${notes.join("; ")})`,
    ...rows.filter(([, text]) => text !== "").map(([label, text]) => `${indent}${label.padEnd(8)}${text}`),
  ];
}

/** Required parameters that only a launch will give. */
function unset({ service, parameters, references }: PlannedService): string[] {
  return [...service.parameters].flatMap(([name, { required }]) =>
    required && !parameters.has(name) && !references.has(name) ? [`${name} (needed at update)`] : [],
  );
}

function whyIncluded({ requested, requiredBy }: PlannedService): string {
  const reasons = [
    ...(requested ? ["requested"] : []),
    ...(requiredBy.length > 0 ? [`required by ${requiredBy.join(", ")}`] : []),
  ];
  return reasons.join(", ");
}

function workOf({ service }: PlannedService, phase: Phase): string {
  const declared = service.resources
    .filter((resource) => resource.phase === phase)
    .map(({ kind, name }) => `${nounOf[kind]} ${name}`);
  const units = phase === "init" ? service.units.map((unit) => `${unitVerb(unit)} ${unit.name}`) : [];
  return [...declared, ...namesOf(service.steps[phase]), ...units].join(", ");
}

const nounOf: Readonly<Record<ResourceKind, string>> = {
  groups: "group",
  users: "user",
  keys: "keys of",
  sources: "archive to",
  files: "file",
  sysctl: "setting",
  commands: "run",
  environments: "environment of",
  timers: "timer",
};

function unitVerb({ enabled, started, masked }: Unit): string {
  if (masked) return "mask";
  if (enabled) return "enable";
  return started ? "start" : "disable";
}

function globalLines({ globalSteps }: Plan, side: "before" | "after"): string[] {
  if (globalSteps === undefined) return [];
  const rows = phases
    .map((phase) => [phase, namesOf(globalSteps[side][phase]).join(", ")] as const)
    .filter(([, names]) => names !== "");
  if (rows.length === 0) return [];
  return ["", `${side} all services`, ...rows.map(([phase, names]) => `   ${phase.padEnd(8)}${names}`)];
}

function packageLines(plan: Plan): string[] {
  const rows = Object.entries(mergedPackages(plan)).filter(([, names]) => names.length > 0);
  if (rows.length === 0) return [];
  return [
    "",
    "packages, in one transaction",
    ...rows.map(([manager, names]) => `   ${manager.padEnd(8)}${names.join(" ")}`),
  ];
}

function namesOf(steps: readonly Step[]): string[] {
  return steps.map(({ name }) => name);
}

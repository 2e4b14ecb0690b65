import { resourceKinds, resourcesOf, type Resource } from "../catalog/resources/resource.ts";
import type { Phase, Service, Step, Unit } from "../catalog/service.ts";

/** A list of the bundle: its path below the service, and its lines. */
export interface DeclaredList {
  readonly path: string;
  readonly lines: readonly string[];
}

/**
 * The steps of a service in a phase, paths from the bundle's root: what it declares, then its own, then its units. Steps of
 * declared resources are programs of ours that are the same on every machine.
 */
export function stepsOf(service: Service, phase: Phase): Step[] {
  const own = service.steps[phase].map(({ name, path }) => ({
    name,
    path: `services/${service.name}/dir/${path}`,
  }));
  if (phase === "verify") return own;
  const kinds = resourceKinds.filter((kind) => resourcesOf(service.resources, phase, kind).length > 0);
  return [
    ...kinds.map((kind) => ({ name: kind, path: `resources/${kind}` })),
    ...own,
    ...(hasUnits(service, phase) ? [{ name: "units", path: "resources/units" }] : []),
  ];
}

/** Units that run are started by update: before it is done, a machine has not what they work with. */
function hasUnits({ units }: Service, phase: "init" | "update"): boolean {
  return units.some(({ started }) => phase === "init" || started);
}

/** What the programs of the steps read: a line for each resource, its fields as `key=value` with tabs between. */
export function declaredLists(service: Service): DeclaredList[] {
  return [
    ...(["init", "update"] as const).flatMap((phase) =>
      resourceKinds.flatMap((kind) => {
        const resources = resourcesOf(service.resources, phase, kind);
        if (resources.length === 0) return [];
        return [{ path: `declared/${phase}/${kind}`, lines: resources.map(resourceLine) }];
      }),
    ),
    ...(service.units.length === 0 ? [] : [{ path: "units", lines: service.units.map(unitLine) }]),
  ];
}

function resourceLine({ fields }: Resource): string {
  return fieldLine(fields);
}

function unitLine({ name, enabled, started, masked, restartOn }: Unit): string {
  const state = masked ? "masked" : enabled ? "enabled" : "disabled";
  return fieldLine({ name, state, ...(started ? { started: "yes" } : {}), restart_on: restartOn.join("\n") });
}

function fieldLine(fields: Readonly<Record<string, string>>): string {
  return Object.entries(fields)
    .filter(([, value]) => value !== "")
    .map(([key, value]) => `${key}=${escaped(value)}`)
    .join("\t");
}

/** As `printf %b` reads it. */
function escaped(value: string): string {
  return value
    .replaceAll("\\", "\\\\")
    .replaceAll("\n", "\\n")
    .replaceAll("\t", "\\t")
    .replaceAll("\r", "\\r");
}

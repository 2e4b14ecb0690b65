import type { Unit } from "../service.ts";

/** The kinds of declared resources, in the order in which a phase makes them; units come after the service's own steps. */
export const resourceKinds = [
  "groups",
  "users",
  "keys",
  "sources",
  "files",
  "sysctl",
  "commands",
  "environments",
  "timers",
] as const;
export type ResourceKind = (typeof resourceKinds)[number];

/** One thing that a service declares a machine to have, in the form in which the machine's programs read it. */
export interface Resource {
  readonly kind: ResourceKind;
  /** What a person would call it: a user's name, a file's path. */
  readonly name: string;
  readonly phase: "init" | "update";
  /** Keys are `[a-z_]+`; a value may have any character but NUL. */
  readonly fields: Readonly<Record<string, string>>;
}

/** What a service declares beside its steps. */
export interface Resources {
  readonly declared: readonly Resource[];
  readonly units: readonly Unit[];
}

/** Those of a phase and kind, in the order in which they are written. */
export function resourcesOf(
  declared: readonly Resource[],
  phase: "init" | "update",
  kind: ResourceKind,
): Resource[] {
  return declared.filter((resource) => resource.phase === phase && resource.kind === kind);
}

/** The fields without those that were left out. */
export function fieldsOf(
  fields: Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>,
): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(fields).flatMap(([key, value]): [string, string][] => {
      if (value === undefined || value === false || (Array.isArray(value) && value.length === 0)) return [];
      if (value === true) return [[key, "yes"]];
      return [[key, typeof value === "object" ? value.join("\n") : String(value)]];
    }),
  );
}

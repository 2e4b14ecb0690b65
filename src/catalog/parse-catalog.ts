import { didYouMean } from "../base/nearest.ts";
import { findCycles } from "./cycles.ts";
import { asServiceName, byText, serviceNamePattern } from "./names.ts";
import { parseGlobalSteps } from "./parse-global-steps.ts";
import { parseService, type FoundService, type ParsedService } from "./parse-service.ts";
import type { Tree } from "./read-tree.ts";
import type { Catalog, Problem } from "./service.ts";

/** Everything that was found on disk. */
export interface FoundCatalog {
  readonly services: readonly FoundService[];
  /** The project's `phases/`, with the names of all directories in it. */
  readonly phases: { readonly tree: Tree; readonly siblings: readonly string[] } | undefined;
  /** What could not be read at all. */
  readonly problems: readonly Problem[];
}

/** A catalog without a flaw, or everything that is wrong with it. */
export type CatalogResult = { readonly catalog: Catalog } | { readonly problems: readonly Problem[] };

/**
 * Checks what was found. Pure, and independent of the order in which it was found.
 * @param verbs the words of the command line, which no service may be named by
 */
export function parseCatalog(found: FoundCatalog, verbs: readonly string[]): CatalogResult {
  const parsed = found.services
    .map(parseService)
    .sort((a, b) => byText(a.service.name, b.service.name) || byText(a.shownAs, b.shownAs));
  const globals = found.phases && parseGlobalSteps(found.phases.tree, found.phases.siblings);
  const problems = [
    ...found.problems,
    ...(globals?.problems ?? []),
    ...parsed.flatMap((service) => service.problems),
    ...parsed.flatMap((service) => checkName(service, verbs)),
    ...checkUniqueness(parsed),
    ...checkRequirements(parsed),
  ];
  if (problems.length > 0) return { problems: problems.sort(byPlace) };
  return {
    catalog: {
      services: new Map(parsed.map(({ service }) => [service.name, service])),
      globalSteps: globals?.globalSteps,
    },
  };
}

function checkName({ service: { name }, shownAs }: ParsedService, verbs: readonly string[]): Problem[] {
  if (!serviceNamePattern.test(name)) {
    const better = asServiceName(name);
    return [
      {
        file: shownAs,
        line: undefined,
        message: `${JSON.stringify(name)} is not a service name`,
        hint:
          better === undefined || better === name
            ? "use small letters, digits and dashes, a letter first, and at most 63 in all"
            : `rename the directory to ${better}`,
      },
    ];
  }
  if (!verbs.includes(name)) return [];
  const hint = `rename the directory: bake-ami ${name} is a command`;
  return [{ file: shownAs, line: undefined, message: `the service ${name} is named like a command`, hint }];
}

/** Two of the project's own services with one name, also where a disk that ignores case would see one. */
function checkUniqueness(parsed: readonly ParsedService[]): Problem[] {
  const problems: Problem[] = [];
  const first = new Map<string, ParsedService>();
  for (const found of parsed) {
    if (found.service.builtIn) continue;
    const key = found.service.name.toLowerCase();
    const other = first.get(key);
    if (other === undefined) first.set(key, found);
    else {
      const message = `two services are named ${key}: this one and ${other.shownAs}`;
      problems.push({ file: found.shownAs, line: undefined, message, hint: "rename or remove one of them" });
    }
  }
  return problems;
}

function checkRequirements(parsed: readonly ParsedService[]): Problem[] {
  const problems: Problem[] = [];
  const names = parsed.map(({ service }) => service.name);
  const known = new Set(names);
  const edges = new Map<string, string[]>();
  const places = new Map<string, ParsedService>();
  for (const found of parsed) {
    const { name, requires } = found.service;
    for (const required of requires) {
      if (required === name) {
        const message = `${name} requires itself`;
        problems.push({ ...found.placeOfRequirement(required), message, hint: "remove the line" });
      } else if (!known.has(required)) {
        const message = `${name} requires ${required}, and there is no such service`;
        const hint = didYouMean(required, names) || `bake-ami new ${required} makes one`;
        problems.push({ ...found.placeOfRequirement(required), message, hint });
      }
    }
    if (!edges.has(name)) {
      edges.set(
        name,
        requires.filter((required) => required !== name),
      );
      places.set(name, found);
    }
  }
  for (const cycle of findCycles(edges)) {
    const [name = "", next = ""] = cycle;
    const place = places.get(name)?.placeOfRequirement(next);
    const message = `services that require each other in a circle: ${cycle.join(" -> ")}`;
    if (place !== undefined) problems.push({ ...place, message, hint: "remove one of these requirements" });
  }
  return problems;
}

function byPlace(a: Problem, b: Problem): number {
  return byText(a.file, b.file) || (a.line ?? 0) - (b.line ?? 0) || byText(a.message, b.message);
}

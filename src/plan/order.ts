import toposort from "toposort";
import { byText } from "../catalog/names.ts";
import type { Catalog, Service } from "../catalog/service.ts";

/** The services that were asked for and everything that they require, at any distance. */
export function closureOf(catalog: Catalog, names: readonly string[]): Service[] {
  const found = new Map<string, Service>();
  const open = [...names];
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    const service = catalog.services.get(name);
    if (service === undefined || found.has(name)) continue;
    found.set(name, service);
    open.push(...service.requires);
  }
  return [...found.values()];
}

/**
 * Services in an order in which each comes after all that it requires. The order depends on names and requirements
 * alone, not on the order given.
 * @param services closed under `requires`, and without a cycle, as a catalog's closure is
 */
export function inOrder(services: readonly Service[]): Service[] {
  const sorted = [...services].sort((a, b) => byText(a.name, b.name));
  const byName = new Map(sorted.map((service) => [service.name, service]));
  const edges = sorted.flatMap(({ name, requires }) =>
    [...requires].sort(byText).map((required): [string, string] => [required, name]),
  );
  return toposort
    .array([...byName.keys()], edges)
    .map((name) => byName.get(name))
    .filter((service) => service !== undefined);
}

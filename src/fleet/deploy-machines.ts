import type { Instance } from "../aws/instances.ts";
import { initOf, namesIn, tagKeys } from "../aws/tags.ts";
import { BakeError } from "../base/errors.ts";
import { pickMachine } from "../launch/machines.ts";

export interface Selection {
  /** What is deployed; a machine gets those of them that it has. */
  readonly services: readonly string[];
  /** Only machines that have all of these tags. */
  readonly tags: ReadonlyMap<string, string>;
  /** Only these: instance ids, their beginnings, or `latest`. All when empty. */
  readonly machines: readonly string[];
}

/** A machine, and what of the deployment is for it. */
export interface Selected {
  readonly instance: Instance;
  readonly services: readonly string[];
}

/** The services that a machine has by its tags: what it was launched with, and all that those require. */
export function servicesOf({ tags }: Pick<Instance, "tags">): Set<string> {
  return new Set([
    ...initOf(tags).keys(),
    ...namesIn(tags, tagKeys.services),
    ...namesIn(tags, tagKeys.with),
  ]);
}

/**
 * The running machines that a deployment is for. Builders and the machines of jobs are never among them.
 * @param instances all of this owner, oldest first
 * @throws BakeError `usage` when there is none, or when one that was named is not fit for it.
 */
export function selectMachines(instances: readonly Instance[], selection: Selection): Selected[] {
  const { services, tags, machines } = selection;
  const all = instances.filter((instance) => instance.tags.get(tagKeys.role) === "machine");
  const named = [...new Set(machines.map((wanted) => pickMachine(all, wanted)))];
  for (const instance of named) checkNamed(instance, services);
  const selected = (machines.length > 0 ? named : all)
    .filter((instance) => instance.state === "running")
    .filter((instance) => [...tags].every(([key, value]) => instance.tags.get(key) === value))
    .map((instance) => ({ instance, services: intersection(services, servicesOf(instance)) }))
    .filter((each) => each.services.length > 0);
  if (selected.length > 0) return selected;
  const tagged = [...tags].map(([key, value]) => ` with tag ${key}=${value}`).join("");
  throw new BakeError("usage", `no running machine of yours${tagged} has ${services.join(" or ")}`, {
    hint: "`bake-ami ls` shows your machines and what they have; `bake-ami launch` starts some",
  });
}

function checkNamed(instance: Instance, services: readonly string[]): void {
  if (instance.state !== "running") {
    throw new BakeError("usage", `${instance.id} is ${instance.state}, so nothing can be deployed to it`);
  }
  const has = servicesOf(instance);
  if (intersection(services, has).length > 0) return;
  throw new BakeError("usage", `${instance.id} has no ${services.join(" and no ")}`, {
    hint: `it has: ${[...has].sort().join(", ") || "nothing"}; \`bake-ami apply ${services.join(" ")} --machine ${instance.id}\` adds to it`,
  });
}

function intersection(services: readonly string[], has: ReadonlySet<string>): string[] {
  return services.filter((name) => has.has(name));
}

import type { Image } from "../aws/images.ts";
import type { Instance } from "../aws/instances.ts";
import { tagKeys, type TaggedResource, type Tags } from "../aws/tags.ts";
import type { Inventory } from "./inventory.ts";

/** What a cleanup would end, in the order in which it must go. */
export interface Leftovers {
  readonly instances: readonly Instance[];
  readonly images: readonly Image[];
  /** Snapshots without an image. */
  readonly snapshots: readonly TaggedResource[];
  readonly groups: readonly TaggedResource[];
  readonly keys: readonly TaggedResource[];
}

/**
 * Decides what was left behind: builders and what belongs to them, images that were never finished (they still carry
 * the expiry that a finished bake takes off), and groups and keys of launches whose machines are gone. Machines and
 * finished images stay.
 */
export function findLeftovers(inventory: Inventory): Leftovers {
  const instances = inventory.instances.filter((instance) => roleOf(instance.tags) === "builder");
  const images = inventory.images.filter((image) => image.tags.has(tagKeys.expires));
  const inUse = new Set(inventory.images.flatMap((image) => image.snapshotIds));
  const machineRuns = new Set(
    inventory.instances
      .filter((instance) => roleOf(instance.tags) === "machine")
      .map((i) => i.tags.get(tagKeys.run)),
  );
  const groups = inventory.groups.filter(({ tags }) => {
    const role = roleOf(tags);
    return role === "builder-group" || (role === "machine-group" && !machineRuns.has(tags.get(tagKeys.run)));
  });
  const keys = inventory.keys.filter(({ tags }) => {
    const role = roleOf(tags);
    return role === "builder-key" || role === "machine-key";
  });
  const snapshots = inventory.snapshots.filter(
    (snapshot) => snapshot.tags.has(tagKeys.expires) && !inUse.has(snapshot.id),
  );
  return { instances, images, snapshots, groups, keys };
}

function roleOf(tags: Tags): string | undefined {
  return tags.get(tagKeys.role);
}

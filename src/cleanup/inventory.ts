import { describeKeyPairs, describeSecurityGroups } from "../aws/access.ts";
import type { Cloud } from "../aws/cloud.ts";
import { describeImages, describeSnapshots, type Image } from "../aws/images.ts";
import { describeInstances, type Instance } from "../aws/instances.ts";
import { tagKeys, type TaggedResource } from "../aws/tags.ts";

/** What bake-ami ever tagged and what still exists. */
export interface Inventory {
  /** In any state but `terminated`. */
  readonly instances: readonly Instance[];
  readonly images: readonly Image[];
  readonly snapshots: readonly TaggedResource[];
  readonly groups: readonly TaggedResource[];
  readonly keys: readonly TaggedResource[];
}

/** Whose things, and of which run; of anyone and of all runs when absent. */
export interface Scope {
  readonly owner?: string;
  readonly run?: string;
}

/** Reads the tags; they are the only state there is. */
export async function readInventory(cloud: Cloud, scope: Scope, signal: AbortSignal): Promise<Inventory> {
  const filters = [
    ...(scope.owner === undefined ? [] : [{ Name: `tag:${tagKeys.owner}`, Values: [scope.owner] }]),
    scope.run === undefined
      ? { Name: "tag-key", Values: [tagKeys.run] }
      : { Name: `tag:${tagKeys.run}`, Values: [scope.run] },
  ];
  const [instances, images, snapshots, groups, keys] = await Promise.all([
    describeInstances(cloud, filters, signal),
    describeImages(cloud, ["self"], filters, signal),
    describeSnapshots(cloud, filters, signal),
    describeSecurityGroups(cloud, filters, signal),
    describeKeyPairs(cloud, filters, signal),
  ]);
  return {
    instances: instances.filter((instance) => instance.state !== "terminated"),
    images,
    snapshots,
    groups,
    keys,
  };
}

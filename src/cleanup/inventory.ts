import { describeKeyPairs, describeSecurityGroups } from "../aws/access.ts";
import type { Cloud } from "../aws/cloud.ts";
import { describeImages, describeSnapshots, type Image } from "../aws/images.ts";
import { describeInstances, type Instance } from "../aws/instances.ts";
import { tagKeys, type TaggedResource } from "../aws/tags.ts";

/** Everything of one owner that bake-ami ever tagged and that still exists. */
export interface Inventory {
  readonly instances: readonly Instance[];
  readonly images: readonly Image[];
  readonly snapshots: readonly TaggedResource[];
  readonly groups: readonly TaggedResource[];
  readonly keys: readonly TaggedResource[];
}

/** Reads the tags; they are the only state there is. */
export async function readInventory(cloud: Cloud, owner: string, signal: AbortSignal): Promise<Inventory> {
  const filters = [
    { Name: `tag:${tagKeys.owner}`, Values: [owner] },
    { Name: "tag-key", Values: [tagKeys.run] },
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

import { describeKeyPairs, describeSecurityGroups } from "../aws/access.ts";
import { describeAddresses } from "../aws/addresses.ts";
import type { Cloud } from "../aws/cloud.ts";
import { describeImages, describeSnapshots, type Image } from "../aws/images.ts";
import { describeInstances, type Instance } from "../aws/instances.ts";
import { describeSpotRequests } from "../aws/spot-requests.ts";
import { tagKeys, type TaggedResource } from "../aws/tags.ts";

/** What bake-ami ever tagged and what still exists. */
export interface Inventory {
  /** In any state but `terminated`. */
  readonly instances: readonly Instance[];
  readonly images: readonly Image[];
  readonly snapshots: readonly TaggedResource[];
  readonly groups: readonly TaggedResource[];
  readonly keys: readonly TaggedResource[];
  /** Elastic IPs of launches; only where they were looked for. */
  readonly addresses: readonly TaggedResource[];
  /** Persistent spot requests that may still start an instance; only where they were looked for. */
  readonly spotRequests: readonly TaggedResource[];
}

/** Whose things, and of which run; of anyone and of all runs when absent. */
export interface Scope {
  readonly owner?: string;
  readonly run?: string;
  /** Look for what only launches have, too: a bake's sweep needs no right to that. */
  readonly launches?: boolean;
}

/** Reads the tags; they are the only state there is. */
export async function readInventory(cloud: Cloud, scope: Scope, signal: AbortSignal): Promise<Inventory> {
  const filters = [
    ...(scope.owner === undefined ? [] : [{ Name: `tag:${tagKeys.owner}`, Values: [scope.owner] }]),
    scope.run === undefined
      ? { Name: "tag-key", Values: [tagKeys.run] }
      : { Name: `tag:${tagKeys.run}`, Values: [scope.run] },
  ];
  const none = Promise.resolve([]);
  const launches = scope.launches === true;
  const [instances, images, snapshots, groups, keys, addresses, requests] = await Promise.all([
    describeInstances(cloud, filters, signal),
    describeImages(cloud, ["self"], filters, signal),
    describeSnapshots(cloud, filters, signal),
    describeSecurityGroups(cloud, filters, signal),
    describeKeyPairs(cloud, filters, signal),
    launches ? describeAddresses(cloud, filters, signal) : none,
    launches ? describeSpotRequests(cloud, filters, signal) : none,
  ]);
  return {
    instances: instances.filter((instance) => instance.state !== "terminated"),
    images,
    snapshots,
    groups,
    keys,
    addresses,
    spotRequests: requests.filter(({ persistent, alive }) => persistent && alive),
  };
}

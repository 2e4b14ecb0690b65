import { deleteKeyPair, deleteSecurityGroup } from "../aws/access.ts";
import { releaseAddress } from "../aws/addresses.ts";
import type { Cloud } from "../aws/cloud.ts";
import { deleteImage, deleteSnapshot } from "../aws/images.ts";
import { terminateInstances } from "../aws/instances.ts";
import { cancelSpotRequests } from "../aws/spot-requests.ts";
import { tagKeys, type TaggedResource } from "../aws/tags.ts";
import { messageOf } from "../base/errors.ts";
import { throwIfAborted } from "../base/wait.ts";
import type { Listener } from "../report/events.ts";
import type { Leftovers } from "./leftovers.ts";

/** One thing that was, or would be, deleted. */
export interface Removal {
  readonly what:
    "spot request" | "instance" | "image" | "snapshot" | "elastic IP" | "security group" | "key pair";
  readonly id: string;
  readonly run: string;
  readonly owner: string;
  /** A builder that its owner wanted to look at (`--on-error keep`). */
  readonly kept: boolean;
}

export interface RemovalOptions {
  readonly cloud: Cloud;
  /** How long all groups together may wait for their last network interface to go, in seconds. */
  readonly groupDeadlineSeconds: number;
  readonly listener: Listener;
  readonly signal: AbortSignal;
}

export interface RemovalFailure {
  readonly removal: Removal;
  readonly error: unknown;
}

/** What became of the removals. */
export interface Removed {
  readonly done: readonly Removal[];
  readonly failures: readonly RemovalFailure[];
}

/** What could not be deleted, and why. */
export function describeFailure({ removal, error }: RemovalFailure): string {
  return `${removal.what} ${removal.id}: ${messageOf(error)}`;
}

/** Everything that {@link removeAll} deletes, in its order: instances early, because the rest hangs on them. */
export function removalsOf(leftovers: Leftovers): Removal[] {
  return [
    ...leftovers.spotRequests.map((request) => removal("spot request", request)),
    ...leftovers.instances.map((instance) => removal("instance", instance)),
    ...leftovers.images.map((image) => removal("image", image)),
    ...leftovers.snapshots.map((snapshot) => removal("snapshot", snapshot)),
    ...leftovers.addresses.map((address) => removal("elastic IP", address)),
    ...leftovers.groups.map((group) => removal("security group", group)),
    ...leftovers.keys.map((key) => removal("key pair", key)),
  ];
}

/**
 * Deletes leftovers. It goes on past a failure, and is harmless to repeat.
 * @throws BakeError `interrupted`.
 */
export async function removeAll(leftovers: Leftovers, options: RemovalOptions): Promise<Removed> {
  const { cloud, signal, listener } = options;
  const done: Removal[] = [];
  const failures: RemovalFailure[] = [];
  const attempt = async (removals: readonly Removal[], work: () => Promise<void>): Promise<boolean> => {
    throwIfAborted(signal);
    try {
      await work();
    } catch (error) {
      throwIfAborted(signal);
      if (removals.length > 1) return false;
      failures.push(...removals.map((each) => ({ removal: each, error })));
      return false;
    }
    for (const each of removals) {
      done.push(each);
      listener({ type: "deleted", at: cloud.clock.now(), what: each.what, id: each.id });
    }
    return true;
  };

  // They would start what ends here again.
  for (const request of leftovers.spotRequests) {
    await attempt([removal("spot request", request)], () => cancelSpotRequests(cloud, [request.id], signal));
  }
  for (const batch of inBatches(leftovers.instances)) {
    const removals = batch.map((instance) => removal("instance", instance));
    const ids = batch.map(({ id }) => id);
    if ((await attempt(removals, () => terminateInstances(cloud, ids, signal))) || removals.length === 1)
      continue;
    // EC2 refuses all for the sake of one, such as one with termination protection.
    for (const each of removals) await attempt([each], () => terminateInstances(cloud, [each.id], signal));
  }
  for (const image of leftovers.images) {
    await attempt([removal("image", image)], () => deleteImage(cloud, image, signal));
  }
  for (const snapshot of leftovers.snapshots) {
    await attempt([removal("snapshot", snapshot)], () => deleteSnapshot(cloud, snapshot.id, signal));
  }
  for (const address of leftovers.addresses) {
    await attempt([removal("elastic IP", address)], () =>
      releaseAddress(cloud, address.id, options.groupDeadlineSeconds, signal),
    );
  }
  const groupsUntil = cloud.clock.now() + options.groupDeadlineSeconds * 1000;
  for (const group of leftovers.groups) {
    const seconds = Math.max(1, Math.ceil((groupsUntil - cloud.clock.now()) / 1000));
    await attempt([removal("security group", group)], () =>
      deleteSecurityGroup(cloud, group.id, seconds, signal),
    );
  }
  for (const key of leftovers.keys) {
    await attempt([removal("key pair", key)], () => deleteKeyPair(cloud, key.id, signal));
  }
  return { done, failures };
}

/** EC2 takes up to 1,000 instances in a call, and advises against it. (API reference, "TerminateInstances") */
const batchSize = 100;

function inBatches<T>(all: readonly T[]): T[][] {
  const batches: T[][] = [];
  for (let from = 0; from < all.length; from += batchSize) batches.push(all.slice(from, from + batchSize));
  return batches;
}

function removal(what: Removal["what"], { id, tags }: TaggedResource): Removal {
  return {
    what,
    id,
    run: tags.get(tagKeys.run) ?? "-",
    owner: tags.get(tagKeys.owner) ?? "-",
    kept: tags.has(tagKeys.kept),
  };
}

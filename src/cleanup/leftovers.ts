import type { Image } from "../aws/images.ts";
import type { Instance } from "../aws/instances.ts";
import { tagKeys, type TaggedResource, type Tags } from "../aws/tags.ts";
import { runStartedAt } from "../base/ids.ts";
import type { Inventory } from "./inventory.ts";

/** What a cleanup would end, in the order in which it must go. */
export interface Leftovers {
  readonly instances: readonly Instance[];
  readonly images: readonly Image[];
  /** Snapshots without an image. */
  readonly snapshots: readonly TaggedResource[];
  readonly groups: readonly TaggedResource[];
  readonly keys: readonly TaggedResource[];
  readonly addresses: readonly TaggedResource[];
  readonly spotRequests: readonly TaggedResource[];
  /** Runs whose things stay only because a command still works on them. */
  readonly live: readonly string[];
}

/** Which leftovers are meant. */
export interface Wanted {
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly owner: string;
  /** Others' things too; of those only what has expired, whatever else is said here. */
  readonly allOwners: boolean;
  /** Only what has expired. */
  readonly expiredOnly: boolean;
  /** Only things whose run began longer ago than this; what names no run of ours is then left alone. */
  readonly olderThanMs: number | undefined;
  /** Whether a command still works on a run. */
  readonly isLive: (run: string) => boolean;
}

/**
 * Decides what was left behind: builders, trials of launch templates, and what belongs to them, images that were never finished (they still carry
 * the expiry that a finished bake takes off), and groups, keys, Elastic IPs and spot requests of launches whose machines
 * are gone. Machines and finished images stay, and so does the builder of an image that EC2 still makes. Pure.
 */
export function findLeftovers(inventory: Inventory, wanted: Wanted): Leftovers {
  const live = new Set<string>();
  const mayGo = ({ tags }: { readonly tags: Tags }): boolean => {
    if (!isDue(tags, wanted)) return false;
    const run = runOf(tags);
    if (!wanted.isLive(run)) return true;
    live.add(run);
    return false;
  };

  const images = inventory.images.filter((image) => image.tags.has(tagKeys.expires) && mayGo(image));
  const inTheMaking = new Set(
    inventory.images
      .filter((image) => image.state === "pending" && !images.includes(image))
      .map(({ tags }) => runOf(tags)),
  );
  const instances = inventory.instances.filter(
    (instance) =>
      (["builder", "trial"].includes(roleOf(instance.tags) ?? "") || isOverdueJob(instance, wanted.now)) &&
      instance.state !== "shutting-down" &&
      !inTheMaking.has(runOf(instance.tags)) &&
      mayGo(instance),
  );

  const ofImages = new Set(inventory.images.flatMap((image) => image.snapshotIds));
  const snapshots = inventory.snapshots.filter(
    (snapshot) =>
      snapshot.tags.has(tagKeys.expires) &&
      !ofImages.has(snapshot.id) &&
      // EC2 does not name the snapshots of an image from the start.
      !inTheMaking.has(runOf(snapshot.tags)) &&
      mayGo(snapshot),
  );

  const staying = inventory.instances.filter(
    (instance) => instance.state !== "shutting-down" && !instances.includes(instance),
  );
  const machineRuns = new Set(
    staying
      .filter(({ tags }) => ["machine", "job"].includes(roleOf(tags) ?? ""))
      .map(({ tags }) => runOf(tags)),
  );
  const inUse = new Set(staying.flatMap(({ groupIds }) => groupIds));
  const groups = inventory.groups.filter((group) => {
    const role = roleOf(group.tags);
    const isLeft =
      role === "builder-group" || (role === "machine-group" && !machineRuns.has(runOf(group.tags)));
    return isLeft && !inUse.has(group.id) && mayGo(group);
  });
  const keys = inventory.keys.filter((key) => {
    const role = roleOf(key.tags);
    return (role === "builder-key" || role === "machine-key") && mayGo(key);
  });
  const isOrphan = (each: TaggedResource): boolean => !machineRuns.has(runOf(each.tags)) && mayGo(each);
  const addresses = inventory.addresses.filter(
    (address) => roleOf(address.tags) === "machine-address" && isOrphan(address),
  );
  const spotRequests = inventory.spotRequests.filter(
    (request) => roleOf(request.tags) === "machine-spot-request" && isOrphan(request),
  );
  const access = { groups, keys, addresses, spotRequests };
  return { instances, images, snapshots, ...access, live: [...live].sort() };
}

function isDue(tags: Tags, wanted: Wanted): boolean {
  const isOwn = tags.get(tagKeys.owner) === wanted.owner;
  if (!isOwn && !wanted.allOwners) return false;
  if ((wanted.expiredOnly || !isOwn) && !hasExpired(tags, wanted.now)) return false;
  if (wanted.olderThanMs === undefined) return true;
  const startedAt = runStartedAt(runOf(tags));
  return startedAt !== undefined && wanted.now - startedAt >= wanted.olderThanMs;
}

/** A job's machine ends itself in time; one that did not is hung. */
function isOverdueJob({ tags }: Instance, now: number): boolean {
  return roleOf(tags) === "job" && hasExpired(tags, now);
}

/** Whether the expiry in the tags has passed; what has none, or one that cannot be read, never expires. */
function hasExpired(tags: Tags, now: number): boolean {
  const expires = Date.parse(tags.get(tagKeys.expires) ?? "");
  return !Number.isNaN(expires) && expires <= now;
}

function roleOf(tags: Tags): string | undefined {
  return tags.get(tagKeys.role);
}

function runOf(tags: Tags): string {
  return tags.get(tagKeys.run) ?? "";
}

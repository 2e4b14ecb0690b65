import type { Cloud } from "../aws/cloud.ts";
import { isInUse } from "../aws/cloud-error.ts";
import { tagKeys, type TaggedResource } from "../aws/tags.ts";
import { BakeError, messageOf } from "../base/errors.ts";
import { sleep, throwIfAborted } from "../base/wait.ts";
import type { Listener } from "../report/events.ts";
import { readInventory } from "./inventory.ts";
import { findLeftovers, type Leftovers } from "./leftovers.ts";
import { describeFailure, removeAll, type RemovalFailure } from "./removal.ts";

export interface SweepOptions {
  readonly cloud: Cloud;
  readonly owner: string;
  readonly listener: Listener;
  readonly signal: AbortSignal;
}

/** The bake that sweeps has better things to do than to wait for another builder's end; in seconds. */
const passingGroupDeadlineSeconds = 2;

/** At the end of a run its groups wait for its own builder; in seconds. */
const ownGroupDeadlineSeconds = 300;

/**
 * Ends what this owner's earlier runs left and what has expired, as well as it can: a failure is a warning. An image
 * that is complete is never deleted here, only mentioned.
 * @throws BakeError `interrupted`.
 */
export async function sweepExpired(options: SweepOptions): Promise<void> {
  const { cloud, owner, listener, signal } = options;
  try {
    const inventory = await readInventory(cloud, { owner }, signal);
    const found = findLeftovers(inventory, {
      now: Date.now(),
      owner,
      allOwners: false,
      expiredOnly: true,
      olderThanMs: undefined,
      isLive: () => false,
    });
    const groupDeadlineSeconds = passingGroupDeadlineSeconds;
    const leftovers = withoutCompleteImages(found, options);
    const { failures } = await removeAll(leftovers, { cloud, groupDeadlineSeconds, listener, signal });
    const serious = failures.filter((failure) => !isWaiting(failure));
    if (serious.length === 0) return;
    warn(options, `what earlier runs left could not be deleted: ${serious.map(describeFailure).join("; ")}`);
  } catch (error) {
    throwIfAborted(signal);
    warn(options, `what earlier runs left cannot be found: ${messageOf(error)}`);
  }
}

export interface SweepRunOptions extends SweepOptions {
  readonly run: string;
  /**
   * `over`: the run is done with, so that even its kept builder goes. `uncertain`: a call's outcome is unknown; what it
   * made may become visible only after a while, and a kept builder stays. Default: `over`.
   */
  readonly why?: "over" | "uncertain";
}

/** When to look again for what a call may have made, in milliseconds after the look before. */
const pausesBetweenLooks = [3000, 10_000] as const;

/**
 * Ends all temporary things of one run. A complete image is not temporary.
 * @throws BakeError `failed` naming what could not be deleted, `interrupted`, or whatever looking throws.
 */
export async function sweepRun(options: SweepRunOptions): Promise<void> {
  const { signal } = options;
  const pauses = options.why === "uncertain" ? pausesBetweenLooks : [];
  let failures = await sweepRunOnce(options);
  for (const pause of pauses) {
    await sleep(pause, signal);
    failures = await sweepRunOnce(options);
  }
  if (failures.length === 0) return;
  throw new BakeError("failed", `${failures.length} things of run ${options.run} could not be deleted`, {
    details: failures.map(describeFailure),
    hint: "`bake-ami cleanup` tries again",
  });
}

async function sweepRunOnce(options: SweepRunOptions): Promise<readonly RemovalFailure[]> {
  const { cloud, run, owner, listener, signal } = options;
  const inventory = await readInventory(cloud, { owner, run }, signal);
  if (options.why === "uncertain" && inventory.instances.some(isKept)) return [];
  const found = findLeftovers(inventory, {
    now: Date.now(),
    owner,
    allOwners: false,
    expiredOnly: false,
    olderThanMs: undefined,
    isLive: () => false,
  });
  const leftovers = withoutCompleteImages(found, options);
  const groupDeadlineSeconds = ownGroupDeadlineSeconds;
  return (await removeAll(leftovers, { cloud, groupDeadlineSeconds, listener, signal })).failures;
}

function isKept({ tags }: TaggedResource): boolean {
  return tags.has("bake-ami:kept");
}

/** An image that is complete may be somebody's hope: only a person's own command deletes it. */
function withoutCompleteImages(found: Leftovers, { listener }: SweepOptions): Leftovers {
  const complete = found.images.filter(({ state }) => state === "available");
  for (const { id, tags } of complete) {
    listener({
      type: "note",
      at: Date.now(),
      message:
        `image ${id} of run ${tags.get(tagKeys.run) ?? "-"} is complete, but its bake ended before it said so; ` +
        `\`bake-ami cleanup\` deletes it`,
    });
  }
  return { ...found, images: found.images.filter((image) => !complete.includes(image)) };
}

/** A group whose instance is still on its way out goes with the next sweep. */
function isWaiting({ removal, error }: RemovalFailure): boolean {
  if (removal.what !== "security group") return false;
  return isInUse(error) || (error instanceof BakeError && error.kind === "timeout");
}

function warn({ listener }: SweepOptions, message: string): void {
  listener({ type: "warning", at: Date.now(), message, hint: "`bake-ami cleanup` tries again" });
}

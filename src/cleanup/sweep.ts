import type { Cloud } from "../aws/cloud.ts";
import type { Image } from "../aws/images.ts";
import { tagKeys } from "../aws/tags.ts";
import { BakeError, messageOf } from "../base/errors.ts";
import { throwIfAborted } from "../base/wait.ts";
import type { Listener } from "../report/events.ts";
import { readInventory, type Inventory } from "./inventory.ts";
import { findLeftovers, type Leftovers } from "./leftovers.ts";
import { describeFailure } from "./removal.ts";
import { isWaiting, removeUntilSettled } from "./settle.ts";

export interface SweepOptions {
  readonly cloud: Cloud;
  readonly owner: string;
  readonly listener: Listener;
  readonly signal: AbortSignal;
}

/**
 * Ends what this owner's earlier runs left and what has expired, as well as it can: a failure is a warning, and nothing
 * is waited for. An image that is complete is never deleted here, only mentioned.
 * @throws BakeError `interrupted`.
 */
export async function sweepExpired(options: SweepOptions): Promise<void> {
  const { cloud, owner, listener, signal } = options;
  try {
    const look = async (): Promise<Leftovers> => {
      const found = temporary(await readInventory(cloud, { owner }, signal), options, { expiredOnly: true });
      mention(options, found.complete);
      return found.leftovers;
    };
    const { failures } = await removeUntilSettled({ look, cloud, deadlineSeconds: 0, listener, signal });
    // A group whose instance is still on its way out goes with the next sweep.
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

/** At the end of a run its groups wait for its own builder; in seconds. */
const ownGroupDeadlineSeconds = 300;

/** How often to look for what a call may have made, whatever the looks show: for 13 seconds. */
const looksAfterUncertainty = 5;

/**
 * Ends all temporary things of one run. A complete image is not temporary: it is mentioned.
 * @throws BakeError `failed` naming what could not be deleted, `interrupted`, or whatever looking throws.
 */
export async function sweepRun(options: SweepRunOptions): Promise<void> {
  const { cloud, run, owner, listener, signal } = options;
  const isUncertain = options.why === "uncertain";
  let complete: readonly Image[] = [];
  const look = async (): Promise<Leftovers> => {
    const inventory = await readInventory(cloud, { owner, run }, signal);
    const found = temporary(inventory, options, {
      expiredOnly: false,
      isLive: isUncertain && inventory.instances.some(({ tags }) => tags.has(tagKeys.kept)),
    });
    complete = found.complete;
    return found.leftovers;
  };
  const { failures } = await removeUntilSettled({
    look,
    cloud,
    deadlineSeconds: ownGroupDeadlineSeconds,
    fewestLooks: isUncertain ? looksAfterUncertainty : 1,
    listener,
    signal,
  });
  mention(options, complete);
  if (failures.length === 0) return;
  throw new BakeError("failed", `${failures.length} things of run ${run} could not be deleted`, {
    details: failures.map(describeFailure),
    hint: "`bake-ami cleanup` tries again",
  });
}

/** Leftovers without the images that are complete: those may be somebody's hope, and only a person's own command deletes them. */
function temporary(
  inventory: Inventory,
  { cloud, owner }: SweepOptions,
  { expiredOnly, isLive = false }: { readonly expiredOnly: boolean; readonly isLive?: boolean },
): { readonly leftovers: Leftovers; readonly complete: readonly Image[] } {
  const found = findLeftovers(inventory, {
    now: cloud.clock.now(),
    owner,
    allOwners: false,
    expiredOnly,
    olderThanMs: undefined,
    isLive: () => isLive,
  });
  const complete = found.images.filter(({ state }) => state === "available");
  const images = found.images.filter((image) => !complete.includes(image));
  return { leftovers: { ...found, images }, complete };
}

function mention({ cloud, listener }: SweepOptions, complete: readonly Image[]): void {
  for (const { id, tags } of complete) {
    const run = tags.get(tagKeys.run) ?? "-";
    listener({
      type: "note",
      at: cloud.clock.now(),
      message: `image ${id} of run ${run} is complete, but its bake ended before it said so; \`bake-ami cleanup\` deletes it`,
    });
  }
}

function warn({ cloud, listener }: SweepOptions, message: string): void {
  listener({ type: "warning", at: cloud.clock.now(), message, hint: "`bake-ami cleanup` tries again" });
}

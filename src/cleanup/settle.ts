import { isInUse } from "../aws/cloud-error.ts";
import { BakeError } from "../base/errors.ts";
import type { Leftovers } from "./leftovers.ts";
import {
  removeAll,
  type Removal,
  type RemovalFailure,
  type RemovalOptions,
  type Removed,
} from "./removal.ts";

export interface SettleOptions extends Omit<RemovalOptions, "groupDeadlineSeconds"> {
  /** Finds what is there to delete, now. */
  readonly look: () => Promise<Leftovers>;
  /** How long groups may wait for their last instance to go, in seconds. */
  readonly deadlineSeconds: number;
  /** How often to look whatever the looks show, because something may become visible late. Default: once. */
  readonly fewestLooks?: number;
}

/** How long a group is tried within one look, in seconds. */
const groupDeadlineSeconds = 2;

/** Pauses between looks, in milliseconds; the last one repeats. */
const pauses = [1000, 2000, 5000] as const;
const longestPause = 5000;

/**
 * Deletes what there is, and looks again while a group waits for an instance's end. A mere wait would not do: the
 * instance that holds the group may be so new that the first look did not show it.
 * @returns everything that was deleted, and what the last look could not delete
 * @throws BakeError `interrupted`, or whatever looking throws.
 */
export async function removeUntilSettled(options: SettleOptions): Promise<Removed> {
  const { cloud, listener, signal } = options;
  const until = cloud.clock.now() + options.deadlineSeconds * 1000;
  const done = new Map<string, Removal>();
  for (let looks = 1; ; looks += 1) {
    const found = await options.look();
    const removed = await removeAll(found, { cloud, groupDeadlineSeconds, listener, signal });
    for (const removal of removed.done) done.set(removal.id, removal);
    const waits = removed.failures.some(isWaiting) && cloud.clock.now() < until;
    if (looks >= (options.fewestLooks ?? 1) && !waits) {
      return { done: [...done.values()], failures: removed.failures };
    }
    await cloud.clock.sleep(pauses[looks - 1] ?? longestPause, signal);
  }
}

/** A group or an address whose instance is still on its way out. */
export function isWaiting({ removal, error }: RemovalFailure): boolean {
  if (removal.what !== "security group" && removal.what !== "elastic IP") return false;
  return isInUse(error) || (error instanceof BakeError && error.kind === "timeout");
}

import type { Cloud } from "../aws/cloud.ts";
import { tagKeys, type TaggedResource } from "../aws/tags.ts";
import { BakeError } from "../base/errors.ts";
import type { Listener } from "../report/events.ts";
import { readInventory, type Inventory } from "./inventory.ts";
import { findLeftovers, type Leftovers } from "./leftovers.ts";
import { describeFailure, removalsOf, type Removal } from "./removal.ts";
import { removeUntilSettled } from "./settle.ts";

export type { Removal } from "./removal.ts";

export interface CleanupOptions {
  readonly cloud: Cloud;
  readonly owner: string;
  /** Only say what would be deleted. */
  readonly dryRun: boolean;
  /** Also what others have left and what has expired; their unexpired runs are never touched. */
  readonly allOwners?: boolean;
  /** Only things whose run began longer ago than this. */
  readonly olderThanSeconds?: number | undefined;
  /** Whether a command on this computer still works on a run, which is then left alone. */
  readonly isLive?: (run: string) => Promise<boolean>;
  readonly listener: Listener;
  readonly signal: AbortSignal;
}

/** Termination takes a minute or so on EC2; a group goes right after. In seconds. */
const groupDeadlineSeconds = 600;

/**
 * Ends everything of this owner that a bake or launch left behind, expired or not, instances first because the rest
 * hangs on them. It goes on past a failure and is harmless to repeat.
 * @returns what was deleted, or with `dryRun` what would be, in the same order
 * @throws BakeError `failed` at the end when something could not be deleted.
 */
export async function cleanup(options: CleanupOptions): Promise<Removal[]> {
  const { cloud, owner, listener, signal } = options;
  const allOwners = options.allOwners === true;
  const look = async (): Promise<Leftovers> => {
    const inventory = await readInventory(cloud, { launches: true, ...(allOwners ? {} : { owner }) }, signal);
    const live = await liveRuns(inventory, options.isLive);
    return findLeftovers(inventory, {
      now: cloud.clock.now(),
      owner,
      allOwners,
      expiredOnly: false,
      olderThanMs: options.olderThanSeconds === undefined ? undefined : options.olderThanSeconds * 1000,
      isLive: (run) => live.has(run),
    });
  };
  const found = await look();
  if (found.live.length > 0) {
    listener({
      type: "note",
      at: cloud.clock.now(),
      message: `left alone, because a command on this computer still works on it: ${found.live.join(", ")}`,
    });
  }
  const planned = removalsOf(found);
  if (options.dryRun) return planned;
  let first: Leftovers | undefined = found;
  const { done, failures } = await removeUntilSettled({
    look: async () => {
      const now = first ?? (await look());
      first = undefined;
      return now;
    },
    cloud,
    deadlineSeconds: groupDeadlineSeconds,
    listener,
    signal,
  });
  if (failures.length > 0) {
    const all = done.length + failures.length;
    throw new BakeError("failed", `${failures.length} of ${all} could not be deleted`, {
      details: failures.map(describeFailure),
      hint: "run `bake-ami cleanup` again; what is gone stays gone",
    });
  }
  // In the order of the dry run, though a group may have waited; what showed itself later comes last.
  const places = new Map(planned.map(({ id }, index) => [id, index]));
  const placeOf = ({ id }: Removal): number => places.get(id) ?? planned.length;
  return [...done].sort((a, b) => placeOf(a) - placeOf(b));
}

async function liveRuns(inventory: Inventory, isLive: CleanupOptions["isLive"]): Promise<Set<string>> {
  const live = new Set<string>();
  if (isLive === undefined) return live;
  const { instances, images, snapshots, groups, keys, addresses, spotRequests } = inventory;
  const ofLaunches = [...groups, ...keys, ...addresses, ...spotRequests];
  const tagged: readonly TaggedResource[] = [...instances, ...images, ...snapshots, ...ofLaunches];
  const runs = new Set(tagged.flatMap(({ tags }) => tags.get(tagKeys.run) ?? []));
  for (const run of runs) if (await isLive(run)) live.add(run);
  return live;
}

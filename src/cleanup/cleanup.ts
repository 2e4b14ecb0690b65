import { deleteKeyPair, deleteSecurityGroup } from "../aws/access.ts";
import type { Cloud } from "../aws/cloud.ts";
import { deleteImage, deleteSnapshot } from "../aws/images.ts";
import { terminateInstances } from "../aws/instances.ts";
import { BakeError, messageOf } from "../base/errors.ts";
import { throwIfAborted } from "../base/wait.ts";
import type { Listener } from "../report/events.ts";
import { readInventory } from "./inventory.ts";
import { findLeftovers } from "./leftovers.ts";

export interface CleanupOptions {
  readonly cloud: Cloud;
  readonly owner: string;
  /** Only say what would be deleted. */
  readonly dryRun: boolean;
  readonly listener: Listener;
  readonly signal: AbortSignal;
}

/** One thing that was, or would be, deleted. */
export interface Removal {
  readonly what: "instance" | "image" | "snapshot" | "security group" | "key pair";
  readonly id: string;
  readonly run: string;
}

/** Termination takes a minute or so on EC2; a group goes right after. In seconds. */
const groupDeadlineSeconds = 600;

/**
 * Ends everything of this owner that a bake or launch left behind, instances first because the rest hangs on them.
 * It goes on past a failure and is harmless to repeat.
 * @returns what was deleted, or with `dryRun` what would be
 * @throws BakeError `failed` at the end when something could not be deleted.
 */
export async function cleanup(options: CleanupOptions): Promise<Removal[]> {
  const { cloud, listener, signal } = options;
  const found = findLeftovers(await readInventory(cloud, options.owner, signal));
  const work: { removal: Removal; run: () => Promise<void> }[] = [
    ...found.instances.map((instance) => ({
      removal: removal("instance", instance.id, instance.tags),
      run: () => terminateInstances(cloud, [instance.id], signal),
    })),
    ...found.images.map((image) => ({
      removal: removal("image", image.id, image.tags),
      run: () => deleteImage(cloud, image, signal),
    })),
    ...found.snapshots.map(({ id, tags }) => ({
      removal: removal("snapshot", id, tags),
      run: () => deleteSnapshot(cloud, id, signal),
    })),
    ...found.keys.map(({ id, tags }) => ({
      removal: removal("key pair", id, tags),
      run: () => deleteKeyPair(cloud, id, signal),
    })),
    ...found.groups.map(({ id, tags }) => ({
      removal: removal("security group", id, tags),
      run: () => deleteSecurityGroup(cloud, id, groupDeadlineSeconds, signal),
    })),
  ];
  if (options.dryRun) return work.map((item) => item.removal);
  const done: Removal[] = [];
  const failures: string[] = [];
  for (const item of work) {
    throwIfAborted(signal);
    try {
      await item.run();
      done.push(item.removal);
      listener({ type: "deleted", at: Date.now(), what: item.removal.what, id: item.removal.id });
    } catch (error) {
      throwIfAborted(signal);
      failures.push(`${item.removal.what} ${item.removal.id}: ${messageOf(error)}`);
    }
  }
  if (failures.length > 0) {
    throw new BakeError("failed", `${failures.length} of ${work.length} could not be deleted`, {
      details: failures,
      hint: "run `bake-ami cleanup` again; what is gone stays gone",
    });
  }
  return done;
}

function removal(what: Removal["what"], id: string, tags: ReadonlyMap<string, string>): Removal {
  return { what, id, run: tags.get("bake-ami:run") ?? "-" };
}

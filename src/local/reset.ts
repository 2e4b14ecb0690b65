import { rm, rmdir } from "node:fs/promises";
import { join } from "node:path";
import { sweepFiles } from "./qemu/disk-files.ts";
import { killMachine } from "./qemu/machine-process.ts";
import { listed, restoreBaseImages } from "./setup/install.ts";
import { acquireLock } from "./state/lock.ts";
import { emptyState } from "./state/schema.ts";
import { Store } from "./state/store.ts";

export interface ResetOptions {
  readonly directory: string;
  /** Delete the base images as well. */
  readonly baseImages: boolean;
  readonly signal: AbortSignal;
}

/**
 * Ends every local machine and forgets everything but the base images, objects included. Works with a damaged state file too: machines are
 * found by their directories, base images by the records beside them.
 */
export async function resetLocalCloud({ directory, baseImages, signal }: ResetOptions): Promise<void> {
  const names = await listed(directory);
  if (names.length === 0) return;
  const release = await acquireLock(directory, "lock", signal);
  try {
    const machines = join(directory, "instances");
    for (const id of await listed(machines)) await killMachine(join(machines, id));
    await rm(machines, { recursive: true, force: true });
    await rm(join(directory, "state.json"), { force: true });
    await rm(join(directory, "objects"), { recursive: true, force: true });
    if (baseImages) {
      for (const name of names)
        if (!name.includes("lock")) await rm(join(directory, name), { recursive: true, force: true });
    }
  } finally {
    await release();
  }
  if (baseImages) {
    await rm(join(directory, "lock"), { recursive: true, force: true });
    await rm(join(directory, "setup-lock"), { recursive: true, force: true });
    // Only when nothing else is in there.
    await rmdir(directory).catch(() => undefined);
    return;
  }
  await new Store(directory).change(async (draft) => {
    Object.assign(draft, emptyState());
    await restoreBaseImages(directory, draft);
    await sweepFiles(directory, draft);
  }, signal);
}

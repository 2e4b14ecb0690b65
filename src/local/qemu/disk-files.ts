import { open, readdir, rm, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { systemCodeOf } from "../../base/errors.ts";
import { mustRun } from "../../base/process.ts";
import type { Disk, State } from "../state/schema.ts";
import { qemuHint } from "./tools.ts";

/*
 * Disks are files `disks/<id>.qcow2` that never move and are never copied. An instance writes to one that backs on its
 * image's; to freeze it as an image, the instance gets another that backs on it.
 */

export function diskFile(directory: string, id: string): string {
  return join(directory, "disks", `${id}.qcow2`);
}

/** Makes a disk that shows what its backing shows. */
export async function createOverlay(directory: string, disk: Disk, sizeGiB: number): Promise<void> {
  const { backing } = disk;
  if (backing === undefined) throw new Error(`disk ${disk.id} has no backing`);
  await mkdir(join(directory, "disks"), { recursive: true, mode: 0o700 });
  // The name of the backing is relative, so that the whole directory can be moved.
  await mustRun(
    [
      ...(["qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b"] as const),
      `${backing}.qcow2`,
      diskFile(directory, disk.id),
      `${sizeGiB}G`,
    ],
    { signal: AbortSignal.timeout(60_000), hint: qemuHint },
  );
  // Machines do not wait for their writes to reach the disk; what becomes an image must have.
  await flush(diskFile(directory, backing));
}

async function flush(path: string): Promise<void> {
  const file = await open(path, "r");
  try {
    await file.datasync();
  } finally {
    await file.close();
  }
}

/** See `Engine.sweep`. */
export async function sweepFiles(directory: string, state: State): Promise<void> {
  const disks = new Set(state.disks.map(({ id }) => `${id}.qcow2`));
  const machines = new Set(state.instances.filter((it) => it.state !== "terminated").map(({ id }) => id));
  const kernels = new Set(
    [...state.images, ...state.instances].flatMap(({ boot }) => (boot.kind === "kernel" ? [boot.id] : [])),
  );
  await removeOthers(join(directory, "disks"), disks);
  await removeOthers(join(directory, "instances"), machines);
  await removeOthers(join(directory, "boot"), kernels);
}

async function removeOthers(directory: string, kept: ReadonlySet<string>): Promise<void> {
  let entries: string[];
  try {
    entries = await readdir(directory);
  } catch (error) {
    if (systemCodeOf(error) === "ENOENT") return;
    throw error;
  }
  for (const entry of entries) {
    if (!kept.has(entry)) await rm(join(directory, entry), { recursive: true, force: true });
  }
}

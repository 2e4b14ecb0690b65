import { mkdir, readdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { systemCodeOf } from "../../base/errors.ts";
import { registerBaseImage, type BaseImage } from "../base-images.ts";
import { diskFile } from "../qemu/disk-files.ts";
import type { State } from "../state/schema.ts";
import type { Store } from "../state/store.ts";

/** A base image whose files were made aside. */
export interface MadeImage extends BaseImage {
  /** Its disk, and for one that boots by kernel the directory with `vmlinuz` and `initrd`. */
  readonly files: { readonly disk: string; readonly boot?: string };
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
}

const recordSchema = z.object({
  base: z.enum(["debian-12", "al2023"]),
  name: z.string(),
  description: z.string(),
  architecture: z.enum(["x86_64", "arm64"]),
  sizeGiB: z.number(),
  disk: z.string(),
  boot: z.discriminatedUnion("kind", [
    z.object({ kind: z.literal("disk") }),
    z.object({ kind: z.literal("kernel"), id: z.string(), commandLine: z.string() }),
  ]),
  recipe: z.string().optional(),
  createdAt: z.number(),
});

/**
 * Moves a base image's files into place and enters it into the state. Broken off anywhere, it leaves at most files that
 * the next sweep removes.
 * @returns the image's id
 */
export async function installBaseImage(store: Store, made: MadeImage, signal: AbortSignal): Promise<string> {
  const { directory } = store;
  return await store.change(async (draft) => {
    await mkdir(join(directory, "disks"), { recursive: true, mode: 0o700 });
    await mkdir(join(directory, "boot"), { recursive: true, mode: 0o700 });
    await mkdir(join(directory, "bases"), { recursive: true, mode: 0o700 });
    await rename(made.files.disk, diskFile(directory, made.disk));
    if (made.files.boot !== undefined && made.boot.kind === "kernel") {
      await rename(made.files.boot, join(directory, "boot", made.boot.id));
    }
    const record = recordFile(directory, made);
    await writeFile(`${record}.new`, JSON.stringify(recordSchema.parse(made), undefined, 2));
    await rename(`${record}.new`, record);
    return registerBaseImage(draft, made, made.createdAt);
  }, signal);
}

/** Enters the base images whose files are in the directory into an empty state. */
export async function restoreBaseImages(directory: string, draft: State): Promise<void> {
  for (const name of await listed(join(directory, "bases"))) {
    if (!name.endsWith(".json")) continue;
    const record = recordSchema.safeParse(JSON.parse(await readFile(join(directory, "bases", name), "utf8")));
    if (!record.success) continue;
    const disks = await listed(join(directory, "disks"));
    if (disks.includes(`${record.data.disk}.qcow2`))
      registerBaseImage(draft, record.data, record.data.createdAt);
  }
}

function recordFile(directory: string, { base, architecture }: BaseImage): string {
  return join(directory, "bases", `${base}-${architecture}.json`);
}

/** Names in a directory; none when there is no such directory. */
export async function listed(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if (systemCodeOf(error) === "ENOENT") return [];
    throw error;
  }
}

import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { accelerationOf } from "../acceleration-report.ts";
import { baseImageId, type BaseImageName } from "../base-images.ts";
import { acquireLock } from "../state/lock.ts";
import type { Architecture } from "../state/schema.ts";
import { Store } from "../state/store.ts";
import { amazonLinuxUrl, fetchAmazonLinux } from "./al2023.ts";
import { makeDebian } from "./debian.ts";
import { installBaseImage, type MadeImage } from "./install.ts";

export interface SetupOptions {
  readonly directory: string;
  readonly name: BaseImageName;
  /** Makes it anew when it is there already. */
  readonly force?: boolean;
  readonly signal: AbortSignal;
  readonly onProgress?: (message: string) => void;
  /** Where Amazon Linux 2023 comes from, instead of $BAKE_AMI_AL2023_URL or Amazon's own place. */
  readonly amazonLinuxUrl?: string;
  /** A server that sends nothing for so long is given up; 60 when absent. */
  readonly stallSeconds?: number;
}

/** Another setup may be making the same image; that takes some minutes at most. */
const lockSeconds = 1800;

/**
 * Makes a base image for local machines, or finds it there already. Broken off, it leaves nothing half made; of two at
 * once the second waits for the first, and finds its image.
 * @returns the image's id
 * @throws BakeError `missing-tool` with what to install, `failed`, `connection`, `timeout`, `not-found`, `interrupted`
 */
export async function setupBaseImage(options: SetupOptions): Promise<string> {
  const { directory, name, signal } = options;
  const onProgress = options.onProgress ?? ((): void => undefined);
  const architecture: Architecture = process.arch === "arm64" ? "arm64" : "x86_64";
  const store = new Store(directory);
  const id = baseImageId(name, architecture);
  const isThere = async (): Promise<boolean> => (await store.read()).images.some((image) => image.id === id);
  if (options.force !== true && (await isThere())) return id;

  await mkdir(directory, { recursive: true, mode: 0o700 });
  const release = await acquireLock(directory, "setup-lock", signal, lockSeconds);
  const work = join(directory, "setup");
  try {
    if (options.force !== true && (await isThere())) return id;
    // What a setup that was killed has left.
    await rm(work, { recursive: true, force: true });
    await mkdir(work, { mode: 0o700 });
    const common = { workDirectory: await mkdtemp(join(work, "make-")), architecture, onProgress, signal };
    const made = await make(options, common);
    await installBaseImage(store, made, signal);
    if (made.boot.kind === "kernel") {
      // Here, so that the first machine does not have to wait for it.
      onProgress(`acceleration: ${await accelerationOf({ directory, signal })}`);
    }
    return id;
  } finally {
    await rm(work, { recursive: true, force: true });
    await release();
  }
}

async function make(options: SetupOptions, common: Parameters<typeof makeDebian>[0]): Promise<MadeImage> {
  switch (options.name) {
    case "debian-12":
      return await makeDebian(common);
    case "al2023": {
      const downloadDirectory = join(options.directory, "downloads");
      await mkdir(downloadDirectory, { recursive: true, mode: 0o700 });
      return await fetchAmazonLinux({
        ...common,
        url: options.amazonLinuxUrl ?? process.env["BAKE_AMI_AL2023_URL"] ?? amazonLinuxUrl,
        stallSeconds: options.stallSeconds ?? 60,
        downloadDirectory,
      });
    }
  }
}

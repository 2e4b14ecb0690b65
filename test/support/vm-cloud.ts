import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { EC2Client } from "@aws-sdk/client-ec2";
import { openLocalCloud, requestHandler } from "../../src/local/index.ts";
import { diskFile } from "../../src/local/qemu/disk-files.ts";
import { Store } from "../../src/local/state/store.ts";
import { bakeAmi } from "./cli.ts";
import { leftIn } from "./left.ts";

/** Why this computer cannot run virtual machines, or undefined when it can. */
export const noLocalMachines: string | undefined = whyNot();

function whyNot(): string | undefined {
  const qemu = process.arch === "arm64" ? "qemu-system-aarch64" : "qemu-system-x86_64";
  const missing = [qemu, "qemu-img", "mmdebstrap", "mke2fs", "debugfs", "ssh"].filter(
    (program) => spawnSync("sh", ["-c", `command -v ${program}`]).status !== 0,
  );
  return missing.length === 0 ? undefined : `(skipped: needs ${missing.join(", ")})`;
}

/** A local cloud with virtual machines in a directory of its own. */
export interface TestCloud extends AsyncDisposable {
  readonly directory: string;
  /** For the command line. */
  readonly env: Readonly<Record<string, string>>;
  /** Ids of everything in it that did not come with it. */
  leftovers(): Promise<string[]>;
  /** The file of an image's disk. */
  diskOf(imageId: string): Promise<string>;
}

/** Opens a cloud with the base image in it. The first call on a computer makes that image; it is kept for later ones. */
export async function openTestCloud(): Promise<TestCloud> {
  const base = await preparedCloud();
  const home = mkdtempSync(join(tmpdir(), "bake-ami-cloud-"));
  const directory = join(home, "local");
  const copied = spawnSync("cp", ["-a", "--reflink=auto", base, directory]);
  if (copied.status !== 0) throw new Error(copied.stderr.toString());
  const env = { BAKE_AMI_DATA_DIR: home, BAKE_AMI_LOCAL_DIR: directory };
  const cloud = openLocalCloud({ directory });
  const ec2 = new EC2Client({
    region: "local",
    credentials: { accessKeyId: "local", secretAccessKey: "local" },
    requestHandler: requestHandler(cloud),
  });
  return {
    directory,
    env,
    leftovers: () => leftIn({ ec2 }),
    diskOf: (imageId) => diskOf(directory, imageId),
    [Symbol.asyncDispose]: async () => {
      await bakeAmi(["local", "reset", "--base-images", "--quiet"], { env });
      rmSync(home, { recursive: true, force: true });
    },
  };
}

/** Changes with what the base image is made of. */
function recipeDigest(): string {
  const local = resolve(import.meta.dirname, "../../src/local");
  const files = ["guest", "setup"].flatMap((room) =>
    readdirSync(join(local, room), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name)),
  );
  const hash = createHash("sha256");
  for (const file of files.sort()) hash.update(`${file.slice(local.length)}\0`).update(readFileSync(file));
  return hash.digest("hex").slice(0, 12);
}

/** A cloud directory with nothing but the base image, made once. */
async function preparedCloud(): Promise<string> {
  const cache = join(process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "bake-ami");
  const prepared = join(cache, `test-cloud-${recipeDigest()}`);
  if (existsSync(prepared)) return prepared;
  mkdirSync(cache, { recursive: true });
  const fresh = mkdtempSync(join(cache, "new-cloud-"));
  const made = await bakeAmi(["local", "setup"], { env: { BAKE_AMI_LOCAL_DIR: fresh } });
  if (made.status !== 0) throw new Error(made.stderr);
  try {
    renameSync(fresh, prepared);
  } catch {
    // Another run of the tests was quicker.
    rmSync(fresh, { recursive: true, force: true });
  }
  return prepared;
}

async function diskOf(directory: string, imageId: string): Promise<string> {
  const state = await new Store(directory).read();
  const image = state.images.find(({ id }) => id === imageId);
  const snapshot = state.snapshots.find(({ id }) => id === image?.snapshotId);
  if (snapshot === undefined) throw new Error(`no image ${imageId}`);
  return diskFile(directory, snapshot.disk);
}

import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rename, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { BakeError } from "../../base/errors.ts";
import { packageRoot } from "../../base/package-root.ts";
import { shellCommand } from "../../base/quote.ts";
import { runProgram } from "../../base/process.ts";
import { findProgram } from "../qemu/tools.ts";
import { newId } from "../state/ids.ts";
import type { Architecture } from "../state/schema.ts";
import type { MadeImage } from "./install.ts";

export interface MakeOptions {
  /** An empty directory to work in, on the file system where the image will be. */
  readonly workDirectory: string;
  readonly architecture: Architecture;
  readonly onProgress: (message: string) => void;
  readonly signal: AbortSignal;
}

const sizeGiB = 8;

const packages = [
  ...["systemd", "systemd-sysv", "dbus", "udev", "kmod", "busybox-static"],
  ...["openssh-server", "sudo", "curl", "ca-certificates"],
  ...["iproute2", "netbase", "e2fsprogs", "procps", "less"],
] as const;

/** Neither manuals nor translations: half of the files, and none that a machine reads. */
const leftOut = ["/usr/share/man/*", "/usr/share/doc/*", "/usr/share/locale/*", "/usr/share/info/*"];

const hint =
  "install what it takes: `sudo apt-get install mmdebstrap debian-archive-keyring e2fsprogs qemu-utils`, or " +
  "`sudo dnf install mmdebstrap debian-keyring e2fsprogs qemu-img`; elsewhere use `bake-ami local setup al2023`";

/** The guest directory: what goes onto the disks of the Debian base image. */
export function guestDirectory(): string {
  return join(packageRoot(), "src", "local", "guest");
}

/** A digest of everything of ours that the Debian base image is made of. */
export async function debianRecipe(): Promise<string> {
  const guest = guestDirectory();
  const entries = await readdir(guest, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const hash = createHash("sha256");
  hash.update(
    JSON.stringify([packages, leftOut, sizeGiB, kernelArguments("x86_64"), kernelArguments("arm64")]),
  );
  for (const file of files.sort()) {
    hash.update(`\0${relative(guest, file)}\0`).update(await readFile(file));
  }
  return hash.digest("hex").slice(0, 16);
}

/**
 * Makes a Debian 12 base image with mmdebstrap, from the mirror that mmdebstrap takes by itself.
 * @throws BakeError `missing-tool`, `failed` with the last lines of mmdebstrap, `interrupted`
 */
export async function makeDebian(options: MakeOptions): Promise<MadeImage> {
  await checkTools();
  const { workDirectory, architecture, onProgress, signal } = options;
  const debianName = architecture === "arm64" ? "arm64" : "amd64";
  const isRoot = process.getuid?.() === 0;
  const results = join(workDirectory, "results");
  await mkdir(results);
  await using work = await openPlainPath(workDirectory);
  const build = shellCommand(["sh", join(guestDirectory(), "build-root.sh")]);
  const argv: [string, ...string[]] = [
    "mmdebstrap",
    `--mode=${isRoot ? "root" : "unshare"}`,
    "--variant=minbase",
    `--architectures=${debianName}`,
    `--include=${packages.join(",")}`,
    '--aptopt=Acquire::Languages "none"',
    ...leftOut.map((path) => `--dpkgopt=path-exclude=${path}`),
    `--customize-hook=${build} "$1" ${debianName} ${sizeGiB * 2 ** 30}`,
    `--customize-hook=copy-out /out ${join(work.path, "results")}`,
    "--format=null",
    "bookworm",
    "/dev/null",
  ];
  const result = await runProgram(argv, {
    signal,
    // As root everything happens on one file system; else mmdebstrap's own user must be able to get there.
    env: { ...process.env, TMPDIR: isRoot ? work.path : plainTemporary() },
    onOutput: (text) => {
      for (const [, message] of text.matchAll(/^I: (.+)$/gm)) if (message !== undefined) onProgress(message);
    },
    hint,
  });
  if (result.status !== 0) {
    throw new BakeError("failed", "mmdebstrap could not make the Debian base image", {
      details: result.stderr.trimEnd().split("\n").slice(-15),
      ...(isRoot
        ? {}
        : { hint: "without root it takes `uidmap` and an entry in /etc/subuid; or run it with sudo" }),
    });
  }
  const now = Date.now();
  const boot = join(workDirectory, "boot");
  await mkdir(boot);
  for (const name of ["vmlinuz", "initrd"]) await rename(join(results, "out", name), join(boot, name));
  return {
    base: "debian-12",
    name: `debian-12-${debianName}-${new Date(now).toISOString().slice(0, 10).replaceAll("-", "")}`,
    description: "Debian 12 (bookworm), minimal, made by bake-ami local setup",
    architecture,
    sizeGiB,
    disk: newId("disk"),
    boot: { kind: "kernel", id: newId("boot"), commandLine: kernelArguments(architecture) },
    recipe: await debianRecipe(),
    files: { disk: join(results, "out", "disk.qcow2"), boot },
    createdAt: now,
  };
}

/** A way to a directory that has no sign in it which means something to the programs that it is given to. */
interface PlainPath extends AsyncDisposable {
  readonly path: string;
}

/** mmdebstrap takes the arguments of its hooks apart at spaces, and knows no way to quote one. */
const plainPath = /^[A-Za-z0-9/._+-]+$/;

/**
 * The directory itself, or a link to it where its path is not plain.
 */
export async function openPlainPath(directory: string): Promise<PlainPath> {
  if (plainPath.test(directory)) return { path: directory, [Symbol.asyncDispose]: () => Promise.resolve() };
  const aside = await mkdtemp(join(plainTemporary(), "bake-ami-setup-"));
  const path = join(aside, "work");
  await symlink(directory, path);
  return {
    path,
    [Symbol.asyncDispose]: async () => {
      await rm(aside, { recursive: true, force: true });
    },
  };
}

/** The directory for temporary files; the system's own when the one that was set is no plain path. */
function plainTemporary(): string {
  return plainPath.test(tmpdir()) ? tmpdir() : "/tmp";
}

/** Kernel messages below warnings stay off the console: each character there costs an exit from the machine. */
function kernelArguments(architecture: Architecture): string {
  const console = architecture === "arm64" ? "ttyAMA0" : "ttyS0";
  return `root=/dev/vda rw console=${console} quiet net.ifnames=0 random.trust_cpu=on mitigations=off`;
}

/** @throws BakeError `missing-tool` naming everything that is missing */
async function checkTools(): Promise<void> {
  const missing: string[] = [];
  for (const name of ["mmdebstrap", "mke2fs", "qemu-img"]) {
    // Some systems keep mke2fs where only root looks.
    if ((await findProgram(name)) === undefined && (await findProgram(`../sbin/${name}`)) === undefined)
      missing.push(name);
  }
  if (missing.length > 0) {
    throw new BakeError(
      "missing-tool",
      `the Debian base image cannot be made without ${missing.join(", ")}`,
      { hint },
    );
  }
}

import { spawn } from "node:child_process";
import { constants } from "node:fs";
import { access, readFile, rename, stat, writeFile, mkdir } from "node:fs/promises";
import { platform, release } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import type { Architecture } from "../state/schema.ts";
import { platformArguments, qemuProgram, type Accelerator } from "./command-line.ts";
import { findProgram } from "./tools.ts";

/** What to boot in the probe: the kernel of an image, or the disk of one that has its own boot loader. */
export type ProbeBoot =
  { readonly kind: "kernel"; readonly kernel: string } | { readonly kind: "disk"; readonly file: string };

/** A kernel shows itself within a second where the hardware runs it; a boot loader may count down first. */
const deadlinesMs = { kernel: 4_000, disk: 20_000 } as const;

const cacheSchema = z.object({ key: z.string(), accelerator: z.enum(["kvm", "hvf", "tcg"]) });

/**
 * What runs this computer's machines best. That /dev/kvm can be opened says little: nested in some other virtual machine
 * it may be there and yet hang or abort a Linux kernel. So one is booted, with a deadline; the result is kept until this
 * computer or its QEMU changes.
 */
export async function bestAccelerator(
  directory: string,
  architecture: Architecture,
  boot: ProbeBoot,
): Promise<Accelerator> {
  const candidate = await candidateFor(architecture);
  if (candidate === undefined) return "tcg";
  const file = join(directory, `acceleration-${architecture}.json`);
  const key = await cacheKey(architecture);
  const cached = await readCache(file);
  if (cached?.key === key) return cached.accelerator;
  const accelerator = (await runsLinux(architecture, candidate, boot)) ? candidate : "tcg";
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await writeFile(`${file}.${process.pid}`, JSON.stringify({ key, accelerator }));
  await rename(`${file}.${process.pid}`, file);
  return accelerator;
}

async function candidateFor(architecture: Architecture): Promise<Accelerator | undefined> {
  const isNative = (process.arch === "arm64" ? "arm64" : "x86_64") === architecture;
  if (!isNative) return undefined;
  if (platform() === "darwin") return "hvf";
  try {
    await access("/dev/kvm", constants.R_OK | constants.W_OK);
    return "kvm";
  } catch {
    return undefined;
  }
}

/** Changes with this computer's kernel, its boot and its QEMU. */
async function cacheKey(architecture: Architecture): Promise<string> {
  const program = await findProgram(qemuProgram(architecture));
  const file = program === undefined ? undefined : await stat(program);
  const boot = await readFile("/proc/sys/kernel/random/boot_id", "utf8").catch(() => "");
  return [release(), boot.trim(), program ?? "", file?.size ?? 0, file?.mtimeMs ?? 0].join(" ");
}

async function readCache(file: string): Promise<z.output<typeof cacheSchema> | undefined> {
  try {
    return cacheSchema.parse(JSON.parse(await readFile(file, "utf8")));
  } catch {
    // Missing or damaged: the probe will tell.
    return undefined;
  }
}

/** The arguments of the probe. A kernel gets no root on purpose: that it misses it shows that it came that far. */
function probeArguments(architecture: Architecture, accelerator: Accelerator, boot: ProbeBoot): string[] {
  const media =
    boot.kind === "kernel"
      ? ["-kernel", boot.kernel, "-append", "console=ttyS0 console=ttyAMA0 panic=-1"]
      : ["-snapshot", "-drive", `file=${boot.file.replaceAll(",", ",,")},format=qcow2,if=virtio`];
  return [
    ...["-no-user-config", "-nodefaults", "-display", "none", "-no-reboot", "-serial", "stdio", "-m", "512"],
    ...platformArguments(architecture, accelerator),
    ...media,
  ];
}

async function runsLinux(
  architecture: Architecture,
  accelerator: Accelerator,
  boot: ProbeBoot,
): Promise<boolean> {
  return await new Promise((resolve) => {
    const child = spawn(qemuProgram(architecture), probeArguments(architecture, accelerator, boot), {
      stdio: ["ignore", "pipe", "ignore"],
    });
    let text = "";
    const finish = (runs: boolean): void => {
      clearTimeout(clock);
      child.kill("SIGKILL");
      resolve(runs);
    };
    const clock = setTimeout(() => {
      finish(false);
    }, deadlinesMs[boot.kind]);
    child.stdout.setEncoding("latin1").on("data", (piece: string) => {
      text += piece;
      const proof =
        boot.kind === "kernel" ? /Unable to mount root|Kernel panic/ : /Linux version|systemd\[1\]/;
      if (proof.test(text)) finish(true);
    });
    child.on("error", () => {
      finish(false);
    });
    child.on("close", () => {
      finish(false);
    });
  });
}

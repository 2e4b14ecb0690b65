import { open, stat, statfs } from "node:fs/promises";
import { cpus, totalmem } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { systemCodeOf } from "../../base/errors.ts";
import type { Engine, Observation } from "../engine/engine.ts";
import { instanceTypeNamed } from "../instance-types.ts";
import type { Instance } from "../state/schema.ts";
import { bestAccelerator } from "./acceleration.ts";
import { bootOf, commandLine, forwardRule, machineFiles, network, qemuProgram } from "./command-line.ts";
import { createOverlay, diskFile, sweepFiles } from "./disk-files.ts";
import { killMachine, pidOf, startMachine, unexpectedEnd } from "./machine-process.ts";
import { guestProgram } from "./guest-program.ts";
import { loopbackAddress, placePorts } from "./ports.ts";
import { qmp, type QmpCommand } from "./qmp.ts";
import { mustFindProgram, qemuHint } from "./tools.ts";

const consoleShown = 64 * 1024;

/** Virtual machines: one QEMU per instance, each in a directory `instances/<id>` of the cloud's. */
export function qemuEngine(cloudDirectory: string): Engine {
  const directoryOf = (instance: Pick<Instance, "id">): string =>
    join(cloudDirectory, "instances", instance.id);
  const ask = async (instance: Instance, ...commands: QmpCommand[]): Promise<unknown[]> =>
    await qmp(join(directoryOf(instance), machineFiles.qmp), commands);

  return {
    name: "qemu",
    check: async () => {
      await mustFindProgram(qemuProgram(process.arch === "arm64" ? "arm64" : "x86_64"), qemuHint);
      await mustFindProgram("qemu-img", qemuHint);
    },
    publicAddress: loopbackAddress,
    place: placePorts,
    createDisk: async (disk, sizeGiB) => {
      await createOverlay(cloudDirectory, disk, sizeGiB);
    },
    start: async (instance) => {
      await start(cloudDirectory, directoryOf(instance), instance);
    },
    observe: async (instance) => await observe(cloudDirectory, directoryOf(instance), instance),
    pressPowerButton: async (instance) => {
      // A machine that is gone already, or too busy to hear it, is seen at the next look.
      await ask(instance, { execute: "system_powerdown" }).catch(() => undefined);
    },
    reset: async (instance) => {
      await ask(instance, { execute: "system_reset" });
    },
    kill: async (instance) => {
      await killMachine(directoryOf(instance));
    },
    setForwards: async (before, after) => {
      await ask(after, ...forwardChanges(before, after));
    },
    switchDisk: async (instance, disk) => {
      await ask(instance, {
        execute: "blockdev-snapshot-sync",
        arguments: {
          device: "root",
          "snapshot-file": diskFile(cloudDirectory, disk.id),
          format: "qcow2",
          mode: "existing",
        },
      });
    },
    activeDisk: async (instance) => await activeDisk(cloudDirectory, directoryOf(instance), instance),
    console: async (instance) => await readConsole(join(directoryOf(instance), machineFiles.console)),
    sweep: async (state) => {
      await sweepFiles(cloudDirectory, state);
    },
  };
}

async function start(cloudDirectory: string, directory: string, instance: Instance): Promise<void> {
  // Someone who was killed may have started it just before.
  if ((await pidOf(directory)) !== undefined) return;
  const boot = bootOf(instance.boot, cloudDirectory);
  const disk = diskFile(cloudDirectory, instance.volume.disk);
  const probe = boot.kind === "kernel" ? boot : ({ kind: "disk", file: disk } as const);
  const type = instanceTypeNamed(instance.type);
  await startMachine(
    directory,
    commandLine({
      instance,
      accelerator: await bestAccelerator(cloudDirectory, instance.architecture, probe),
      cpus: Math.min(type?.cpus ?? 1, Math.max(2, cpus().length)),
      memoryMiB: Math.min(type?.memoryMiB ?? 1024, Math.max(512, Math.floor(totalmem() / 2 ** 21))),
      directory,
      diskFile: disk,
      boot,
      metadataCommand: [
        process.execPath,
        await guestProgram("imds-main"),
        join(cloudDirectory, "state.json"),
        instance.id,
      ],
      servicesCommand: [process.execPath, await guestProgram("services-main"), cloudDirectory],
    }),
  );
}

const statusSchema = z.object({ status: z.string() });

async function observe(cloudDirectory: string, directory: string, instance: Instance): Promise<Observation> {
  if ((await pidOf(directory)) === undefined) {
    const message = await unexpectedEnd(directory);
    return message === undefined ? { kind: "absent" } : { kind: "died", message };
  }
  if (instance.state !== "running") return { kind: "present" };
  let status: string;
  try {
    const [answer] = await qmp(join(directory, machineFiles.qmp), [{ execute: "query-status" }]);
    status = statusSchema.parse(answer).status;
  } catch {
    // Ending just now, or busy: the next look will tell.
    return { kind: "present" };
  }
  if (status !== "io-error" && status !== "internal-error") return { kind: "present" };
  const message = status === "io-error" ? await diskTrouble(cloudDirectory) : "the virtual processor failed";
  return {
    kind: "stuck",
    reason: { code: "Server.InternalError", message: `Server.InternalError: ${message}` },
  };
}

/** What is wrong when a machine's disk cannot be written to: nearly always that this computer's is full. */
async function diskTrouble(cloudDirectory: string): Promise<string> {
  const { bavail, bsize } = await statfs(cloudDirectory);
  const free = Math.floor((bavail * bsize) / 2 ** 20);
  return free < 64
    ? `the disk of this computer is full (${free} MiB free at ${cloudDirectory})`
    : `the machine's disk cannot be read or written at ${cloudDirectory}`;
}

function forwardChanges(from: Instance, to: Instance): QmpCommand[] {
  const rulesOf = (it: Instance): string[] => it.forwards.map((forward) => forwardRule(it, forward));
  const [before, after] = [rulesOf(from), rulesOf(to)];
  const monitor = (line: string): QmpCommand => ({
    execute: "human-monitor-command",
    arguments: { "command-line": line },
  });
  return [
    ...before
      .filter((each) => !after.includes(each))
      .map((each) => monitor(`hostfwd_remove ${network.id} ${each.slice(0, each.indexOf("-"))}`)),
    ...after
      .filter((each) => !before.includes(each))
      .map((each) => monitor(`hostfwd_add ${network.id} ${each}`)),
  ];
}

const blocksSchema = z.array(
  z.object({ device: z.string(), inserted: z.object({ file: z.string() }).optional() }),
);

async function activeDisk(
  cloudDirectory: string,
  directory: string,
  instance: Instance,
): Promise<string | undefined> {
  const { disk, nextDisk } = instance.volume;
  if ((await pidOf(directory)) === undefined) {
    // Whether the machine had come to use the next one or not: that backs on the other, so nothing is lost with it.
    const exists = nextDisk !== undefined && (await fileExists(diskFile(cloudDirectory, nextDisk)));
    return exists ? nextDisk : disk;
  }
  const [answer] = await qmp(join(directory, machineFiles.qmp), [{ execute: "query-block" }]);
  const root = blocksSchema.parse(answer).find(({ device }) => device === "root");
  return [disk, nextDisk].find(
    (id) => id !== undefined && root?.inserted?.file === diskFile(cloudDirectory, id),
  );
}

async function fileExists(path: string): Promise<boolean> {
  return await stat(path).then(
    () => true,
    () => false,
  );
}

async function readConsole(path: string): ReturnType<Engine["console"]> {
  try {
    await using file = await open(path, "r");
    const { size, mtimeMs } = await file.stat();
    const length = Math.min(size, consoleShown);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, size - length);
    return { content: buffer.subarray(0, bytesRead), at: mtimeMs };
  } catch (error) {
    if (systemCodeOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

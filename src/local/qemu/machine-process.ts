import { spawn } from "node:child_process";
import { mkdir, open, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { BakeError, systemCodeOf } from "../../base/errors.ts";
import { commandLineOf } from "../../base/process-identity.ts";
import { machineFiles } from "./command-line.ts";
import { qmp } from "./qmp.ts";

const startDeadlineMs = 30_000;
const pause = async (milliseconds: number): Promise<void> => {
  await new Promise((resolve) => setTimeout(resolve, milliseconds));
};

/**
 * Starts QEMU in a session of its own, so that it outlives this program and its terminal, and returns when it runs.
 * @throws BakeError `failed` with what QEMU said
 */
export async function startMachine(directory: string, argv: readonly [string, ...string[]]): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await rm(join(directory, machineFiles.pid), { force: true });
  await rm(join(directory, machineFiles.qmp), { force: true });
  const log = await open(join(directory, machineFiles.log), "w", 0o600);
  const [program, ...args] = argv;
  let ended: string | undefined;
  try {
    const child = spawn(program, args, { cwd: directory, detached: true, stdio: ["ignore", log.fd, log.fd] });
    child.on("error", (error) => {
      ended = error.message;
    });
    child.on("exit", (status, signal) => {
      ended = signal ?? `status ${status ?? ""}`;
    });
    child.unref();
  } finally {
    await log.close();
  }
  for (const giveUpAt = Date.now() + startDeadlineMs; ;) {
    if (ended !== undefined) {
      throw new BakeError("failed", `${program} ended at once (${ended})`, {
        details: await lastLines(directory),
      });
    }
    if (await answers(directory)) return;
    if (Date.now() > giveUpAt) break;
    await pause(20);
  }
  await killMachine(directory);
  throw new BakeError("failed", `${program} did not start within ${startDeadlineMs / 1000} s`, {
    details: await lastLines(directory),
  });
}

async function answers(directory: string): Promise<boolean> {
  if ((await pidOf(directory)) === undefined) return false;
  try {
    await qmp(join(directory, machineFiles.qmp), []);
    return true;
  } catch {
    return false;
  }
}

/** The pid of the QEMU that runs in this directory, or undefined when none does. */
export async function pidOf(directory: string): Promise<number | undefined> {
  const pidFile = join(directory, machineFiles.pid);
  const pid = Number(await readIfThere(pidFile));
  if (!Number.isInteger(pid) || pid <= 1) return undefined;
  // The pid may be another process's by now; its command line tells.
  return (await commandLineOf(pid))?.includes(pidFile) === true ? pid : undefined;
}

/** How a machine that runs no more has ended: undefined when it was powered off from inside, else what happened. */
export async function unexpectedEnd(directory: string): Promise<string | undefined> {
  const log = await readIfThere(join(directory, machineFiles.log));
  const signalled = /terminating on (signal \d+)/.exec(log ?? "")?.[1];
  if (signalled !== undefined) return `QEMU was ended by ${signalled}`;
  // QEMU removes the file on every ordered end.
  if ((await readIfThere(join(directory, machineFiles.pid))) === undefined) return undefined;
  return ["QEMU was killed or crashed", ...(await lastLines(directory))].join(": ");
}

/** Kills the QEMU that runs in this directory and returns when it is gone. */
export async function killMachine(directory: string): Promise<void> {
  const giveUpAt = Date.now() + 10_000;
  for (let pid = await pidOf(directory); pid !== undefined; pid = await pidOf(directory)) {
    try {
      process.kill(pid, "SIGKILL");
    } catch (error) {
      if (systemCodeOf(error) !== "ESRCH") throw error;
    }
    if (Date.now() > giveUpAt) throw new BakeError("failed", `process ${pid} does not end when it is killed`);
    await pause(10);
  }
}

async function lastLines(directory: string): Promise<string[]> {
  const log = await readIfThere(join(directory, machineFiles.log));
  return (log ?? "").trim().split("\n").filter(Boolean).slice(-5);
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (systemCodeOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

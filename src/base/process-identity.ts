import { readFile } from "node:fs/promises";
import { platform } from "node:os";
import { systemCodeOf } from "./errors.ts";
import { runProgram } from "./process.ts";

/** A process that cannot be mistaken for a later one with the same pid. */
export interface ProcessIdentity {
  readonly pid: number;
  /** When it started, in the system's own terms: only good for comparing. */
  readonly startedAt: string;
}

/** When the process with this pid started, or undefined when there is none (a zombie counts as none). */
export async function startOf(pid: number): Promise<string | undefined> {
  return platform() === "linux" ? await startOnLinux(pid) : await startElsewhere(pid);
}

/** Whether exactly this process still runs. */
export async function isAlive(identity: ProcessIdentity): Promise<boolean> {
  return (await startOf(identity.pid)) === identity.startedAt;
}

let own: Promise<ProcessIdentity> | undefined;

/** The identity of the calling process. */
export async function ownIdentity(): Promise<ProcessIdentity> {
  own ??= startOf(process.pid).then((startedAt) => ({ pid: process.pid, startedAt: startedAt ?? "unknown" }));
  return await own;
}

/** The arguments of a running process, or undefined when there is none. */
export async function commandLineOf(pid: number): Promise<string | undefined> {
  if ((await startOf(pid)) === undefined) return undefined;
  if (platform() === "linux") return await readIfThere(`/proc/${pid}/cmdline`);
  return await ps(pid, "command=");
}

async function startOnLinux(pid: number): Promise<string | undefined> {
  const stat = await readIfThere(`/proc/${pid}/stat`);
  if (stat === undefined) return undefined;
  // The program's name is in parentheses and may itself hold spaces and parentheses.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [state] = fields;
  const ticksSinceBoot = fields[19];
  if (state === "Z" || state === "X" || ticksSinceBoot === undefined) return undefined;
  return `${ticksSinceBoot}.${await bootId()}`;
}

let boot: Promise<string> | undefined;

async function bootId(): Promise<string> {
  boot ??= readIfThere("/proc/sys/kernel/random/boot_id").then((text) => (text ?? "0").slice(0, 8));
  return await boot;
}

async function startElsewhere(pid: number): Promise<string | undefined> {
  const text = await ps(pid, "lstart=");
  return text === undefined ? undefined : text.replaceAll(/[^A-Za-z0-9]+/g, ".");
}

async function ps(pid: number, column: string): Promise<string | undefined> {
  const { stdout } = await runProgram(["ps", "-ww", "-o", column, "-p", String(pid)], {
    signal: AbortSignal.timeout(10_000),
    env: { ...process.env, LC_ALL: "C" },
  });
  return stdout.trim() === "" ? undefined : stdout.trim();
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    // ESRCH: the process ended between open and read.
    if (["ENOENT", "ESRCH", "EACCES"].includes(systemCodeOf(error) ?? "")) return undefined;
    throw error;
  }
}

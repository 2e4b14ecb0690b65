import { BakeError } from "../base/errors.ts";
import { shellCommand } from "../base/quote.ts";
import type { Machine } from "../machine/machine.ts";
import { readPairs } from "../machine/journal-events.ts";
import { receiveProgram } from "./delivery.ts";
import { jobPrograms } from "./order.ts";

const asRoot = (user: string, words: readonly string[]): string =>
  shellCommand(user === "root" ? words : ["sudo", "-n", ...words]);

const job = (user: string, ...words: readonly string[]): string =>
  asRoot(user, ["sh", `${jobPrograms}/bin/job`, ...words]);

/** Takes a job's archive from its standard input. */
export const receiveCommand = (user: string): string => asRoot(user, ["sh", "-c", receiveProgram()]);

/** Starts the job that the machine has, once; at the end the machine then waits for this caller. */
export const startCommand = (user: string, caller: string | undefined): string =>
  job(user, "start", ...(caller === undefined ? [] : [caller]));

/** Prints the job's output from this byte on until its end. */
export const followCommand = (user: string, caller: string, offset: number): string =>
  job(user, "follow", caller, String(offset));

/** Says that this caller has all of it, and prints how many others follow still. */
export const seenCommand = (user: string, caller: string): string => job(user, "seen", caller);

/** Ends the job. */
export const stopCommand = (user: string, why: string): string => job(user, "stop", why);

/** How a job ended, as its machine tells. */
export interface JobEnd {
  /** 0 to 255; 128 + n when signal n ended it, 124 when it took too long, 255 when it was lost with its machine. */
  readonly status: number;
  /** Why it did not end by itself. */
  readonly reason: string | undefined;
  /** Of the output, in bytes. */
  readonly size: number;
  /** What became of the upload of its log, where one was asked for. */
  readonly log: "ok" | "failed" | "none";
  /** Why that failed. */
  readonly why: string | undefined;
}

/** The end in what `follow` wrote to standard error, or undefined when it did not come so far. */
export function readEnd(stderr: string): JobEnd | undefined {
  const [, line, reason, why] = /\nend (.*)\nreason (.*)\nwhy (.*)\n$/.exec(stderr) ?? [];
  if (line === undefined) return undefined;
  const pairs = readPairs(line);
  const text = (word: string | undefined): string | undefined =>
    word === "-" || word === "" ? undefined : word;
  const log = pairs.get("log");
  return {
    status: Number(pairs.get("status")),
    reason: text(reason),
    size: Number(pairs.get("size")),
    log: log === "ok" || log === "failed" ? log : "none",
    why: text(why),
  };
}

/** The job of a machine. */
export interface JobState {
  readonly state: "waiting" | "running" | "ended";
  readonly run: string;
  readonly keep: boolean;
  /** Where its log goes; see `LogPlace`. */
  readonly log: string | undefined;
}

/**
 * Asks a machine for its job.
 * @throws BakeError `usage` when it has none
 */
export async function jobState(machine: Machine, signal: AbortSignal): Promise<JobState> {
  const { user } = machine.target;
  const { status, stdout, stderr } = await machine.exec(job(user, "status"), { signal });
  const pairs = readPairs(stdout);
  const state = (["waiting", "running", "ended"] as const).find((known) => known === pairs.get("state"));
  if (status === 0 && state !== undefined) {
    const log = pairs.get("log") ?? "";
    return {
      state,
      run: pairs.get("run") ?? "-",
      keep: pairs.get("keep") === "1",
      log: log === "" ? undefined : log,
    };
  }
  throw new BakeError("usage", "this machine has no job", {
    details: stderr.trim() === "" ? [] : [stderr.trim()],
    hint: "`bake-ami run` starts one on a machine of its own",
  });
}

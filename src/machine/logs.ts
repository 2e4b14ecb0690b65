import { BakeError } from "../base/errors.ts";
import { sleep } from "../base/wait.ts";
import type { Phase } from "../catalog/service.ts";
import type { Machine } from "./machine.ts";
import { logsCommand, runsCommand, type LogsRequest } from "./remote.ts";

/** One run of a phase, as the machine has it on record. */
export interface PhaseRun {
  readonly phase: string;
  readonly run: string;
  /** UTC, by the machine's clock. */
  readonly startedAt: Date | undefined;
  readonly endedAt: Date | undefined;
  /** `interrupted`: its driver is gone and left no result. */
  readonly result: string;
}

/**
 * The phase runs that a machine has on record, oldest first.
 * @throws BakeError `failed` when it has no bake-ami; others as {@link Machine.connect} does
 */
export async function listRuns(
  machine: Machine,
  phase: Phase | undefined,
  signal: AbortSignal,
): Promise<PhaseRun[]> {
  const { status, stdout, stderr } = await machine.exec(runsCommand(machine.target.user, phase), { signal });
  if (status !== 0) throw refused(machine, status, stderr);
  return readRuns(stdout);
}

/** Reads the machine's list. */
export function readRuns(text: string): PhaseRun[] {
  return text.split("\n").flatMap((line) => {
    const [phase, run, start, end, result] = line.split("\t");
    if (phase === undefined || run === undefined || result === undefined) return [];
    return [{ phase, run, startedAt: readTime(start), endedAt: readTime(end), result }];
  });
}

/** `20261121T081500Z`, or `-` for none. */
function readTime(text: string | undefined): Date | undefined {
  const [, date, time] = /^(\d{8})T(\d{6})Z$/.exec(text ?? "") ?? [];
  if (date === undefined || time === undefined) return undefined;
  const day = date.replace(/(....)(..)(..)/, "$1-$2-$3");
  return new Date(`${day}T${time.replace(/(..)(..)(..)/, "$1:$2:$3")}Z`);
}

/**
 * Writes what a phase run has printed and, with `follow`, prints. A run that is named is taken up again after a lost
 * connection or a reboot, where it was.
 * @throws BakeError `usage` when there is no such run; others as {@link Machine.connect} does
 */
export async function showLogs(
  machine: Machine,
  request: LogsRequest,
  write: (chunk: Buffer) => void,
  signal: AbortSignal,
): Promise<void> {
  let shown = 0;
  for (;;) {
    let skip = shown;
    try {
      const { status, stderr } = await machine.exec(logsCommand(machine.target.user, request), {
        signal,
        onStdout: (chunk) => {
          const fresh = chunk.subarray(Math.min(skip, chunk.length));
          skip -= chunk.length - fresh.length;
          shown += fresh.length;
          if (fresh.length > 0) write(fresh);
        },
      });
      if (status !== 0) throw refused(machine, status, stderr);
      if (!request.follow || request.run === undefined) return;
      // A reboot ends the follow too; the run goes on after it.
      const runs = await listRuns(machine, request.phase, signal);
      const last = runs.findLast(({ run }) => run === request.run);
      if (last?.result !== "rebooting") return;
    } catch (error) {
      const isLost = error instanceof BakeError && error.kind === "connection";
      if (!isLost || !request.follow || request.run === undefined) throw error;
    }
    await sleep(1000, signal);
  }
}

function refused({ target }: Machine, status: number, stderr: string): BakeError {
  const said = stderr.trim().replace(/^logs: /, "");
  if (status === 1 && /is known here$/.test(said)) {
    const hint = `\`bake-ami logs ${target.instanceId ?? "latest"} --list\` shows which there are`;
    return new BakeError("usage", said, { hint });
  }
  if (/command not found|no such file/i.test(said)) {
    const hint = `\`bake-ami logs ${target.instanceId ?? "latest"} --console\` shows its console`;
    return new BakeError("usage", "this machine has no bake-ami, so it has no phase runs", { hint });
  }
  return new BakeError("failed", `the machine did not show its logs: ${said}`);
}

import type { Cloud } from "../aws/cloud.ts";
import { waitForState, type Instance } from "../aws/instances.ts";
import { BakeError } from "../base/errors.ts";
import { throwIfAborted } from "../base/wait.ts";
import type { Machine } from "../machine/machine.ts";
import type { Listener } from "../report/events.ts";
import type { JobFollower } from "./follow.ts";
import type { JobLogs } from "./log-place.ts";
import { fromBucket, MachineGone } from "./lost.ts";
import type { JobResult, LogResult } from "./options.ts";
import { seenCommand, type JobEnd } from "./remote.ts";
import type { Sink } from "./sink.ts";

/** A machine that still serves other callers ends itself; for so long that is waited for, in seconds. */
const ownEndSeconds = 150;

/** A job whose end somebody waits for. */
export interface Followed {
  readonly cloud: Cloud;
  readonly run: string;
  readonly caller: string;
  readonly keep: boolean;
  readonly sink: Sink;
  readonly listener: Listener;
  readonly instance: Instance;
  readonly machine: Machine;
  readonly logs: JobLogs | undefined;
}

/**
 * Follows a job to its end. When it returns, nobody else waits for the machine's output, so that it may be ended.
 * @throws BakeError `failed` when the machine is gone and nothing tells how the job ended, `timeout` when the machine does not
 *   answer any more, `interrupted`.
 */
export async function followJob(
  job: Followed,
  follower: JobFollower,
  signal: AbortSignal,
): Promise<JobResult> {
  let end: JobEnd;
  try {
    end = await follower.toTheEnd(signal);
  } catch (error) {
    throwIfAborted(signal);
    return resultOf(job, await endOfLost(job, follower, error, signal));
  }
  const result = resultOf(job, end);
  await letOthersFinish(job, signal);
  return result;
}

async function letOthersFinish(
  { machine, caller, keep, instance, cloud, listener }: Followed,
  signal: AbortSignal,
): Promise<void> {
  const seen = machine.exec(seenCommand(machine.target.user, caller), { signal });
  const others = await seen.then(
    ({ stdout }) => Number(stdout),
    () => 0,
  );
  if (keep || !(others > 0)) return;
  const who = others === 1 ? "another caller has" : "other callers have";
  const message = `${instance.id} ends when ${who} the end of the output`;
  listener({ type: "note", at: Date.now(), message });
  await waitForState(cloud, instance.id, "terminated", ownEndSeconds, signal).catch(() => undefined);
}

/**
 * The machine is gone, or does not answer any more.
 * @throws BakeError `failed` when nothing tells how the job ended. A machine that may still run it is left alone.
 */
async function endOfLost(
  job: Followed,
  follower: JobFollower,
  error: unknown,
  signal: AbortSignal,
): Promise<JobEnd> {
  const { cloud, logs, instance, listener } = job;
  if (!(error instanceof BakeError)) throw error;
  if (!(error instanceof MachineGone)) {
    if (error.kind !== "timeout") throw error;
    throw new BakeError("timeout", error.message, {
      details: error.details,
      cause: error,
      hint: `the job may go on there: \`bake-ami attach ${instance.id}\` follows it, \`bake-ami terminate ${instance.id}\` ends it`,
    });
  }
  const end = await fromBucket(cloud, logs, follower.offset, job.sink, signal);
  if (end !== undefined) {
    listener({ type: "warning", at: Date.now(), message: error.message });
    return end;
  }
  const place = logs === undefined ? "--log keeps the log of a job whose machine goes" : `see ${logs.url}`;
  throw new BakeError("failed", error.message, { hint: `how the job ended is not known; ${place}` });
}

/** What became of a job, after it was told as notes and warnings. */
export function resultOf(job: Followed, end: JobEnd): JobResult {
  const { listener, instance, run, keep } = job;
  const log = logResult(end, job.logs);
  if (log.kind === "failed") {
    listener({
      type: "warning",
      at: Date.now(),
      message: `the machine could not put the log below ${log.url}: ${log.why}`,
      hint: "what was shown here is all of it",
    });
  }
  const why = end.reason === undefined ? "" : `: ${end.reason}`;
  listener({ type: "note", at: Date.now(), message: `the job ended with status ${end.status}${why}` });
  if (log.kind === "ok")
    listener({ type: "note", at: Date.now(), message: `its log is in ${log.url}job.log` });
  return {
    run,
    instanceId: instance.id,
    status: end.status,
    reason: end.reason,
    size: end.size,
    log,
    kept: keep,
  };
}

function logResult(end: JobEnd, logs: JobLogs | undefined): LogResult {
  if (logs === undefined || end.log === "none") return { kind: "none" };
  return end.log === "ok"
    ? { kind: "ok", url: logs.url }
    : { kind: "failed", url: logs.url, why: end.why ?? "unknown" };
}

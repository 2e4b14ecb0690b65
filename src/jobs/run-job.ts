import { warnOfLeftover } from "../aws/temporary.ts";
import { BakeError, messageOf } from "../base/errors.ts";
import { randomId } from "../base/ids.ts";
import { Scope } from "../base/scope.ts";
import { JobFollower } from "./follow.ts";
import { followJob, resultOf, type Followed } from "./followed.ts";
import type { FollowedJobOptions, JobOptions, JobResult, StartedJob } from "./options.ts";
import { stopCommand } from "./remote.ts";
import { startOn } from "./start-job.ts";

const undoDeadlineSeconds = 600;

/** A job that is ended by its caller has so long to end and to send its log, in seconds. */
const stopDeadlineSeconds = 90;

/**
 * Runs one command on a machine of its own, and hands on its output until it is over. The machine is gone when this returns
 * or throws, unless it is to be kept; when this process dies, it ends itself. An interruption ends the job.
 * @throws BakeError `phase-failed` when the machine's update failed, `failed` when the machine went and nothing tells how the
 *   job ended; others as the rooms below throw them. A job that fails is no error: its status is in the result.
 */
export async function runJob(options: FollowedJobOptions): Promise<JobResult> {
  const { listener, signal, cloud, run } = options.launch;
  await using scope = new Scope(undoDeadlineSeconds, warnOfLeftover(listener));
  const caller = randomId(12);
  const opened = await startOn(options, scope, caller);
  const job = { ...opened, cloud, run, caller, keep: options.keep, sink: options.sink, listener };
  const follower = new JobFollower(job);
  try {
    return await followJob(job, follower, signal);
  } catch (error) {
    if (signal.aborted) await endByCaller(job, follower);
    // It may still run the job.
    else if (error instanceof BakeError && error.kind === "timeout") scope.keepAll();
    throw error;
  }
}

/**
 * The same without following: the job goes on by itself, and its machine ends when it is over, unless it is to be kept.
 * @throws BakeError as {@link runJob} does, for what goes wrong until the job is started
 */
export async function startJob(options: JobOptions): Promise<StartedJob> {
  const { listener, run } = options.launch;
  await using scope = new Scope(undoDeadlineSeconds, warnOfLeftover(listener));
  const { instance, machine } = await startOn(options, scope, undefined);
  scope.keepAll();
  await machine[Symbol.asyncDispose]();
  return { run, instance };
}

/** The caller's interruption: the job is told to end, and its log is sent, before the machine goes. */
async function endByCaller(job: Followed, follower: JobFollower): Promise<void> {
  const { machine, listener } = job;
  const deadline = AbortSignal.timeout(stopDeadlineSeconds * 1000);
  try {
    await machine.exec(stopCommand(machine.target.user, "its caller interrupted it"), { signal: deadline });
    resultOf(job, await follower.toTheEnd(deadline));
  } catch (error) {
    const message = `the job was not seen to end: ${messageOf(error)}`;
    listener({ type: "warning", at: Date.now(), message });
  }
}

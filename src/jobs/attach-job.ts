import type { Cloud } from "../aws/cloud.ts";
import type { Instance } from "../aws/instances.ts";
import { BakeError } from "../base/errors.ts";
import { randomId } from "../base/ids.ts";
import { terminateMachines } from "../launch/machines.ts";
import { Machine } from "../machine/machine.ts";
import type { SshTarget } from "../machine/target.ts";
import type { Listener } from "../report/events.ts";
import { inStage } from "../report/stage.ts";
import { JobFollower } from "./follow.ts";
import { followJob } from "./followed.ts";
import { jobLogs } from "./log-place.ts";
import { checkMachine } from "./lost.ts";
import type { JobResult } from "./options.ts";
import { jobState } from "./remote.ts";
import type { Sink } from "./sink.ts";

export interface AttachOptions {
  readonly cloud: Cloud;
  readonly instance: Instance;
  readonly target: SshTarget;
  readonly sink: Sink;
  readonly listener: Listener;
  readonly signal: AbortSignal;
}

/** How long the machine may take to let us in, and later to come back, in seconds. */
const connectDeadlineSeconds = 300;

/**
 * Follows a job that runs already, from its first byte to its end; then its machine is ended, unless it is kept. An
 * interruption ends the following alone.
 * @throws BakeError `usage` when the machine has no job that was started; others as {@link followJob} does
 */
export async function attachJob(options: AttachOptions): Promise<JobResult> {
  const { cloud, instance, target, sink, listener, signal } = options;
  await using machine = new Machine(target, {
    deadlineSeconds: connectDeadlineSeconds,
    checkAlive: (inner) => checkMachine(cloud, instance.id, inner),
  });
  await inStage(listener, "connect", () => machine.connect(signal), target.host);
  const { state, run, keep, log } = await jobState(machine, signal);
  if (state === "waiting") {
    throw new BakeError("usage", `the job of ${instance.id} was not started yet`, {
      hint: "whoever brings it may still be at it; try again in a moment",
    });
  }
  const job = {
    cloud,
    run,
    caller: randomId(12),
    keep,
    sink,
    listener,
    instance,
    machine,
    logs: log === undefined ? undefined : jobLogs(log),
  };
  const result = await followJob(job, new JobFollower(job), signal);
  await machine[Symbol.asyncDispose]();
  if (!keep) {
    await inStage(listener, "terminate", () => terminateMachines(cloud, [instance], listener, signal));
  }
  return result;
}

import type { Instance } from "../aws/instances.ts";
import { BakeError } from "../base/errors.ts";
import type { Scope } from "../base/scope.ts";
import { launch } from "../launch/launch.ts";
import { terminateMachines } from "../launch/machines.ts";
import type { Launched } from "../launch/wait.ts";
import { Machine } from "../machine/machine.ts";
import { beginStage, inStage } from "../report/stage.ts";
import { jobBootCommands, jobTimes } from "./boot.ts";
import { packJob } from "./delivery.ts";
import { jobLogs, splitRequest, type JobLogs } from "./log-place.ts";
import { checkMachine } from "./lost.ts";
import type { JobOptions } from "./options.ts";
import type { JobOrder, LogPlace } from "./order.ts";
import { receiveCommand, startCommand } from "./remote.ts";

/** How long the machine may take to let us in, and later to come back, in seconds. */
const connectDeadlineSeconds = 600;

/** A job that runs, and the way to its machine. */
export interface OpenJob {
  readonly instance: Instance;
  readonly machine: Machine;
  readonly logs: JobLogs | undefined;
}

/**
 * Launches a machine, waits for its update, brings the job there and starts it. The machine ends itself when the job is over,
 * when nobody starts one in time, and at its deadline, unless it is to be kept; until then its end is an undo of the scope.
 * @param caller a name for whoever is going to follow; undefined for nobody
 * @throws BakeError `phase-failed` when the update failed; others as the rooms below throw them
 */
export async function startOn(
  options: JobOptions,
  scope: Scope,
  caller: string | undefined,
): Promise<OpenJob> {
  const { launch: wanted, keep, reach } = options;
  const { cloud, listener, signal } = wanted;
  const { request, logs } = splitRequest(wanted.request ?? []);
  const times = jobTimes(cloud.clock.now(), options.updateSeconds, options.maxSeconds);
  const [launched] = await launch({
    ...wanted,
    role: "job",
    count: 1,
    request,
    waitSeconds: options.updateSeconds,
    ...(keep
      ? {}
      : {
          expires: new Date(times.deadline),
          bootcmd: jobBootCommands(times),
          shutdownBehavior: "terminate" as const,
        }),
  });
  if (launched === undefined) throw new BakeError("cloud", "EC2 started no machine");
  const { instance } = launched;
  if (!keep) {
    scope.defer(`instance ${instance.id}`, (inner) => terminateMachines(cloud, [instance], listener, inner));
  }
  checkUpdate(launched, keep);
  const machine = new Machine(await reach(instance, signal), {
    deadlineSeconds: connectDeadlineSeconds,
    checkAlive: (inner) => checkMachine(cloud, instance.id, inner),
  });
  scope.defer("the connection", () => machine[Symbol.asyncDispose]());
  await inStage(listener, "connect", () => machine.connect(signal), machine.target.host);
  await bring(options, machine, orderOf(options, instance, logs), caller);
  return { instance, machine, logs: logs === undefined ? undefined : jobLogs(logs.url) };
}

/** @throws BakeError `phase-failed`, or why the update was not seen to end. */
function checkUpdate({ instance, outcome, trouble }: Launched, keep: boolean): void {
  const hint = keep
    ? { hint: `the machine is still there; \`bake-ami logs ${instance.id}\` shows more` }
    : {};
  if (outcome?.result === "failed") {
    const names = [...outcome.failed, ...outcome.notStarted].join(", ");
    const message = `the update of ${instance.id} failed${names === "" ? "" : `: ${names}`}, so the job was not started`;
    throw new BakeError("phase-failed", message, { details: outcome.reasons, ...hint });
  }
  if (trouble === undefined) return;
  throw new BakeError(trouble.kind, `${trouble.message}, so the job was not started`, {
    details: trouble.details,
    cause: trouble,
    hint: hint.hint ?? trouble.hint ?? "--timeout sets how long to wait",
  });
}

function orderOf(options: JobOptions, instance: Instance, logs: LogPlace | undefined): JobOrder {
  const { command, environment, maxSeconds, keep } = options;
  const { run } = options.launch;
  return {
    run,
    command,
    environment,
    maxSeconds,
    keep,
    log: logs,
    facts: { run, machine: instance.id, image: instance.imageId, type: instance.type, command },
  };
}

/** So often the files are sent when the connection breaks. */
const mostDeliveries = 3;

async function bring(
  { uploads, launch: { listener, signal } }: JobOptions,
  machine: Machine,
  order: JobOrder,
  caller: string | undefined,
): Promise<void> {
  const { user } = machine.target;
  const finish = beginStage(listener, "upload");
  for (let tries = 1; ; tries += 1) {
    try {
      const taken = await machine.exec(receiveCommand(user), {
        signal,
        input: await packJob(order, uploads),
      });
      must(taken, "the machine did not take the job's files");
      // Starting twice starts once, so this may be repeated like the files.
      must(await machine.exec(startCommand(user, caller), { signal }), "the machine did not start the job");
      break;
    } catch (error) {
      if (!(error instanceof BakeError) || error.kind !== "connection" || tries >= mostDeliveries)
        throw error;
      listener({ type: "note", at: Date.now(), message: "the connection was lost; sending the job again" });
    }
  }
  finish();
  const message = `the job runs on ${machine.target.instanceId ?? machine.target.host}`;
  listener({ type: "note", at: Date.now(), message });
}

/** @throws BakeError `failed` with the machine's own words. */
function must({ status, stderr }: { readonly status: number; readonly stderr: string }, what: string): void {
  if (status === 0) return;
  throw new BakeError("failed", what, {
    details: stderr.trimEnd().split("\n").slice(-20),
    ...(/no space left/i.test(stderr)
      ? { hint: "its disk is full: --root-volume-size gives it a larger one" }
      : {}),
  });
}

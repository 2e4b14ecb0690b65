import type { Cloud } from "../aws/cloud.ts";
import { describeInstances, waitForState, type Instance } from "../aws/instances.ts";
import { addTags } from "../aws/images.ts";
import { tagKeys } from "../aws/tags.ts";
import { BakeError } from "../base/errors.ts";
import { sweepRun } from "../cleanup/sweep.ts";
import { beginStage } from "../report/stage.ts";
import type { Builder } from "./builder.ts";
import { connectTo, type BuilderCreation, type Reach } from "./connect.ts";
import type { BuilderKeys, BuilderRecords } from "./records.ts";

export interface ResumeRequest {
  readonly owner: string;
  readonly services: readonly string[];
  readonly digest: string;
  readonly login: string;
  readonly reach: Reach;
  readonly records: BuilderRecords;
}

/** A builder that this computer has the keys of. */
export interface Resumable {
  readonly instance: Instance;
  readonly keys: BuilderKeys;
}

/** How long a builder that is on its way to another state may take to get there, in seconds. */
const settleDeadlineSeconds = 600;

/**
 * The newest builder of these services that is left from an earlier command of this computer.
 * @throws BakeError `usage` when there is none.
 */
export async function findResumable(
  cloud: Cloud,
  request: Pick<ResumeRequest, "owner" | "services" | "records">,
  signal: AbortSignal,
): Promise<Resumable> {
  const services = request.services.join(" ");
  const instances = await describeInstances(
    cloud,
    [
      { Name: `tag:${tagKeys.owner}`, Values: [request.owner] },
      { Name: `tag:${tagKeys.role}`, Values: ["builder"] },
      { Name: `tag:${tagKeys.services}`, Values: [services] },
      { Name: "instance-state-name", Values: ["pending", "running", "stopping", "stopped"] },
    ],
    signal,
  );
  const newest = [...instances].sort(
    (a, b) => (b.launchedAt?.getTime() ?? 0) - (a.launchedAt?.getTime() ?? 0),
  );
  let live: string | undefined;
  for (const instance of newest) {
    const run = instance.tags.get(tagKeys.run) ?? "";
    const keys = await request.records.load(run);
    if (keys === undefined) continue;
    if (!(await request.records.isLive(run))) return { instance, keys };
    live = run;
  }
  if (live !== undefined) {
    throw new BakeError("usage", `run ${live} is still at work on the builder of ${services}`, {
      hint: "the same command without --resume waits for it",
    });
  }
  throw new BakeError("usage", `there is no builder of ${services} to go on with`, {
    ...(newest.length === 0
      ? {}
      : { details: newest.map(({ id }) => `${id} was started elsewhere: its key is not on this computer`) }),
    hint: `a failed bake leaves one with --on-error keep; \`bake-ami ${services}\` starts afresh`,
  });
}

/**
 * Takes over a builder: everything of its run is undone by the scope from here on.
 * @throws BakeError `timeout`, `failed` when the instance ends meanwhile.
 */
export async function resumeBuilder(
  creation: BuilderCreation,
  { instance, keys }: Resumable,
  request: ResumeRequest,
): Promise<Builder> {
  const { cloud, scope, listener, signal } = creation;
  listener({
    type: "note",
    at: Date.now(),
    message: `going on with builder ${instance.id} of run ${keys.run}`,
  });
  await request.records.save(keys);
  scope.defer(`what run ${keys.run} left`, async (undoSignal) => {
    await sweepRun({ cloud, run: keys.run, owner: request.owner, listener, signal: undoSignal });
    await request.records.remove(keys.run);
  });
  const common = {
    instanceId: instance.id,
    run: keys.run,
    spot: instance.spot,
    // Deleted with everything else of the run.
    releaseAccess: () => Promise.resolve(),
  };
  // It may have been baked from other sources than it is now: whoever joins must know.
  await addTags(cloud, [instance.id], new Map([[tagKeys.digest, request.digest]]), signal);
  if (instance.state === "stopping" || instance.state === "stopped") {
    await waitForState(cloud, instance.id, "stopped", settleDeadlineSeconds, signal);
    return { ...common, machine: undefined };
  }
  const booted = beginStage(listener, "boot", instance.id);
  const running = await waitForState(cloud, instance.id, "running", settleDeadlineSeconds, signal);
  const machine = await connectTo(creation, running ?? instance, {
    reach: request.reach,
    login: request.login,
    loginKey: keys.loginKey,
    hostKey: keys.hostKey,
    onAnswer: booted,
  });
  return { ...common, machine };
}

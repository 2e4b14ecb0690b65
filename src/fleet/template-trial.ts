import { problemOf } from "../aws/cloud-error.ts";
import { runInstances, waitForStates, type Instance } from "../aws/instances.ts";
import type { LaunchTemplate } from "../aws/launch-templates.ts";
import { attempts } from "../aws/placement.ts";
import { runTags } from "../aws/tags.ts";
import { temporaryInstances, warnOfLeftover, type Creation } from "../aws/temporary.ts";
import { BakeError, messageOf } from "../base/errors.ts";
import { Scope } from "../base/scope.ts";
import { verifyMachine } from "../launch/apply.ts";
import { isBaked } from "../launch/known-services.ts";
import type { LaunchOptions } from "../launch/options.ts";
import type { PreparedLaunch } from "../launch/prepare-launch.ts";
import { requestOf, type Access } from "../launch/start-machines.ts";
import { waitForUpdates } from "../launch/wait.ts";
import type { SshTarget } from "../machine/target.ts";
import { inStage } from "../report/stage.ts";

/** How a version has to prove itself. */
export interface Trial {
  /** How long the update may take, in seconds. */
  readonly waitSeconds: number;
  /** How to log in to run the verify steps too; without it, what the console says is enough. */
  readonly reach: ((instance: Instance, signal: AbortSignal) => Promise<SshTarget>) | undefined;
}

const runningDeadlineSeconds = 600;
const undoDeadlineSeconds = 120;

/** What of a trial is not waiting for the update, in seconds; past that it may be cleaned up by anybody. */
const graceSeconds = 1800;

/**
 * Starts one machine from a version, waits until its update is over, runs its verify steps, and ends it, whatever came of it.
 * @throws BakeError `phase-failed` when the update or a verify step failed, `timeout` when it was not seen to end; others as the
 *   rooms below throw them.
 */
export async function tryVersion(
  { cloud, listener, signal }: Omit<Creation, "scope">,
  options: LaunchOptions,
  prepared: PreparedLaunch,
  access: Access,
  version: { readonly template: LaunchTemplate; readonly number: number; readonly trial: Trial },
): Promise<void> {
  const { trial } = version;
  await using scope = new Scope(undoDeadlineSeconds, warnOfLeftover(listener));
  const creation: Creation = { cloud, scope, listener, signal };
  const expires = new Date(cloud.clock.now() + (trial.waitSeconds + graceSeconds) * 1000);
  const own = runTags({ run: options.run, owner: options.owner, role: "trial", expires });
  const machineTags = new Map([...prepared.machineTags, ...own]);
  const instance = await inStage(listener, "launch", () =>
    startOne(creation, options, { ...prepared, machineTags }, access, version),
  );
  if (!isBaked(options.choice.image)) {
    const message = `${options.choice.image.id} was not baked by bake-ami: that a machine runs is all that can be seen`;
    listener({ type: "note", at: Date.now(), message });
    return;
  }
  const [seen] = await waitForUpdates(cloud, [instance], trial.waitSeconds, listener, signal);
  if (seen?.trouble !== undefined) throw seen.trouble;
  if (seen?.outcome?.result !== "ok") {
    throw new BakeError("phase-failed", `the update failed on ${instance.id}`, {
      details: seen?.outcome?.reasons ?? [],
    });
  }
  if (trial.reach === undefined) return;
  const target = await trial.reach(instance, signal);
  const verified = await verifyMachine({ target, services: [], run: options.run, listener, signal });
  if (verified.length > 0) return;
  listener({ type: "note", at: Date.now(), message: "no service of the image has verify steps" });
}

/** In the first zone that has capacity. */
async function startOne(
  creation: Creation,
  options: LaunchOptions,
  prepared: PreparedLaunch,
  access: Access,
  { template, number }: { readonly template: LaunchTemplate; readonly number: number },
): Promise<Instance> {
  const { cloud, signal } = creation;
  const spot = options.instance?.spot !== undefined;
  const ways = attempts([options.instanceType], prepared.place.subnets, spot).filter(
    (attempt) => attempt.spot === spot,
  );
  const refusals: string[] = [];
  for (const [index, attempt] of ways.entries()) {
    const request = requestOf({ ...options, count: 1 }, prepared, access, attempt, index);
    try {
      const started = await runInstances(
        cloud,
        {
          ...request,
          // A trial is ended by us, whatever machines of the template are protected from.
          protect: false,
          clientToken: `${access.name}-trial-${index}`,
          template: { id: template.id, version: number },
        },
        signal,
      );
      const ids = started.map(({ id }) => id);
      temporaryInstances(creation, ids);
      const [instance] = await waitForStates(cloud, ids, "running", runningDeadlineSeconds, signal);
      if (instance !== undefined) return instance;
    } catch (error) {
      if (problemOf(error) !== "capacity") throw error;
      refusals.push(messageOf(error));
    }
  }
  throw new BakeError("cloud", `EC2 has no capacity to try version ${number} of ${template.name}`, {
    details: refusals,
    hint: "try again later, give another --type, or more subnets with --subnet",
  });
}

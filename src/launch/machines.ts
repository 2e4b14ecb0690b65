import { describeSecurityGroups, deleteSecurityGroup } from "../aws/access.ts";
import type { Cloud } from "../aws/cloud.ts";
import {
  consoleOutput,
  describeInstances,
  terminateInstances,
  waitForState,
  type Instance,
} from "../aws/instances.ts";
import { tagKeys } from "../aws/tags.ts";
import { didYouMean } from "../base/nearest.ts";
import { BakeError } from "../base/errors.ts";
import type { Listener } from "../report/events.ts";
import { readOutcome, type UpdateOutcome } from "./outcome.ts";

export interface MachineStatus {
  readonly instance: Instance;
  readonly outcome: UpdateOutcome | undefined;
}

/** All machines and builders of this owner that still exist, oldest first. */
export async function ownMachines(cloud: Cloud, owner: string, signal: AbortSignal): Promise<Instance[]> {
  const instances = await describeInstances(
    cloud,
    [
      { Name: `tag:${tagKeys.owner}`, Values: [owner] },
      { Name: `tag:${tagKeys.role}`, Values: ["machine", "builder"] },
    ],
    signal,
  );
  return instances
    .filter((instance) => instance.state !== "terminated")
    .sort((a, b) => (a.launchedAt?.getTime() ?? 0) - (b.launchedAt?.getTime() ?? 0));
}

/** Machines with what their consoles say about their last update. */
export async function withOutcomes(
  cloud: Cloud,
  instances: readonly Instance[],
  signal: AbortSignal,
): Promise<MachineStatus[]> {
  return await Promise.all(
    instances.map(async (instance) => {
      const isBuilder = instance.tags.get(tagKeys.role) === "builder";
      if (isBuilder || instance.state !== "running") return { instance, outcome: undefined };
      return { instance, outcome: readOutcome(await consoleOutput(cloud, instance.id, signal)) };
    }),
  );
}

/**
 * The machine that a person means: an instance id, the beginning of one, or `latest`.
 * @throws BakeError `usage` with the choices.
 */
export function pickMachine(instances: readonly Instance[], wanted: string): Instance {
  const latest = instances.at(-1);
  if (wanted === "latest" && latest !== undefined) return latest;
  const matches = instances.filter(({ id }) => id === wanted || (wanted.length > 4 && id.startsWith(wanted)));
  const [match, other] = matches;
  const ids = instances.map(({ id }) => id);
  if (match === undefined) {
    const hint = didYouMean(wanted, ids);
    throw new BakeError("usage", `there is no machine ${wanted} of yours`, {
      hint:
        hint !== "" ? hint : ids.length === 0 ? "you have no machines" : `your machines: ${ids.join(", ")}`,
    });
  }
  if (other !== undefined) {
    throw new BakeError("usage", `${wanted} could be any of ${matches.map(({ id }) => id).join(", ")}`);
  }
  return match;
}

const terminatedDeadlineSeconds = 600;

/** Ends machines, and deletes the security groups of launches that have no machine left. */
export async function terminateMachines(
  cloud: Cloud,
  machines: readonly Instance[],
  listener: Listener,
  signal: AbortSignal,
): Promise<void> {
  await terminateInstances(
    cloud,
    machines.map(({ id }) => id),
    signal,
  );
  for (const { id } of machines) {
    await waitForState(cloud, id, "terminated", terminatedDeadlineSeconds, signal);
    listener({ type: "deleted", at: Date.now(), what: "instance", id });
  }
  const runs = new Set(machines.flatMap(({ tags }) => tags.get(tagKeys.run) ?? []));
  for (const run of runs) {
    const ofRun = { Name: `tag:${tagKeys.run}`, Values: [run] };
    const left = await describeInstances(cloud, [ofRun], signal);
    if (left.some(({ state }) => state !== "terminated")) continue;
    for (const { id } of await describeSecurityGroups(cloud, [ofRun], signal)) {
      await deleteSecurityGroup(cloud, id, terminatedDeadlineSeconds, signal);
      listener({ type: "deleted", at: Date.now(), what: "security group", id });
    }
  }
}

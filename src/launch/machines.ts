import type { Cloud } from "../aws/cloud.ts";
import { describeInstances, type Instance } from "../aws/instances.ts";
import { tagKeys } from "../aws/tags.ts";
import { didYouMean } from "../base/nearest.ts";
import { BakeError } from "../base/errors.ts";

export { terminateMachines, type EndOptions } from "./end-machines.ts";

/** All machines, jobs and builders of this owner that still exist, oldest first. */
export async function ownMachines(cloud: Cloud, owner: string, signal: AbortSignal): Promise<Instance[]> {
  const instances = await describeInstances(
    cloud,
    [
      { Name: `tag:${tagKeys.owner}`, Values: [owner] },
      { Name: `tag:${tagKeys.role}`, Values: ["machine", "job", "builder"] },
    ],
    signal,
  );
  return instances
    .filter((instance) => instance.state !== "terminated")
    .sort((a, b) => (a.launchedAt?.getTime() ?? 0) - (b.launchedAt?.getTime() ?? 0));
}

/** Whether it is being baked, and so not for use. */
export function isBuilder(instance: Instance): boolean {
  return instance.tags.get(tagKeys.role) === "builder";
}

/** A shorter one says too little to end a machine by it. */
const shortestBeginning = 5;

/**
 * The machine that a person means: an instance id, the beginning of one, or `latest`, which is never a builder.
 * @param instances oldest first
 * @throws BakeError `usage` with the choices.
 */
export function pickMachine(instances: readonly Instance[], wanted: string): Instance {
  const ids = instances.map(({ id }) => id);
  const choices = ids.length === 0 ? "you have no machines" : `your machines: ${ids.join(", ")}`;
  if (wanted === "latest") {
    const latest = instances.findLast((instance) => !isBuilder(instance));
    if (latest !== undefined) return latest;
    throw new BakeError("usage", "you have no machine, so none is the latest", {
      hint:
        instances.length === 0 ? "start one with `bake-ami launch`" : `there are builders: ${ids.join(", ")}`,
    });
  }
  const exact = instances.find(({ id }) => id === wanted);
  if (exact !== undefined) return exact;
  const matches = instances.filter(({ id }) => id.startsWith(wanted));
  const [match, other] = matches;
  if (match === undefined) {
    throw new BakeError("usage", `there is no machine ${wanted} of yours`, {
      hint: didYouMean(wanted, ids) || choices,
    });
  }
  if (other !== undefined) {
    throw new BakeError("usage", `${wanted} is the beginning of ${matches.length} machines`, {
      details: matches.map(({ id, state, tags }) =>
        `${id}  ${state}  ${tags.get(tagKeys.services) ?? ""}`.trimEnd(),
      ),
      hint: "give more of the id",
    });
  }
  if (wanted.length < shortestBeginning) {
    throw new BakeError("usage", `${wanted} is too short a beginning of ${match.id}`, {
      hint: `give at least ${shortestBeginning} characters`,
    });
  }
  return match;
}

/**
 * The machine that is to be ended. Of a builder, on which somebody may be working, only the whole id will do.
 * @throws BakeError `usage`
 */
export function pickToEnd(instances: readonly Instance[], wanted: string): Instance {
  const instance = pickMachine(instances, wanted);
  if (!isBuilder(instance) || wanted === instance.id) return instance;
  throw new BakeError("usage", `${wanted} is the builder of run ${instance.tags.get(tagKeys.run) ?? "-"}`, {
    hint: `give its whole id to end it: \`bake-ami terminate ${instance.id}\``,
  });
}

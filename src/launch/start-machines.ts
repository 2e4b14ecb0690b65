import { problemOf } from "../aws/cloud-error.ts";
import {
  runInstances,
  setProtection,
  waitForStates,
  type Instance,
  type RunInstancesRequest,
} from "../aws/instances.ts";
import { attempts, describeAttempt, type Attempt } from "../aws/placement.ts";
import { cancelSpotRequests } from "../aws/spot-requests.ts";
import { registered, temporaryInstances, type Creation } from "../aws/temporary.ts";
import { BakeError, messageOf } from "../base/errors.ts";
import { throwIfAborted } from "../base/wait.ts";
import type { LaunchOptions } from "./options.ts";
import type { PreparedLaunch } from "./prepare-launch.ts";

/** Machines that run, and the way to keep them past the scope. */
export interface Started {
  readonly instances: readonly Instance[];
  readonly keep: () => void;
}

/** By what the machines are let in and reached. */
export interface Access {
  /** Of the launch; it identifies its calls too. */
  readonly name: string;
  readonly keyName: string;
  readonly groupIds: readonly string[];
}

/** How long EC2 may take to call the instances running, in seconds. */
const runningDeadlineSeconds = 600;

/**
 * Starts all machines in one zone, and in the next one as long as EC2 has no capacity. What a zone could not hold is ended
 * with the scope.
 * @throws BakeError `cloud` when no zone has capacity; any other refusal at once.
 */
export async function startMachines(
  creation: Creation,
  options: LaunchOptions,
  prepared: PreparedLaunch,
  access: Access,
): Promise<Started> {
  const { listener, signal } = creation;
  const spot = options.instance?.spot !== undefined;
  // Who asks for spot capacity gets that or nothing: a machine may run for years.
  const ways = attempts([options.instanceType], prepared.place.subnets, spot).filter(
    (attempt) => attempt.spot === spot,
  );
  const refusals: string[] = [];
  for (const [index, attempt] of ways.entries()) {
    throwIfAborted(signal);
    try {
      return await startIn(creation, options, requestOf(options, prepared, access, attempt, index));
    } catch (error) {
      if (problemOf(error) !== "capacity") throw error;
      refusals.push(`${describeAttempt(attempt)}: ${messageOf(error)}`);
      const next = ways[index + 1];
      if (next === undefined) break;
      const message = `no capacity for ${describeAttempt(attempt)}; trying ${describeAttempt(next)}`;
      listener({ type: "note", at: Date.now(), message });
    }
  }
  throw new BakeError(
    "cloud",
    `EC2 has no capacity for ${options.count === 1 ? "the machine" : "the machines"}`,
    {
      details: refusals,
      hint: `give another --type, more subnets with --subnet, ${spot ? "leave out --spot, " : ""}or try again later`,
    },
  );
}

/** What a launch asks of EC2 in one zone. */
export function requestOf(
  options: LaunchOptions,
  prepared: PreparedLaunch,
  access: Access,
  attempt: Attempt,
  index: number,
): RunInstancesRequest {
  const { image } = options.choice;
  const { spot, instanceProfile, publicAddress, placement, ebsOptimized, rootVolume, protect } =
    options.instance ?? {};
  const tags = prepared.tagsFor("machine-spot-request");
  return {
    imageId: image.id,
    type: attempt.type,
    count: options.count,
    keyName: access.keyName,
    groupIds: access.groupIds,
    subnetId: attempt.subnet.id,
    userData: prepared.userData,
    clientToken: `${access.name}-${index}`,
    tags: prepared.machineTags,
    shutdownBehavior: options.shutdownBehavior ?? "stop",
    // A one-time request ends with its instance; a persistent one must be found when that is gone.
    ...(spot === undefined ? {} : { spot: spot.kind === "persistent" ? { ...spot, tags } : spot }),
    ...(instanceProfile === undefined ? {} : { instanceProfile }),
    ...(publicAddress === undefined ? {} : { publicAddress }),
    ...(placement === undefined ? {} : { placement }),
    ...(ebsOptimized === undefined ? {} : { ebsOptimized }),
    ...(protect === undefined ? {} : { protect }),
    ...(rootVolume === undefined ? {} : { rootVolume: { ...rootVolume, deviceName: image.rootDeviceName } }),
  };
}

async function startIn(
  creation: Creation,
  options: LaunchOptions,
  request: RunInstancesRequest,
): Promise<Started> {
  const { cloud, scope, signal } = creation;
  const started = await runInstances(cloud, request, signal);
  const ids = started.map(({ id }) => id);
  const keeps = [temporaryInstances(creation, ids)];
  // What is undone first is registered last.
  if (request.protect === true) {
    for (const id of ids) {
      keeps.push(
        scope.defer(`the termination protection of ${id}`, (inner) => setProtection(cloud, id, false, inner)),
      );
    }
  }
  if (options.instance?.spot?.kind === "persistent") {
    for (const id of started.flatMap(({ spotRequestId }) => spotRequestId ?? [])) {
      const undo = (inner: AbortSignal): Promise<void> => cancelSpotRequests(cloud, [id], inner);
      keeps.push(registered(creation, "spot request", id, undo).keep);
    }
  }
  const running = await waitForStates(cloud, ids, "running", runningDeadlineSeconds, signal);
  return {
    instances: running.flatMap((instance) => instance ?? []),
    keep: () => {
      for (const keep of keeps) keep();
    },
  };
}

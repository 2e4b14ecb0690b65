import { deleteSecurityGroup, describeSecurityGroups } from "../aws/access.ts";
import { describeAddresses, releaseAddress } from "../aws/addresses.ts";
import type { Cloud } from "../aws/cloud.ts";
import { cloudCodeOf } from "../aws/cloud-error.ts";
import {
  describeInstances,
  setProtection,
  terminateInstances,
  waitForStates,
  type Instance,
} from "../aws/instances.ts";
import { cancelSpotRequests, describeSpotRequests } from "../aws/spot-requests.ts";
import { tagKeys } from "../aws/tags.ts";
import { BakeError } from "../base/errors.ts";
import type { Listener } from "../report/events.ts";

export interface EndOptions {
  /** Lift the termination protection first. */
  readonly unprotect?: boolean;
}

const terminatedDeadlineSeconds = 600;

/** Not of a launch template, whose machines carry its run too. */
const ofLaunches = { Name: `tag:${tagKeys.role}`, Values: ["machine-group"] };
const ofAddresses = { Name: `tag:${tagKeys.role}`, Values: ["machine-address"] };

/**
 * Ends machines and what belongs to them alone: persistent spot requests, which would start them again, and, of launches that
 * have no machine left, the security groups and the Elastic IPs that were allocated for them.
 * @throws BakeError `usage` for machines that are protected; others as the cloud does.
 */
export async function terminateMachines(
  cloud: Cloud,
  machines: readonly Instance[],
  listener: Listener,
  signal: AbortSignal,
  { unprotect = false }: EndOptions = {},
): Promise<void> {
  const ids = machines.map(({ id }) => id);
  if (unprotect) for (const id of ids) await setProtection(cloud, id, false, signal);
  const cancelled = await cancelPersistent(cloud, machines, listener, signal);
  try {
    await terminateInstances(cloud, ids, signal);
  } catch (error) {
    throw cloudCodeOf(error) === "OperationNotPermitted" ? areProtected(ids, cancelled, error) : error;
  }
  await waitForStates(cloud, ids, "terminated", terminatedDeadlineSeconds, signal);
  for (const id of ids) listener({ type: "deleted", at: Date.now(), what: "instance", id });
  const runs = new Set(machines.flatMap(({ tags }) => tags.get(tagKeys.run) ?? []));
  for (const run of runs) await releaseRun(cloud, run, machines, listener, signal);
}

/** The error for machines that EC2 refuses to end. It refuses all for the sake of one. */
function areProtected(ids: readonly string[], cancelled: readonly string[], cause: unknown): BakeError {
  const what = ids.length === 1 ? `${ids.join("")} is protected` : "one of the machines is protected";
  return new BakeError(cancelled.length === 0 ? "usage" : "failed", `${what}, so none was ended`, {
    cause,
    hint: `lift the protection and end it: \`bake-ami terminate --unprotect ${ids.join(" ")}\``,
  });
}

/** @returns the requests that start nothing any more */
async function cancelPersistent(
  cloud: Cloud,
  machines: readonly Instance[],
  listener: Listener,
  signal: AbortSignal,
): Promise<string[]> {
  const asked = machines.flatMap(({ spotRequestId }) => spotRequestId ?? []);
  if (asked.length === 0) return [];
  const filters = [{ Name: "spot-instance-request-id", Values: asked }];
  const found = await describeSpotRequests(cloud, filters, signal);
  const ids = found.filter(({ persistent, alive }) => persistent && alive).map(({ id }) => id);
  await cancelSpotRequests(cloud, ids, signal);
  for (const id of ids) listener({ type: "deleted", at: Date.now(), what: "spot request", id });
  return ids;
}

/** Gives back what a launch had besides its machines, when it has none any more. */
async function releaseRun(
  cloud: Cloud,
  run: string,
  machines: readonly Instance[],
  listener: Listener,
  signal: AbortSignal,
): Promise<void> {
  const ofRun = { Name: `tag:${tagKeys.run}`, Values: [run] };
  const left = await describeInstances(cloud, [ofRun], signal);
  if (left.some(({ state }) => state !== "terminated")) return;
  const deleted = (what: string, id: string): void => {
    listener({ type: "deleted", at: Date.now(), what, id });
  };
  // Few machines have one, and few callers may look for one.
  if (machines.some(({ tags }) => tags.get(tagKeys.run) === run && tags.has(tagKeys.address))) {
    for (const { id } of await describeAddresses(cloud, [ofRun, ofAddresses], signal)) {
      await releaseAddress(cloud, id, terminatedDeadlineSeconds, signal);
      deleted("elastic IP", id);
    }
  }
  for (const { id } of await describeSecurityGroups(cloud, [ofRun, ofLaunches], signal)) {
    await deleteSecurityGroup(cloud, id, terminatedDeadlineSeconds, signal);
    deleted("security group", id);
  }
}

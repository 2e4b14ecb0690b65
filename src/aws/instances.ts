import {
  GetConsoleOutputCommand,
  ModifyInstanceAttributeCommand,
  StopInstancesCommand,
  TerminateInstancesCommand,
} from "@aws-sdk/client-ec2";
import type { Appearance } from "./call.ts";
import type { Cloud } from "./cloud.ts";
import { isNotFound, unlessGone } from "./cloud-error.ts";
import { describeInstances, endedEarly, type Instance } from "./instance.ts";
import { poll } from "./poll.ts";
import { deletionVisibleSeconds, newVisibleSeconds } from "./visibility.ts";

export { describeInstances, endedEarly, type Instance, type InstanceState } from "./instance.ts";
export {
  runInstances,
  type Interruption,
  type Placement,
  type RootVolume,
  type RunInstancesRequest,
  type SpotMarket,
} from "./run-instances.ts";

/** The instance with this id, or undefined when EC2 does not show it (not yet, or no longer). */
export async function findInstance(
  cloud: Cloud,
  id: string,
  signal: AbortSignal,
): Promise<Instance | undefined> {
  const [instance] = await describeInstances(cloud, [{ Name: "instance-id", Values: [id] }], signal);
  return instance;
}

type WaitedState = "running" | "stopped" | "terminated";

/**
 * Waits until all of these instances are in `state`; one Describe asks for all of them.
 * @returns them in that order; undefined for one that EC2 does not show any more, which only `terminated` allows
 * @throws BakeError `failed` when one can no longer get there, `timeout`, `interrupted`.
 */
export async function waitForStates(
  cloud: Cloud,
  ids: readonly string[],
  state: WaitedState,
  deadlineSeconds: number,
  signal: AbortSignal,
): Promise<(Instance | undefined)[]> {
  const reached = new Map<string, Instance | undefined>();
  const look = async (inner: AbortSignal): Promise<true | undefined> => {
    const missing = ids.filter((id) => !reached.has(id));
    if (missing.length === 0) return true;
    const seen = await describeInstances(cloud, [{ Name: "instance-id", Values: missing }], inner);
    for (const id of missing) {
      const instance = seen.find((each) => each.id === id);
      if (hasReached(instance, state)) reached.set(id, instance);
    }
    return reached.size === new Set(ids).size ? true : undefined;
  };
  const [first = ""] = ids;
  const which = ids.length === 1 ? `instance ${first}` : `${ids.length} instances`;
  const schedule = state === "running" ? "instance" : "stop";
  await poll(`${which} to be ${state}`, deadlineSeconds, signal, look, { clock: cloud.clock, schedule });
  return ids.map((id) => reached.get(id));
}

/** @throws BakeError `failed` when it can no longer get there. */
function hasReached(instance: Instance | undefined, state: WaitedState): boolean {
  // EC2 may not know a new instance yet; a terminated one it forgets after a while.
  if (instance === undefined) return state === "terminated";
  if (instance.state === state) return true;
  const isGone = instance.state === "terminated" || instance.state === "shutting-down";
  if (isGone && state !== "terminated") throw endedEarly(instance);
  if (state === "running" && instance.state === "stopped") throw endedEarly(instance);
  return false;
}

/**
 * Waits until the instance is in `state`.
 * @throws BakeError as {@link waitForStates} does.
 */
export async function waitForState(
  cloud: Cloud,
  id: string,
  state: WaitedState,
  deadlineSeconds: number,
  signal: AbortSignal,
): Promise<Instance | undefined> {
  return (await waitForStates(cloud, [id], state, deadlineSeconds, signal))[0];
}

/** Gives an instance other security groups; of all its groups these are left. */
export async function setGroups(
  cloud: Cloud,
  id: string,
  groupIds: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  await cloud.ask(
    "ModifyInstanceAttribute",
    signal,
    (o) => cloud.ec2.send(new ModifyInstanceAttributeCommand({ InstanceId: id, Groups: [...groupIds] }), o),
    aboutInstance(id),
  );
}

/** Makes EC2 refuse to terminate an instance, or allow it again. */
export async function setProtection(
  cloud: Cloud,
  id: string,
  protect: boolean,
  signal: AbortSignal,
): Promise<void> {
  const command = new ModifyInstanceAttributeCommand({
    InstanceId: id,
    DisableApiTermination: { Value: protect },
  });
  await cloud.ask("ModifyInstanceAttribute", signal, (o) => cloud.ec2.send(command, o), aboutInstance(id));
}

/** For calls about an instance that was started here, a while ago at most. */
function aboutInstance(id: string): { resource: string; appears: Appearance } {
  return {
    resource: id,
    appears: { codes: ["InvalidInstanceID.NotFound"], withinSeconds: newVisibleSeconds },
  };
}

export async function stopInstance(cloud: Cloud, id: string, signal: AbortSignal): Promise<void> {
  await cloud.ask(
    "StopInstances",
    signal,
    (o) => cloud.ec2.send(new StopInstancesCommand({ InstanceIds: [id] }), o),
    aboutInstance(id),
  );
}

/** Terminates instances; one that is gone already is as good as terminated. */
export async function terminateInstances(
  cloud: Cloud,
  ids: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  if (ids.length === 0) return;
  const terminate = async (some: readonly string[]): Promise<void> => {
    await cloud.ask(
      "TerminateInstances",
      signal,
      (o) => cloud.ec2.send(new TerminateInstancesCommand({ InstanceIds: [...some] }), o),
      {
        resource: some.join(" "),
        appears: { codes: ["InvalidInstanceID.NotFound"], withinSeconds: deletionVisibleSeconds },
      },
    );
  };
  try {
    await terminate(ids);
  } catch (error) {
    if (!isNotFound(error)) throw error;
    // EC2 ends none of them when it does not know one.
    if (ids.length > 1) for (const id of ids) await unlessGone(terminate([id]));
  }
}

/** What the machine has written to its console so far; empty while EC2 has nothing. */
export async function consoleOutput(cloud: Cloud, id: string, signal: AbortSignal): Promise<string> {
  const reply = await cloud.ask(
    "GetConsoleOutput",
    signal,
    (o) => cloud.ec2.send(new GetConsoleOutputCommand({ InstanceId: id, Latest: true }), o),
    aboutInstance(id),
  );
  return Buffer.from(reply.Output ?? "", "base64").toString("utf8");
}

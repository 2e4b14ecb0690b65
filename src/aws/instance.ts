import { DescribeInstancesCommand, type Filter, type Instance as Ec2Instance } from "@aws-sdk/client-ec2";
import { BakeError } from "../base/errors.ts";
import { allPages, present, type Cloud } from "./cloud.ts";
import { markProblem } from "./problem.ts";
import { readTags, tagKeys, type Tags } from "./tags.ts";

export type InstanceState = "pending" | "running" | "shutting-down" | "terminated" | "stopping" | "stopped";

/** An instance, as far as bake-ami cares. */
export interface Instance {
  readonly id: string;
  readonly state: InstanceState;
  /** The cloud's word on the last change of state, when it gave one. */
  readonly stateReason: string | undefined;
  /** Such as `Server.SpotInstanceTermination`. */
  readonly stateReasonCode: string | undefined;
  readonly type: string;
  readonly imageId: string;
  readonly publicAddress: string | undefined;
  readonly privateAddress: string | undefined;
  readonly sshPort: number;
  readonly launchedAt: Date | undefined;
  readonly groupIds: readonly string[];
  readonly tags: Tags;
  readonly subnetId: string | undefined;
  readonly publicDns: string | undefined;
  readonly ipv6Address: string | undefined;
  readonly spot: boolean;
  /** Of a spot instance: the request that started it. */
  readonly spotRequestId: string | undefined;
}

/** Instances that match all filters, of any state that EC2 still shows. */
export async function describeInstances(
  cloud: Cloud,
  filters: Filter[],
  signal: AbortSignal,
): Promise<Instance[]> {
  const pages = await allPages((next) =>
    cloud.ask("DescribeInstances", signal, (o) =>
      cloud.ec2.send(new DescribeInstancesCommand({ Filters: filters, ...next }), o),
    ),
  );
  return pages
    .flatMap((page) => page.Reservations ?? [])
    .flatMap((reservation) => (reservation.Instances ?? []).map(readInstance));
}

/** Why EC2 ended instances that did nothing wrong: another type, zone or market may have room. */
const capacityReasons = ["Server.InsufficientInstanceCapacity", "Server.SpotInstanceTermination"];

/** The error for an instance that ended although someone was using it. */
export function endedEarly(instance: Instance): BakeError {
  const reason = instance.stateReason === undefined ? "" : `: ${instance.stateReason}`;
  const error = new BakeError("failed", `instance ${instance.id} is ${instance.state}${reason}`);
  return capacityReasons.includes(instance.stateReasonCode ?? "") ? markProblem(error, "capacity") : error;
}

const instanceStates: readonly InstanceState[] = [
  "pending",
  "running",
  "shutting-down",
  "terminated",
  "stopping",
  "stopped",
];

/** @throws BakeError `cloud` for an instance without an id, or in a state that EC2 does not have today. */
export function readInstance(raw: Ec2Instance): Instance {
  const id = present(raw.InstanceId, "instance id");
  const state = instanceStates.find((known) => known === raw.State?.Name);
  const tags = readTags(raw.Tags);
  const address = (text: string | undefined): string | undefined => (text === "" ? undefined : text);
  return {
    id,
    state: present(state, `known state of ${id}`),
    stateReason: address(raw.StateReason?.Message),
    stateReasonCode: address(raw.StateReason?.Code),
    type: raw.InstanceType ?? "",
    imageId: raw.ImageId ?? "",
    publicAddress: address(raw.PublicIpAddress),
    privateAddress: address(raw.PrivateIpAddress),
    sshPort: Number(tags.get(tagKeys.sshPort) ?? "22"),
    launchedAt: raw.LaunchTime,
    groupIds: (raw.SecurityGroups ?? []).flatMap((group) =>
      group.GroupId === undefined ? [] : [group.GroupId],
    ),
    tags,
    subnetId: raw.SubnetId,
    publicDns: address(raw.PublicDnsName),
    ipv6Address: raw.Ipv6Address,
    spot: raw.InstanceLifecycle === "spot",
    spotRequestId: address(raw.SpotInstanceRequestId),
  };
}

import {
  DescribeInstancesCommand,
  GetConsoleOutputCommand,
  ModifyInstanceAttributeCommand,
  RunInstancesCommand,
  StopInstancesCommand,
  TerminateInstancesCommand,
  type BlockDeviceMapping,
  type Filter,
  type Instance as Ec2Instance,
  type RunInstancesCommandInput,
  type _InstanceType,
} from "@aws-sdk/client-ec2";
import { BakeError } from "../base/errors.ts";
import { allPages, present, type Cloud } from "./cloud.ts";
import type { Appearance } from "./call.ts";
import { isNotFound, unlessGone } from "./cloud-error.ts";
import { poll } from "./poll.ts";
import { readTags, tagKeys, writeTags, type Tags } from "./tags.ts";
import { deletionVisibleSeconds, newVisibleSeconds } from "./visibility.ts";

export type InstanceState = "pending" | "running" | "shutting-down" | "terminated" | "stopping" | "stopped";

/** An instance, as far as bake-ami cares. */
export interface Instance {
  readonly id: string;
  readonly state: InstanceState;
  /** The cloud's word on the last change of state, when it gave one. */
  readonly stateReason: string | undefined;
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
}
/** What an instance's root volume is to be; what is left out is as the image has it. */
export interface RootVolume {
  /** As the image calls it: `/dev/xvda`. */
  readonly deviceName: string;
  readonly type: "gp3";
  readonly sizeGiB?: number;
  /** Operations a second. */
  readonly iops?: number;
  /** MiB a second. */
  readonly throughput?: number;
  readonly encrypted?: boolean;
  /** Id, ARN or alias. */
  readonly kmsKeyId?: string;
}

export interface RunInstancesRequest {
  readonly imageId: string;
  readonly type: string;
  readonly count: number;
  readonly keyName: string | undefined;
  readonly groupIds: readonly string[];
  readonly subnetId: string | undefined;
  /** Plain text; encoded here. */
  readonly userData: string | undefined;
  /** Identifies the call, so that a retry starts nothing twice; at most 64 ASCII characters. */
  readonly clientToken: string;
  readonly tags: Tags;
  readonly shutdownBehavior: "stop" | "terminate";
  /** A one-time spot instance, which EC2 can take back and does not stop. */
  readonly spot?: boolean;
  readonly rootVolume?: RootVolume;
  /** Name or ARN. */
  readonly instanceProfile?: string;
  /** Ask for a public IPv4 address although the subnet gives none. */
  readonly publicAddress?: boolean;
  /** Ask for an IPv6 address. */
  readonly ipv6?: boolean;
}

/**
 * Starts instances. IMDSv2 is required, with a hop limit of 1, and the instance's tags are readable through it.
 * @throws BakeError `cloud`.
 */
export async function runInstances(
  cloud: Cloud,
  request: RunInstancesRequest,
  signal: AbortSignal,
): Promise<Instance[]> {
  const list = writeTags(request.tags);
  const command = new RunInstancesCommand({
    ImageId: request.imageId,
    InstanceType: instanceType(request.type),
    MinCount: request.count,
    MaxCount: request.count,
    ClientToken: request.clientToken,
    InstanceInitiatedShutdownBehavior: request.shutdownBehavior,
    ...placeOf(request),
    MetadataOptions: {
      HttpEndpoint: "enabled",
      HttpTokens: "required",
      HttpPutResponseHopLimit: 1,
      InstanceMetadataTags: "enabled",
    },
    TagSpecifications: [
      { ResourceType: "instance", Tags: list },
      { ResourceType: "volume", Tags: list },
    ],
    ...(request.spot === true
      ? { InstanceMarketOptions: { MarketType: "spot", SpotOptions: { SpotInstanceType: "one-time" } } }
      : {}),
    ...(request.keyName === undefined ? {} : { KeyName: request.keyName }),
    ...(request.rootVolume === undefined ? {} : { BlockDeviceMappings: [mappingOf(request.rootVolume)] }),
    ...(request.instanceProfile === undefined
      ? {}
      : { IamInstanceProfile: profileOf(request.instanceProfile) }),
    ...(request.userData === undefined
      ? {}
      : { UserData: Buffer.from(request.userData, "utf8").toString("base64") }),
  });
  const byToken = [{ Name: "client-token", Values: [request.clientToken] }];
  return await cloud.create(
    "RunInstances",
    signal,
    async (o) => ((await cloud.ec2.send(command, o)).Instances ?? []).map(readInstance),
    {
      resource: `${request.type} from ${request.imageId}`,
      // The group and the key are new; an image that is not found is the caller's mistake.
      appears: {
        codes: ["InvalidGroup.NotFound", "InvalidKeyPair.NotFound"],
        withinSeconds: newVisibleSeconds,
      },
      // EC2 repeats the call harmlessly by its token; this is for when nobody may repeat it any more.
      recover: async (inner) => {
        const found = await describeInstances(cloud, byToken, inner);
        return found.length === 0 ? undefined : found;
      },
    },
  );
}

/** Subnet and groups belong to the network interface where one is described, else to the instance. */
function placeOf(
  request: RunInstancesRequest,
): Pick<RunInstancesCommandInput, "SubnetId" | "SecurityGroupIds" | "NetworkInterfaces"> {
  const subnet = request.subnetId === undefined ? {} : { SubnetId: request.subnetId };
  if (request.publicAddress === undefined && request.ipv6 !== true) {
    return { ...subnet, SecurityGroupIds: [...request.groupIds] };
  }
  return {
    NetworkInterfaces: [
      {
        DeviceIndex: 0,
        ...subnet,
        Groups: [...request.groupIds],
        ...(request.publicAddress === undefined ? {} : { AssociatePublicIpAddress: request.publicAddress }),
        ...(request.ipv6 === true ? { Ipv6AddressCount: 1 } : {}),
      },
    ],
  };
}

function mappingOf(volume: RootVolume): BlockDeviceMapping {
  return {
    DeviceName: volume.deviceName,
    Ebs: {
      VolumeType: volume.type,
      DeleteOnTermination: true,
      ...(volume.sizeGiB === undefined ? {} : { VolumeSize: volume.sizeGiB }),
      ...(volume.iops === undefined ? {} : { Iops: volume.iops }),
      ...(volume.throughput === undefined ? {} : { Throughput: volume.throughput }),
      ...(volume.encrypted === undefined ? {} : { Encrypted: volume.encrypted }),
      ...(volume.kmsKeyId === undefined ? {} : { KmsKeyId: volume.kmsKeyId }),
    },
  };
}

function profileOf(nameOrArn: string): { Arn: string } | { Name: string } {
  return nameOrArn.startsWith("arn:") ? { Arn: nameOrArn } : { Name: nameOrArn };
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

/** The instance with this id, or undefined when EC2 does not show it (not yet, or no longer). */
export async function findInstance(
  cloud: Cloud,
  id: string,
  signal: AbortSignal,
): Promise<Instance | undefined> {
  const [instance] = await describeInstances(cloud, [{ Name: "instance-id", Values: [id] }], signal);
  return instance;
}

/**
 * Waits until the instance is in `state`.
 * @throws BakeError `failed` when it can no longer get there, `timeout`, `interrupted`.
 */
export async function waitForState(
  cloud: Cloud,
  id: string,
  state: "running" | "stopped" | "terminated",
  deadlineSeconds: number,
  signal: AbortSignal,
): Promise<Instance | undefined> {
  const isGone = (instance: Instance): boolean =>
    instance.state === "terminated" || instance.state === "shutting-down";
  const look = async (inner: AbortSignal): Promise<{ instance: Instance | undefined } | undefined> => {
    const instance = await findInstance(cloud, id, inner);
    // EC2 may not know a new instance yet; a terminated one it forgets after a while.
    if (instance === undefined) return state === "terminated" ? { instance } : undefined;
    if (instance.state === state) return { instance };
    if (isGone(instance) && state !== "terminated") throw endedEarly(instance);
    if (state === "running" && instance.state === "stopped") throw endedEarly(instance);
    return undefined;
  };
  const schedule = state === "running" ? "instance" : "stop";
  const pace = { clock: cloud.clock, schedule } as const;
  return (await poll(`instance ${id} to be ${state}`, deadlineSeconds, signal, look, pace)).instance;
}

/** The error for an instance that ended although someone was using it. */
export function endedEarly(instance: Instance): BakeError {
  const reason = instance.stateReason === undefined ? "" : `: ${instance.stateReason}`;
  return new BakeError("failed", `instance ${instance.id} is ${instance.state}${reason}`);
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
  const reply = await cloud.ask("GetConsoleOutput", signal, (o) =>
    cloud.ec2.send(new GetConsoleOutputCommand({ InstanceId: id, Latest: true }), o),
  );
  return Buffer.from(reply.Output ?? "", "base64").toString("utf8");
}

const instanceStates: readonly InstanceState[] = [
  "pending",
  "running",
  "shutting-down",
  "terminated",
  "stopping",
  "stopped",
];

function readInstance(raw: Ec2Instance): Instance {
  const id = present(raw.InstanceId, "instance id");
  const state = instanceStates.find((known) => known === raw.State?.Name);
  const tags = readTags(raw.Tags);
  const address = (text: string | undefined): string | undefined => (text === "" ? undefined : text);
  return {
    id,
    state: present(state, `known state of ${id}`),
    stateReason: address(raw.StateReason?.Message),
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
  };
}

/**
 * The name of an instance type. The SDK lists the types that it knows, but EC2 has new ones before the SDK does.
 * @throws BakeError `usage` for what cannot be one.
 */
export function instanceType(name: string): _InstanceType {
  if (isInstanceType(name)) return name;
  throw new BakeError("usage", `"${name}" is no instance type`, {
    hint: "a type looks like t3.small or c7g.2xlarge",
  });
}

function isInstanceType(name: string): name is _InstanceType {
  return /^[a-z][a-z0-9-]*\.[a-z0-9-]+$/.test(name);
}

import {
  RunInstancesCommand,
  type BlockDeviceMapping,
  type InstanceMarketOptionsRequest,
  type Placement as Ec2Placement,
  type RunInstancesCommandInput,
  type TagSpecification,
  type _InstanceType,
} from "@aws-sdk/client-ec2";
import { BakeError } from "../base/errors.ts";
import type { Cloud } from "./cloud.ts";
import { describeInstances, readInstance, type Instance } from "./instance.ts";
import { writeTags, type Tags } from "./tags.ts";
import { newVisibleSeconds } from "./visibility.ts";

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
  /** MiB a second at which EC2 fetches the snapshot's blocks ahead of their first use; 100 to 300. */
  readonly initializationRate?: number;
  readonly encrypted?: boolean;
  /** Id, ARN or alias. */
  readonly kmsKeyId?: string;
}

/** What becomes of a spot instance that EC2 takes back. */
export type Interruption = "terminate" | "stop" | "hibernate";

/** How spot capacity is asked for: only a persistent request can stop its instance and start it again. */
export interface SpotMarket {
  readonly kind: "one-time" | "persistent";
  readonly interruption?: Interruption;
  /** For the request, which outlives a persistent instance. */
  readonly tags?: Tags;
}

/** Where exactly, and beside whom, an instance runs. */
export interface Placement {
  /** Name or id of a placement group. */
  readonly group?: string;
  /** Within a group of partitions; from 1. */
  readonly partition?: number;
  readonly tenancy?: "default" | "dedicated" | "host";
  readonly hostId?: string;
}

export interface RunInstancesRequest {
  readonly imageId: string;
  readonly type: string;
  readonly count: number;
  readonly keyName: string | undefined;
  readonly groupIds: readonly string[];
  readonly subnetId: string | undefined;
  /** Plain text, or bytes such as those of a gzip; encoded here. */
  readonly userData: string | Buffer | undefined;
  /** Identifies the call, so that a retry starts nothing twice; at most 64 ASCII characters. */
  readonly clientToken: string;
  readonly tags: Tags;
  readonly shutdownBehavior: "stop" | "terminate";
  /** Spot capacity; `true` is a one-time request, whose instance EC2 can take back and does not stop. */
  readonly spot?: boolean | SpotMarket;
  readonly rootVolume?: RootVolume;
  /** Name or ARN. */
  readonly instanceProfile?: string;
  /** Ask for a public IPv4 address although the subnet gives none. */
  readonly publicAddress?: boolean;
  /** Ask for an IPv6 address. */
  readonly ipv6?: boolean;
  readonly placement?: Placement;
  /** Bandwidth of their own for volumes, where the type does not have it anyway. */
  readonly ebsOptimized?: boolean;
  /** Nobody can terminate them through EC2's API until this is lifted. */
  readonly protect?: boolean;
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
  const market = marketOf(request.spot);
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
      tagsOf("instance", request.tags),
      tagsOf("volume", request.tags),
      ...(market?.tags === undefined ? [] : [tagsOf("spot-instances-request", market.tags)]),
    ],
    ...(market === undefined ? {} : { InstanceMarketOptions: optionsOf(market) }),
    ...(request.placement === undefined ? {} : { Placement: placementOf(request.placement) }),
    ...(request.ebsOptimized === undefined ? {} : { EbsOptimized: request.ebsOptimized }),
    ...(request.protect === true ? { DisableApiTermination: true } : {}),
    ...(request.keyName === undefined ? {} : { KeyName: request.keyName }),
    ...(request.rootVolume === undefined ? {} : { BlockDeviceMappings: [mappingOf(request.rootVolume)] }),
    ...(request.instanceProfile === undefined
      ? {}
      : { IamInstanceProfile: profileOf(request.instanceProfile) }),
    ...(request.userData === undefined ? {} : { UserData: base64Of(request.userData) }),
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
        return found.length < request.count ? undefined : found;
      },
    },
  );
}

function tagsOf(
  ResourceType: "instance" | "volume" | "spot-instances-request",
  tags: Tags,
): TagSpecification {
  return { ResourceType, Tags: writeTags(tags) };
}

function marketOf(spot: boolean | SpotMarket | undefined): SpotMarket | undefined {
  if (spot === undefined || spot === false) return undefined;
  return spot === true ? { kind: "one-time" } : spot;
}

function optionsOf({ kind, interruption }: SpotMarket): InstanceMarketOptionsRequest {
  return {
    MarketType: "spot",
    SpotOptions: {
      SpotInstanceType: kind,
      ...(interruption === undefined ? {} : { InstanceInterruptionBehavior: interruption }),
    },
  };
}

function placementOf({ group, partition, tenancy, hostId }: Placement): Ec2Placement {
  return {
    ...(group === undefined ? {} : /^pg-[0-9a-f]+$/.test(group) ? { GroupId: group } : { GroupName: group }),
    ...(partition === undefined ? {} : { PartitionNumber: partition }),
    ...(tenancy === undefined ? {} : { Tenancy: tenancy }),
    ...(hostId === undefined ? {} : { HostId: hostId }),
  };
}

function base64Of(userData: string | Buffer): string {
  const bytes = typeof userData === "string" ? Buffer.from(userData, "utf8") : userData;
  return bytes.toString("base64");
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
      ...(volume.initializationRate === undefined
        ? {}
        : { VolumeInitializationRate: volume.initializationRate }),
      ...(volume.encrypted === undefined ? {} : { Encrypted: volume.encrypted }),
      ...(volume.kmsKeyId === undefined ? {} : { KmsKeyId: volume.kmsKeyId }),
    },
  };
}

function profileOf(nameOrArn: string): { Arn: string } | { Name: string } {
  return nameOrArn.startsWith("arn:") ? { Arn: nameOrArn } : { Name: nameOrArn };
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

import {
  RunInstancesCommand,
  type BlockDeviceMapping,
  type RunInstancesCommandInput,
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
  /** Plain text, or bytes such as those of a gzip; encoded here. */
  readonly userData: string | Buffer | undefined;
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
      : { UserData: base64Of(request.userData) }),
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

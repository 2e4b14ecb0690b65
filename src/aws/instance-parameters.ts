import type {
  BlockDeviceMapping,
  InstanceMarketOptionsRequest,
  Placement as Ec2Placement,
  RequestLaunchTemplateData,
  RunInstancesCommandInput,
  TagSpecification,
  _InstanceType,
} from "@aws-sdk/client-ec2";
import { BakeError } from "../base/errors.ts";
import type { Placement, RootVolume, RunInstancesRequest, SpotMarket } from "./run-instances.ts";
import { writeTags, type Tags } from "./tags.ts";

/** What an instance is like, in the words that RunInstances and launch templates share. */
type InstanceParameters = Pick<
  RunInstancesCommandInput & RequestLaunchTemplateData,
  | "ImageId"
  | "InstanceType"
  | "InstanceInitiatedShutdownBehavior"
  | "MetadataOptions"
  | "TagSpecifications"
  | "InstanceMarketOptions"
  | "Placement"
  | "EbsOptimized"
  | "DisableApiTermination"
  | "KeyName"
  | "BlockDeviceMappings"
  | "IamInstanceProfile"
  | "UserData"
>;

/**
 * What an instance of this request is like, apart from where in the network it is: what a launch sends and what a launch
 * template holds is made here and nowhere else, so that both give the same machine.
 */
export function instanceParameters(request: RunInstancesRequest): InstanceParameters {
  const market = marketOf(request.spot);
  return {
    ImageId: request.imageId,
    InstanceType: instanceType(request.type),
    InstanceInitiatedShutdownBehavior: request.shutdownBehavior,
    MetadataOptions: {
      HttpEndpoint: "enabled",
      HttpTokens: "required",
      HttpPutResponseHopLimit: 1,
      InstanceMetadataTags: "enabled",
    },
    TagSpecifications: tagSpecifications(request, market),
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
  };
}

/** What of a request is said anew when an instance starts from a template. */
export function overridesOf(
  request: RunInstancesRequest,
): Pick<InstanceParameters, "TagSpecifications" | "DisableApiTermination"> {
  return {
    TagSpecifications: tagSpecifications(request, marketOf(request.spot)),
    DisableApiTermination: request.protect === true,
  };
}

/** What a launch template holds of a request: everything but the subnet, which whoever starts instances from it chooses. */
export function templateData(request: RunInstancesRequest): RequestLaunchTemplateData {
  return { ...instanceParameters(request), ...placeOf({ ...request, subnetId: undefined }) };
}

function tagSpecifications(
  { tags }: RunInstancesRequest,
  market: SpotMarket | undefined,
): TagSpecification[] {
  return [
    tagsOf("instance", tags),
    tagsOf("volume", tags),
    ...(market?.tags === undefined ? [] : [tagsOf("spot-instances-request", market.tags)]),
  ];
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
export function placeOf(
  request: RunInstancesRequest,
): Pick<RunInstancesCommandInput & RequestLaunchTemplateData, "SecurityGroupIds" | "NetworkInterfaces"> &
  Pick<RunInstancesCommandInput, "SubnetId"> {
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

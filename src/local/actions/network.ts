import { createHash } from "node:crypto";
import { z } from "zod";
import { ApiError, byId, byIds, invalidValue } from "../protocol/errors.ts";
import { filtered, filterParameters, page, pageParameters } from "../protocol/listing.ts";
import { flag, list, text } from "../protocol/query.ts";
import { accountId, subnets, vpcId, type State } from "../state/schema.ts";
import { action } from "./action.ts";

/** Where an instance is to be put. */
export interface NetworkRequest {
  readonly subnetId: string | undefined;
  readonly groupIds: readonly string[];
  readonly groupNames: readonly string[];
  readonly zone: string | undefined;
  readonly interfaces: readonly {
    readonly DeviceIndex: number;
    readonly SubnetId?: string | undefined;
    readonly SecurityGroupId: readonly string[];
    readonly AssociatePublicIpAddress?: boolean | undefined;
    readonly DeleteOnTermination?: boolean | undefined;
  }[];
}

export interface Network {
  readonly subnetId: string;
  readonly zone: string;
  readonly groupIds: string[];
  readonly hasPublicAddress: boolean;
}

/** @throws ApiError for what does not exist or does not go together. */
export function chooseNetwork(state: State, region: string, request: NetworkRequest): Network {
  const [primary, second] = request.interfaces;
  if (second !== undefined || (primary !== undefined && primary.DeviceIndex !== 0)) {
    throw invalidValue(
      "NetworkInterface",
      "...",
      "A local instance has one network interface, with device index 0.",
    );
  }
  if (primary !== undefined) {
    if (request.subnetId !== undefined || request.groupIds.length > 0 || request.groupNames.length > 0) {
      throw new ApiError(
        "InvalidParameterCombination",
        "Network interfaces and an instance-level subnet ID or security groups may not be specified on the same request",
      );
    }
    if (primary.DeleteOnTermination === false) {
      throw invalidValue(
        "NetworkInterface.1.DeleteOnTermination",
        "false",
        "The interface goes with its instance.",
      );
    }
  }
  const subnet = subnetFor(region, primary?.SubnetId ?? request.subnetId, request.zone);
  const groupIds = [
    ...byIds("group", primary?.SecurityGroupId ?? request.groupIds, state.securityGroups, ({ id }) => id),
    ...request.groupNames.map((name) => groupNamed(state, name)),
  ].map(({ id }) => id);
  return {
    subnetId: subnet.id,
    zone: `${region}${subnet.letter}`,
    groupIds: groupIds.length > 0 ? [...new Set(groupIds)] : [groupNamed(state, "default").id],
    hasPublicAddress: primary?.AssociatePublicIpAddress ?? true,
  };
}

function subnetFor(
  region: string,
  id: string | undefined,
  zone: string | undefined,
): (typeof subnets)[number] {
  const subnet =
    id === undefined
      ? subnets.find(({ letter }) => zone === undefined || zone === `${region}${letter}`)
      : byId("subnet", id, subnets, (each) => each.id);
  if (subnet === undefined || (zone !== undefined && zone !== `${region}${subnet.letter}`)) {
    throw invalidValue(
      "Placement.AvailabilityZone",
      zone ?? "",
      `Expecting the zone of the subnet, one of ${subnets.map(({ letter }) => region + letter).join(", ")}.`,
    );
  }
  return subnet;
}

/** @throws ApiError `InvalidGroup.NotFound` */
export function groupNamed(state: State, name: string): State["securityGroups"][number] {
  const group = state.securityGroups.find((each) => each.name === name);
  if (group !== undefined) return group;
  throw new ApiError(
    "InvalidGroup.NotFound",
    `The security group '${name}' does not exist in default VPC '${vpcId}'`,
  );
}

/** An address of 169.254.0.0/16 that no instance has; the first and last 256 are kept for the network itself. */
export function freePrivateAddress(state: State): string {
  const taken = new Set(
    state.instances.flatMap((it) => (it.state === "terminated" ? [] : it.privateAddress)),
  );
  for (let number = 0x0110; number < 0xa900; number += 1) {
    const last = number & 0xff;
    const address = `169.254.${number >> 8}.${last}`;
    if (last > 0 && last < 255 && !taken.has(address)) return address;
  }
  throw new ApiError("InsufficientFreeAddressesInSubnet", "The subnet has no free addresses left");
}

/** A locally administered MAC address, always the same for the same instance. */
export function macFor(instanceId: string): string {
  const bytes = createHash("sha256").update(instanceId).digest().subarray(0, 5);
  return ["02", ...Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0"))].join(":");
}

export const networkActions = [
  action(
    "DescribeVpcs",
    z.strictObject({ VpcId: list(text), ...filterParameters, ...pageParameters }),
    async (_, request) => {
      const all = request.VpcId.length > 0 ? byIds("vpc", request.VpcId, [vpcId], (id) => id) : [vpcId];
      const matching = filtered(
        all,
        request.Filter,
        {
          "vpc-id": (id) => [id],
          "is-default": () => ["true"],
          isDefault: () => ["true"],
          state: () => ["available"],
          "owner-id": () => [accountId],
          cidr: () => ["169.254.0.0/16"],
        },
        () => ({}),
      );
      const { items, nextToken } = page(matching, request);
      return Promise.resolve({
        vpcSet: items.map((id) => ({
          vpcId: id,
          ownerId: accountId,
          state: "available",
          cidrBlock: "169.254.0.0/16",
          instanceTenancy: "default",
          isDefault: true,
        })),
        nextToken,
      });
    },
  ),

  action(
    "DescribeSubnets",
    z.strictObject({ SubnetId: list(text), ...filterParameters, ...pageParameters }),
    async (context, request) => {
      const zoneOf = (subnet: { letter: string }): string => `${context.region}${subnet.letter}`;
      const all =
        request.SubnetId.length > 0
          ? byIds("subnet", request.SubnetId, subnets, ({ id }) => id)
          : [...subnets];
      const isDefault = (): string[] => ["true"];
      const matching = filtered(
        all,
        request.Filter,
        {
          "subnet-id": ({ id }) => [id],
          "vpc-id": () => [vpcId],
          "availability-zone": (subnet) => [zoneOf(subnet)],
          availabilityZone: (subnet) => [zoneOf(subnet)],
          "default-for-az": isDefault,
          defaultForAz: isDefault,
          "map-public-ip-on-launch": isDefault,
          state: () => ["available"],
          "owner-id": () => [accountId],
        },
        () => ({}),
      );
      const { items, nextToken } = page(matching, request);
      return Promise.resolve({
        subnetSet: items.map((subnet) => ({
          subnetId: subnet.id,
          subnetArn: `arn:aws:ec2:${context.region}:${accountId}:subnet/${subnet.id}`,
          state: "available",
          ownerId: accountId,
          vpcId,
          cidrBlock: subnet.cidr,
          availableIpAddressCount: 30_000,
          availabilityZone: zoneOf(subnet),
          availabilityZoneId: zoneOf(subnet),
          defaultForAz: true,
          mapPublicIpOnLaunch: true,
          assignIpv6AddressOnCreation: false,
        })),
        nextToken,
      });
    },
  ),

  action(
    "DescribeAvailabilityZones",
    z.strictObject({ ZoneName: list(text), AllAvailabilityZones: flag.optional(), ...filterParameters }),
    async (context, request) => {
      const zones = subnets.map(({ letter }) => `${context.region}${letter}`);
      const unknown = request.ZoneName.find((name) => !zones.includes(name));
      if (unknown !== undefined) throw invalidValue("ZoneName", unknown, "There is no such zone.");
      const matching = filtered(
        zones.filter((name) => request.ZoneName.length === 0 || request.ZoneName.includes(name)),
        request.Filter,
        {
          "zone-name": (name) => [name],
          "zone-id": (name) => [name],
          "region-name": () => [context.region],
          state: () => ["available"],
          "zone-type": () => ["availability-zone"],
          "opt-in-status": () => ["opt-in-not-required"],
        },
        () => ({}),
      );
      return Promise.resolve({
        availabilityZoneInfo: matching.map((name) => ({
          zoneName: name,
          zoneId: name,
          zoneState: "available",
          regionName: context.region,
          zoneType: "availability-zone",
          groupName: context.region,
          networkBorderGroup: context.region,
          optInStatus: "opt-in-not-required",
          messageSet: [],
        })),
      });
    },
  ),

  action(
    "DescribeRegions",
    z.strictObject({ RegionName: list(text), AllRegions: flag.optional(), ...filterParameters }),
    async (context, request) => {
      const unknown = request.RegionName.find((name) => name !== context.region);
      if (unknown !== undefined) throw invalidValue("RegionName", unknown, "There is no such Region.");
      const matching = filtered(
        [context.region],
        request.Filter,
        {
          "region-name": (name) => [name],
          endpoint: (name) => [`ec2.${name}.amazonaws.com`],
          "opt-in-status": () => ["opt-in-not-required"],
        },
        () => ({}),
      );
      return Promise.resolve({
        regionInfo: matching.map((regionName) => ({
          regionName,
          regionEndpoint: `ec2.${regionName}.amazonaws.com`,
          optInStatus: "opt-in-not-required",
        })),
      });
    },
  ),
];

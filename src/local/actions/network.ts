import { createHash } from "node:crypto";
import { z } from "zod";
import { ApiError, byId, byIds, invalidValue } from "../protocol/errors.ts";
import { flag, integer, list, text } from "../protocol/query.ts";
import { subnets, vpcId, type State } from "../state/schema.ts";

/** The parameter table of the network interfaces of a launch. */
export const networkInterfaceParameters = list(
  z.strictObject({
    DeviceIndex: integer,
    SubnetId: text.optional(),
    SecurityGroupId: list(text),
    AssociatePublicIpAddress: flag.optional(),
    Ipv6AddressCount: integer.optional(),
    DeleteOnTermination: flag.optional(),
  }),
);

/** Where an instance is to be put. */
export interface NetworkRequest {
  readonly subnetId: string | undefined;
  readonly groupIds: readonly string[];
  readonly groupNames: readonly string[];
  readonly zone: string | undefined;
  readonly ipv6Count: number | undefined;
  readonly interfaces: z.output<typeof networkInterfaceParameters>;
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
  checkIpv6(subnet.id, primary?.Ipv6AddressCount ?? request.ipv6Count ?? 0);
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

/** The network of local machines is QEMU's, whose IPv6 nobody outside can reach: no subnet has a block. */
function checkIpv6(subnetId: string, count: number): void {
  if (count === 0) return;
  throw new ApiError(
    "InvalidParameterCombination",
    `The subnet '${subnetId}' does not have an IPv6 CIDR block. The local cloud has IPv4 only.`,
  );
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

/**
 * The last two bytes of the addresses that a subnet gives: the first 256 are kept for the network itself, and those from
 * 169.254.169 on because the metadata service is there.
 */
const ranges: Readonly<Record<(typeof subnets)[number]["letter"], readonly [first: number, end: number]>> = {
  a: [0x0110, 0x8000],
  b: [0x8000, 0xa900],
};

function takenAddresses(state: State): ReadonlySet<string> {
  return new Set(state.instances.flatMap((it) => (it.state === "terminated" ? [] : it.privateAddress)));
}

/** The public addresses that are given out: those of instances, and Elastic IP addresses. */
export function takenPublicAddresses({ instances, addresses }: State): ReadonlySet<string> {
  return new Set([
    ...instances.flatMap(({ publicAddress }) => publicAddress ?? []),
    ...addresses.map(({ address }) => address),
  ]);
}

function* addressesOf({ letter }: (typeof subnets)[number]): Generator<string> {
  const [first, end] = ranges[letter];
  for (let number = first; number < end; number += 1) {
    const last = number & 0xff;
    if (last > 0 && last < 255) yield `169.254.${number >> 8}.${last}`;
  }
}

/** How many addresses a subnet still has. */
export function countFreeAddresses(state: State, subnet: (typeof subnets)[number]): number {
  const [first, end] = ranges[subnet.letter];
  const used = state.instances.filter((it) => it.state !== "terminated" && it.subnetId === subnet.id);
  return Math.floor((254 / 256) * (end - first)) - used.length;
}

/** An address of a subnet that no instance has. */
export function freePrivateAddress(state: State, subnetId: string): string {
  const taken = takenAddresses(state);
  const subnet = byId("subnet", subnetId, subnets, ({ id }) => id);
  for (const address of addressesOf(subnet)) if (!taken.has(address)) return address;
  throw new ApiError("InsufficientFreeAddressesInSubnet", "The subnet has no free addresses left");
}

/** A locally administered MAC address, always the same for the same instance. */
export function macFor(instanceId: string): string {
  const bytes = createHash("sha256").update(instanceId).digest().subarray(0, 5);
  return ["02", ...Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0"))].join(":");
}

import type { Cloud } from "./cloud.ts";
import type { Instance } from "./instances.ts";
import { describeSubnets, describeVpcs, type Subnet } from "./network.ts";
import { BakeError } from "../base/errors.ts";

/** By which of its addresses a machine is reached. */
export const sshInterfaces = ["public-ip", "private-ip", "ipv6", "public-dns"] as const;
export type SshInterface = (typeof sshInterfaces)[number];

export interface PlaceRequest {
  readonly vpc: string | undefined;
  /** In the order in which they are tried; empty for all that fit. */
  readonly subnets: readonly string[];
  readonly sshInterface: SshInterface;
}

export interface Place {
  readonly vpcId: string;
  /** At least one; the later ones are for when the first has no capacity. */
  readonly subnets: readonly Subnet[];
}

/**
 * Where machines may be started: the subnets that were named, else those of the VPC, else of the default VPC.
 * @throws BakeError `usage` when there is none that fits.
 */
export async function findPlace(cloud: Cloud, request: PlaceRequest, signal: AbortSignal): Promise<Place> {
  if (request.subnets.length > 0) return await namedSubnets(cloud, request, signal);
  const vpcId = request.vpc ?? (await defaultVpc(cloud, signal));
  const all = await describeSubnets(cloud, [{ Name: "vpc-id", Values: [vpcId] }], signal);
  const subnets = fittingSubnets(all, request.sshInterface);
  if (subnets.length > 0) return { vpcId, subnets };
  throw new BakeError("usage", `VPC ${vpcId} has no subnet that fits`, {
    details: all.map((subnet) => `${subnet.id} in ${subnet.zone}: ${whyNot(subnet, request.sshInterface)}`),
    hint: "name a subnet with --subnet, or reach the machine another way",
  });
}

async function defaultVpc(cloud: Cloud, signal: AbortSignal): Promise<string> {
  const [vpc] = await describeVpcs(cloud, [{ Name: "is-default", Values: ["true"] }], signal);
  if (vpc !== undefined) return vpc;
  throw new BakeError("usage", "this Region has no default VPC", {
    hint: "name one with --vpc or --subnet, make one with `aws ec2 create-default-vpc`, or use another Region",
  });
}

async function namedSubnets(cloud: Cloud, request: PlaceRequest, signal: AbortSignal): Promise<Place> {
  const filters = [{ Name: "subnet-id", Values: [...request.subnets] }];
  const found = await describeSubnets(cloud, filters, signal);
  const subnets = request.subnets.map((id) => {
    const subnet = found.find((each) => each.id === id);
    if (subnet !== undefined) return subnet;
    throw new BakeError("usage", `there is no subnet ${id} here`, {
      hint: "check the Region and the account",
    });
  });
  const given = request.vpc === undefined ? [] : [request.vpc];
  const vpcIds = [...new Set([...given, ...subnets.map((subnet) => subnet.vpcId)])];
  const [vpcId, other] = vpcIds;
  if (vpcId === undefined || other !== undefined) {
    throw new BakeError("usage", `the subnets are not all in one VPC: ${vpcIds.join(", ")}`, {
      hint: "name subnets of one VPC; a security group is in one alone",
    });
  }
  return { vpcId, subnets };
}

/** The subnets in which a machine can be reached in this way, those that EC2 prefers first; by zone, so that it is stable. */
export function fittingSubnets(subnets: readonly Subnet[], sshInterface: SshInterface): Subnet[] {
  return subnets
    .filter((subnet) => whyNot(subnet, sshInterface) === undefined)
    .sort(
      (a, b) =>
        Number(b.isDefault) - Number(a.isDefault) || a.zone.localeCompare(b.zone) || a.id.localeCompare(b.id),
    );
}

function whyNot(subnet: Subnet, sshInterface: SshInterface): string | undefined {
  if (subnet.freeAddresses === 0) return "it has no free address";
  if (sshInterface === "ipv6") return subnet.hasIpv6 ? undefined : "it has no IPv6 addresses";
  if (sshInterface === "private-ip" || subnet.givesPublicAddress) return undefined;
  return "it gives no public address, which may mean that it has no way to the internet";
}

/** The address by which an instance is reached; undefined while it has none. */
export function addressOf(instance: Instance, sshInterface: SshInterface): string | undefined {
  switch (sshInterface) {
    case "public-ip":
      return instance.publicAddress;
    case "private-ip":
      return instance.privateAddress;
    case "ipv6":
      return instance.ipv6Address;
    case "public-dns":
      return instance.publicDns;
  }
}

/** One way to start a machine. */
export interface Attempt {
  readonly type: string;
  readonly subnet: Subnet;
  readonly spot: boolean;
}

/**
 * Every way to start a machine, the wanted ones first: spot before on-demand, because that is what was asked for; then
 * the types as they were given; then the zones, because another zone costs nothing.
 */
export function attempts(types: readonly string[], subnets: readonly Subnet[], spot: boolean): Attempt[] {
  const markets = spot ? [true, false] : [false];
  return markets.flatMap((market) =>
    types.flatMap((type) => subnets.map((subnet) => ({ type, subnet, spot: market }))),
  );
}

export function describeAttempt({ type, subnet, spot }: Attempt): string {
  return `${spot ? "spot " : ""}${type} in ${subnet.zone} (${subnet.id})`;
}

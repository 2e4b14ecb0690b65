import { DescribeSubnetsCommand, DescribeVpcsCommand, type Filter } from "@aws-sdk/client-ec2";
import { allPages, present, type Cloud } from "./cloud.ts";

/** A subnet, as far as it matters to where an instance is put. */
export interface Subnet {
  readonly id: string;
  readonly vpcId: string;
  /** Name of the availability zone. */
  readonly zone: string;
  /** Whether it is the default subnet of its zone. */
  readonly isDefault: boolean;
  /** Whether its instances get a public IPv4 address unasked. */
  readonly givesPublicAddress: boolean;
  readonly hasIpv6: boolean;
  readonly freeAddresses: number;
}

/** Ids of the VPCs that match all filters. */
export async function describeVpcs(cloud: Cloud, filters: Filter[], signal: AbortSignal): Promise<string[]> {
  const pages = await allPages((next) =>
    cloud.ask("DescribeVpcs", signal, (o) =>
      cloud.ec2.send(new DescribeVpcsCommand({ Filters: filters, ...next }), o),
    ),
  );
  return pages.flatMap((page) => (page.Vpcs ?? []).flatMap((raw) => raw.VpcId ?? []));
}

/** The subnets that match all filters. */
export async function describeSubnets(
  cloud: Cloud,
  filters: Filter[],
  signal: AbortSignal,
): Promise<Subnet[]> {
  const pages = await allPages((next) =>
    cloud.ask("DescribeSubnets", signal, (o) =>
      cloud.ec2.send(new DescribeSubnetsCommand({ Filters: filters, ...next }), o),
    ),
  );
  return pages.flatMap((page) =>
    (page.Subnets ?? []).map((raw) => ({
      id: present(raw.SubnetId, "subnet id"),
      vpcId: present(raw.VpcId, "VPC of a subnet"),
      zone: raw.AvailabilityZone ?? "",
      isDefault: raw.DefaultForAz === true,
      givesPublicAddress: raw.MapPublicIpOnLaunch === true,
      hasIpv6: (raw.Ipv6CidrBlockAssociationSet ?? []).some(
        ({ Ipv6CidrBlockState: state }) => state?.State === "associated",
      ),
      freeAddresses: raw.AvailableIpAddressCount ?? 0,
    })),
  );
}

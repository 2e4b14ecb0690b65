import { z } from "zod";
import { byIds, invalidValue } from "../protocol/errors.ts";
import { filtered, filterParameters, page, pageParameters } from "../protocol/listing.ts";
import { flag, list, text } from "../protocol/query.ts";
import { accountId, subnets, vpcId } from "../state/schema.ts";
import { countFreeAddresses } from "./network.ts";
import { action } from "./action.ts";

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
      const state = await context.read();
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
          cidr: ({ cidr }) => [cidr],
          cidrBlock: ({ cidr }) => [cidr],
          "cidr-block": ({ cidr }) => [cidr],
          "availability-zone-id": (subnet) => [zoneOf(subnet)],
          "available-ip-address-count": (subnet) => [String(countFreeAddresses(state, subnet))],
          "ipv6-native": () => ["false"],
          "map-public-ip-on-launch": isDefault,
          state: () => ["available"],
          "owner-id": () => [accountId],
        },
        () => ({}),
      );
      const { items, nextToken } = page(matching, request);
      return {
        subnetSet: items.map((subnet) => ({
          subnetId: subnet.id,
          subnetArn: `arn:aws:ec2:${context.region}:${accountId}:subnet/${subnet.id}`,
          state: "available",
          ownerId: accountId,
          vpcId,
          cidrBlock: subnet.cidr,
          availableIpAddressCount: countFreeAddresses(state, subnet),
          availabilityZone: zoneOf(subnet),
          availabilityZoneId: zoneOf(subnet),
          defaultForAz: true,
          mapPublicIpOnLaunch: true,
          assignIpv6AddressOnCreation: false,
          ipv6CidrBlockAssociationSet: [],
          tagSet: [],
          ipv6Native: false,
        })),
        nextToken,
      };
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

import { createHash } from "node:crypto";
import { z } from "zod";
import { flag, integer, list, text } from "../protocol/query.ts";
import { networkInterfaceParameters } from "./network.ts";
import { blockDeviceParameters } from "./root-volume.ts";
import { tagSpecificationParameters } from "./tags.ts";

/** What a launch takes that a launch template may hold as well. */
export const launchParameters = {
  /** Or `resolve:ssm:` and the name of a parameter that holds it. */
  ImageId: text.optional(),
  InstanceType: text.optional(),
  KeyName: text.optional(),
  SecurityGroupId: list(text),
  SecurityGroup: list(text),
  NetworkInterface: networkInterfaceParameters,
  UserData: text.optional(),
  IamInstanceProfile: z.strictObject({ Arn: text.optional(), Name: text.optional() }).optional(),
  InstanceInitiatedShutdownBehavior: z.enum(["stop", "terminate"]).optional(),
  InstanceMarketOptions: z
    .strictObject({
      MarketType: z.literal("spot"),
      SpotOptions: z
        .strictObject({
          SpotInstanceType: z.enum(["one-time", "persistent"]).optional(),
          InstanceInterruptionBehavior: z.enum(["terminate", "stop", "hibernate"]).optional(),
          MaxPrice: text.optional(),
        })
        .optional(),
    })
    .optional(),
  Placement: z
    .strictObject({
      AvailabilityZone: text.optional(),
      GroupName: text.optional(),
      GroupId: text.optional(),
      PartitionNumber: integer.optional(),
      Tenancy: z.enum(["default", "dedicated", "host"]).optional(),
      HostId: text.optional(),
    })
    .optional(),
  EbsOptimized: flag.optional(),
  DisableApiTermination: flag.optional(),
  MetadataOptions: z
    .strictObject({
      HttpTokens: z.enum(["optional", "required"]).optional(),
      HttpEndpoint: z.enum(["enabled", "disabled"]).optional(),
      HttpPutResponseHopLimit: integer.optional(),
      HttpProtocolIpv6: z.literal("disabled").optional(),
      InstanceMetadataTags: z.enum(["enabled", "disabled"]).optional(),
    })
    .optional(),
  BlockDeviceMapping: blockDeviceParameters,
  ...tagSpecificationParameters,
};

/** What RunInstances takes here. */
export const runParameters = z.strictObject({
  ...launchParameters,
  MinCount: integer,
  MaxCount: integer,
  SubnetId: text.optional(),
  Ipv6AddressCount: integer.optional(),
  ClientToken: text.optional(),
  LaunchTemplate: z
    .strictObject({
      LaunchTemplateId: text.optional(),
      LaunchTemplateName: text.optional(),
      /** A number, `$Latest` or `$Default`. */
      Version: text.default("$Default"),
    })
    .optional(),
});

export type RunRequest = z.output<typeof runParameters>;

/** Names what was asked for: a client token may only be repeated with the same. */
export function digestOf(request: object): string {
  return createHash("sha256").update(JSON.stringify(request)).digest("hex");
}

import { createHash } from "node:crypto";
import { z } from "zod";
import { integer, list, text } from "../protocol/query.ts";
import { networkInterfaceParameters } from "./network.ts";
import { blockDeviceParameters } from "./root-volume.ts";
import { tagSpecificationParameters } from "./tags.ts";

/** What RunInstances takes here. */
export const runParameters = z.strictObject({
  /** Or `resolve:ssm:` and the name of a parameter that holds it. */
  ImageId: text,
  MinCount: integer,
  MaxCount: integer,
  InstanceType: text.default("t3.micro"),
  KeyName: text.optional(),
  SecurityGroupId: list(text),
  SecurityGroup: list(text),
  SubnetId: text.optional(),
  NetworkInterface: networkInterfaceParameters,
  Ipv6AddressCount: integer.optional(),
  UserData: text.optional(),
  ClientToken: text.optional(),
  IamInstanceProfile: z.strictObject({ Arn: text.optional(), Name: text.optional() }).optional(),
  InstanceInitiatedShutdownBehavior: z.enum(["stop", "terminate"]).optional(),
  InstanceMarketOptions: z
    .strictObject({
      MarketType: z.literal("spot"),
      SpotOptions: z
        .strictObject({
          // A persistent request would start instances again, which is another life than this cloud has.
          SpotInstanceType: z.literal("one-time").optional(),
          InstanceInterruptionBehavior: z.literal("terminate").optional(),
        })
        .optional(),
    })
    .optional(),
  Placement: z
    .strictObject({ AvailabilityZone: text.optional(), Tenancy: z.literal("default").optional() })
    .optional(),
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
});

export type RunRequest = z.output<typeof runParameters>;

/** Names what was asked for: a client token may only be repeated with the same. */
export function digestOf(request: RunRequest): string {
  return createHash("sha256").update(JSON.stringify(request)).digest("hex");
}

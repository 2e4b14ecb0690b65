import { RunInstancesCommand } from "@aws-sdk/client-ec2";
import type { Cloud } from "./cloud.ts";
import { describeInstances, readInstance, type Instance } from "./instance.ts";
import { instanceParameters, overridesOf, placeOf } from "./instance-parameters.ts";
import type { Tags } from "./tags.ts";
import { newVisibleSeconds } from "./visibility.ts";

export { instanceType } from "./instance-parameters.ts";

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
  /**
   * A version of a launch template that was made of this very request: then all but the tags, the place and the protection, which
   * are not of the template, are taken from there.
   */
  readonly template?: { readonly id: string; readonly version: number };
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
  const { template } = request;
  const command = new RunInstancesCommand({
    ...(template === undefined
      ? instanceParameters(request)
      : {
          ...overridesOf(request),
          LaunchTemplate: { LaunchTemplateId: template.id, Version: String(template.version) },
        }),
    ...placeOf(request),
    MinCount: request.count,
    MaxCount: request.count,
    ClientToken: request.clientToken,
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

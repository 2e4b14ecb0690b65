import type { SourceQuery } from "../bake/source.ts";
import { Cloud } from "../aws/cloud.ts";
import { BakeError, messageOf } from "../base/errors.ts";
import type { Context, GlobalOptions } from "./context.ts";
import { localCloudDirectory } from "./data-directory.ts";

/** The cloud that was chosen, and what is sensible there when nothing is said. */
export interface Endpoint {
  readonly cloud: Cloud;
  readonly source: SourceQuery;
  readonly instanceType: string;
  /** The addresses that this computer's connections come from. */
  readonly callerCidr: (signal: AbortSignal) => Promise<string>;
  readonly ownerOf: (signal: AbortSignal) => Promise<string>;
}

/** The only place that knows whether the cloud is AWS or this computer. */
export async function openEndpoint(options: GlobalOptions, context: Context): Promise<Endpoint> {
  return options.local ? await openLocal(options, context) : openAws(options);
}

function ownerOf(options: GlobalOptions, cloud: Cloud): (signal: AbortSignal) => Promise<string> {
  return async (signal) => options.owner ?? (await cloud.callerArn(signal));
}

async function openLocal(options: GlobalOptions, context: Context): Promise<Endpoint> {
  const { openLocalCloud, requestHandler } = await import("../local/index.ts");
  const local = openLocalCloud({ directory: localCloudDirectory(context.environment) });
  const cloud = new Cloud({
    region: options.region ?? "local",
    requestHandler: requestHandler(local),
    credentials: { accessKeyId: "local", secretAccessKey: "local" },
  });
  return {
    cloud,
    source: {
      kind: "newest",
      owner: "amazon",
      name: "debian-12*",
      architecture: undefined,
      login: "admin",
      hint: "make the base image first: `bake-ami local setup`",
    },
    instanceType: "t3.small",
    callerCidr: () => Promise.resolve("127.0.0.0/8"),
    ownerOf: ownerOf(options, cloud),
  };
}

function openAws(options: GlobalOptions): Endpoint {
  const cloud = new Cloud({ region: options.region, profile: options.profile });
  return {
    cloud,
    source: {
      kind: "newest",
      owner: "amazon",
      name: "al2023-ami-2023.*-kernel-*-x86_64",
      architecture: "x86_64",
      login: "ec2-user",
      hint: "this Region has no Amazon Linux 2023; give an image with --source-ami",
    },
    instanceType: "t3.small",
    callerCidr,
    ownerOf: ownerOf(options, cloud),
  };
}

/** AWS's own service that tells a caller its public address. */
const addressService = "https://checkip.amazonaws.com/";

async function callerCidr(signal: AbortSignal): Promise<string> {
  let text: string;
  try {
    const reply = await fetch(addressService, {
      signal: AbortSignal.any([signal, AbortSignal.timeout(10_000)]),
    });
    text = (await reply.text()).trim();
  } catch (error) {
    throw new BakeError("failed", `cannot find out this computer's public address: ${messageOf(error)}`, {
      hint: "say who may connect with --allow-cidr, for example --allow-cidr 203.0.113.7/32",
    });
  }
  if (/^\d+\.\d+\.\d+\.\d+$/.test(text)) return `${text}/32`;
  if (/^[0-9a-f:]+$/i.test(text) && text.includes(":")) return `${text}/128`;
  throw new BakeError("failed", `${addressService} answered something that is no address`, {
    hint: "say who may connect with --allow-cidr",
  });
}

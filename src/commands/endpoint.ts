import { networkInterfaces } from "node:os";
import type { SshInterface } from "../aws/placement.ts";
import type { Architecture, SourceQuery } from "../bake/source.ts";
import type { Retry } from "../aws/call.ts";
import { Cloud, type CloudOptions } from "../aws/cloud.ts";
import { BakeError, messageOf } from "../base/errors.ts";
import type { Listener } from "../report/events.ts";
import type { Context, GlobalOptions } from "./context.ts";
import { localCloudDirectory } from "./data-directory.ts";
import { checkWritable } from "./writable.ts";

/** How this computer's connections will reach a machine. */
export interface Way {
  readonly sshInterface: SshInterface;
  /** Through a proxy command, so that they come from somewhere else. */
  readonly proxied: boolean;
}

/** The cloud that was chosen, and what is sensible there when nothing is said. */
export interface Endpoint {
  readonly cloud: Cloud;
  readonly newestSource: (minimal: boolean) => SourceQuery;
  readonly defaultTypes: Readonly<Record<Architecture, string>>;
  /** By which of their addresses machines can be reached at all. */
  readonly sshInterfaces: readonly SshInterface[];
  /** The addresses that this computer's connections come from. */
  readonly callerCidrs: (way: Way, signal: AbortSignal) => Promise<readonly string[]>;
  readonly ownerOf: (signal: AbortSignal) => Promise<string>;
}

const defaultTypes = { x86_64: "t3.small", arm64: "t4g.small" } as const;

/**
 * The only place that knows whether the cloud is AWS or this computer.
 * @param access whether anything is going to be changed; who only looks needs no place to write to
 */
export async function openEndpoint(
  options: GlobalOptions,
  context: Context,
  listener?: Listener,
  access: "change" | "look" = "change",
): Promise<Endpoint> {
  const onRetry = listener === undefined ? {} : { onRetry: noteOfRetry(listener) };
  return options.local ? await openLocal(options, context, access, onRetry) : openAws(options, onRetry);
}

/** Says when a call is made for the third time and more: once is nothing that anybody needs to know. */
function noteOfRetry(listener: Listener): (retry: Retry) => void {
  return ({ action, problem, attempts, delayMs }) => {
    if (attempts < 2) return;
    const why = problem === "not-found" ? "does not find yet what was just made" : `is ${problem}`;
    const message = `${action} ${why}; attempt ${attempts + 1} in ${(delayMs / 1000).toFixed(1)} s`;
    listener({ type: "note", at: Date.now(), message });
  };
}

function ownerOf(options: GlobalOptions, cloud: Cloud): (signal: AbortSignal) => Promise<string> {
  return async (signal) => options.owner ?? (await cloud.callerArn(signal));
}

async function openLocal(
  options: GlobalOptions,
  context: Context,
  access: "change" | "look",
  more: Pick<CloudOptions, "onRetry">,
): Promise<Endpoint> {
  const { openLocalCloud, readFaultPlan, readPolicy, requestHandler } = await import("../local/index.ts");
  const faults = context.environment["BAKE_AMI_LOCAL_FAULTS"] ?? "";
  const policy = context.environment["BAKE_AMI_LOCAL_POLICY"] ?? "";
  const directory = localCloudDirectory(context.environment);
  if (access === "change") await checkWritable(directory, context.environment, ["state.json"]);
  const local = openLocalCloud({
    directory,
    ...(faults === "" ? {} : { faults: await readFaultPlan(faults) }),
    ...(policy === "" ? {} : { policy: await readPolicy(policy) }),
  });
  const cloud = new Cloud({
    region: options.region ?? "local",
    requestHandler: requestHandler(local),
    credentials: { accessKeyId: "local", secretAccessKey: "local" },
    objects: { endpoint: "http://169.254.169.252", forcePathStyle: true },
    ...more,
  });
  return {
    cloud,
    newestSource: (minimal) => ({
      kind: "newest",
      owner: "amazon",
      name: minimal ? "al2023-ami-minimal-2023.*" : "debian-12*",
      architecture: undefined,
      login: minimal ? "ec2-user" : "admin",
      hint: minimal
        ? "the local cloud has no minimal Amazon Linux 2023; leave --minimal out"
        : "make the base image first: `bake-ami local setup`",
    }),
    defaultTypes,
    sshInterfaces: ["public-ip"],
    callerCidrs: () => Promise.resolve(["127.0.0.0/8"]),
    ownerOf: ownerOf(options, cloud),
  };
}

function openAws(options: GlobalOptions, more: Pick<CloudOptions, "onRetry">): Endpoint {
  const cloud = new Cloud({ region: options.region, profile: options.profile, ...more });
  return {
    cloud,
    newestSource: (minimal) => ({
      kind: "newest",
      owner: "amazon",
      name: `al2023-ami-${minimal ? "minimal-" : ""}2023.*-kernel-*-{arch}`,
      architecture: "x86_64",
      login: "ec2-user",
      hint: "this Region has no Amazon Linux 2023; give an image with --source-ami",
    }),
    defaultTypes,
    sshInterfaces: ["public-ip", "private-ip", "ipv6", "public-dns"],
    callerCidrs,
    ownerOf: ownerOf(options, cloud),
  };
}

/**
 * By a proxy the connections come from somewhere that only the user knows, and with Session Manager from the machine
 * itself: then nobody is let in who was not named.
 */
async function callerCidrs(way: Way, signal: AbortSignal): Promise<readonly string[]> {
  if (way.proxied) return [];
  if (way.sshInterface === "private-ip") return ownAddresses("IPv4", "/32");
  if (way.sshInterface === "ipv6") return ownAddresses("IPv6", "/128");
  return [await publicCidr(signal)];
}

/** This computer's own addresses, as another one in the same network sees them. */
function ownAddresses(family: "IPv4" | "IPv6", suffix: string): string[] {
  const found = Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    // fe80::/10 never leaves its link.
    .filter((each) => each.family === family && !each.internal && !each.address.startsWith("fe80:"))
    .map((each) => `${each.address}${suffix}`);
  if (found.length > 0) return found;
  throw new BakeError("usage", `this computer has no ${family} address that another one could see`, {
    hint: "say who may connect with --allow-cidr",
  });
}

/** AWS's own service that tells a caller its public address. */
const addressService = "https://checkip.amazonaws.com/";

async function publicCidr(signal: AbortSignal): Promise<string> {
  let text: string;
  try {
    const reply = await fetch(addressService, {
      signal: AbortSignal.any([signal, AbortSignal.timeout(10_000)]),
    });
    text = (await reply.text()).trim();
  } catch (error) {
    throw new BakeError("usage", `cannot find out this computer's public address: ${messageOf(error)}`, {
      hint: "say who may connect with --allow-cidr, for example --allow-cidr 203.0.113.7/32",
    });
  }
  if (/^\d+\.\d+\.\d+\.\d+$/.test(text)) return `${text}/32`;
  if (/^[0-9a-f:]+$/i.test(text) && text.includes(":")) return `${text}/128`;
  throw new BakeError("usage", `${addressService} answered something that is no address`, {
    hint: "say who may connect with --allow-cidr",
  });
}

import { describeKeyPairs, groupVpcs } from "../aws/access.ts";
import type { Cloud } from "../aws/cloud.ts";
import { findPlace, type Place } from "../aws/placement.ts";
import { imageTags, initOf, mostTags, namesIn, runTags, tagKeys, type Role } from "../aws/tags.ts";
import { BakeError } from "../base/errors.ts";
import { findAddress, type FreeAddress } from "./elastic-ip.ts";
import type { InstanceSettings, LaunchOptions } from "./options.ts";
import { launchUserData } from "./user-data.ts";

/** What is known before anything is created. */
export interface PreparedLaunch {
  readonly userData: Buffer | undefined;
  readonly place: Place;
  /** The Elastic IP that exists already, where one was named. */
  readonly address: FreeAddress | undefined;
  readonly tagsFor: (role: Role) => Map<string, string>;
  readonly machineTags: Map<string, string>;
}

/**
 * Checks whatever can be checked before anything is created, and finds where the machines may be.
 * @throws BakeError `usage`
 */
export async function prepareLaunch(options: LaunchOptions): Promise<PreparedLaunch> {
  const { cloud, run, owner, expires, signal } = options;
  const settings = options.instance ?? {};
  checkSettings(settings, options.count);
  const userData = userDataOf(options);
  const tagsFor = (role: Role): Map<string, string> =>
    new Map([
      ...(options.extraTags ?? []),
      ...runTags({ run, owner, role, ...(expires === undefined ? {} : { expires }) }),
    ]);
  const machineTags = tagsOfMachine(tagsFor(options.role ?? "machine"), options);
  if (settings.keyName !== undefined) await checkKeyPair(cloud, settings.keyName, signal);
  const place = await findLaunchPlace(cloud, settings, signal);
  const address =
    settings.elasticIp === undefined ? undefined : await findAddress(cloud, settings.elasticIp, signal);
  return { userData, place, address, tagsFor, machineTags };
}

/** What EC2 would refuse when the half of it is there already. */
function checkSettings({ spot, protect, elasticIp }: InstanceSettings, count: number): void {
  if (spot !== undefined && protect === true) {
    throw new BakeError("usage", "EC2 has no termination protection for spot instances", {
      hint: "leave out --protect or --spot",
    });
  }
  if (elasticIp !== undefined && count > 1) {
    throw new BakeError("usage", `one Elastic IP cannot be of ${count} machines`, {
      hint: "launch them one by one, each with an address of its own",
    });
  }
}

function userDataOf(options: LaunchOptions): Buffer | undefined {
  // EC2 takes one key pair; where the user names theirs, ours comes by cloud-init.
  const keys =
    options.instance?.keyName === undefined ? [] : [`ssh_authorized_keys:\n  - ${options.loginKey}`];
  const config = [...(options.bootcmd === undefined ? [] : [options.bootcmd.trimEnd()]), ...keys];
  return launchUserData({
    lines: options.request ?? [],
    ...(options.userData === undefined ? {} : { own: options.userData }),
    ...(config.length === 0 ? {} : { bootcmd: config.join("\n") }),
  });
}

/** What the machine and `ls` need to know: the image's services, and the ones to add. */
function tagsOfMachine(tags: Map<string, string>, options: LaunchOptions): Map<string, string> {
  const { choice, machineTags = new Map<string, string>() } = options;
  const image = choice.image.tags;
  const withTag = choice.late.join(" ");
  if (withTag.length > 256) {
    const message = `the names of the added services take ${withTag.length} characters, and a tag 256`;
    throw new BakeError("usage", message, { hint: "make one service that requires them all" });
  }
  const login = options.login ?? image.get(tagKeys.login);
  const all = new Map([
    ...tags,
    ...imageTags(namesIn(image, tagKeys.services), initOf(image)),
    ...machineTags,
    ...(login === undefined ? [] : [[tagKeys.login, login] as const]),
    ...(withTag === "" ? [] : [[tagKeys.with, withTag] as const]),
  ]);
  // An Elastic IP of its own may come on top.
  if (all.size < mostTags) return all;
  throw new BakeError("usage", `the machine would have ${all.size + 1} tags, and EC2 allows ${mostTags}`, {
    hint: "give fewer with --tag",
  });
}

async function checkKeyPair(cloud: Cloud, name: string, signal: AbortSignal): Promise<void> {
  const found = await describeKeyPairs(cloud, [{ Name: "key-name", Values: [name] }], signal);
  if (found.length > 0) return;
  throw new BakeError("usage", `there is no EC2 key pair ${name} here`, {
    hint: "`aws ec2 describe-key-pairs` lists yours; a key file of this computer goes with --identity",
  });
}

/** The subnets that were named, or those of the VPC of the groups that were named, or of the default VPC. */
async function findLaunchPlace(
  cloud: Cloud,
  { groupIds = [], subnets = [], publicAddress }: InstanceSettings,
  signal: AbortSignal,
): Promise<Place> {
  const vpcs = groupIds.length === 0 ? undefined : await groupVpcs(cloud, groupIds, signal);
  const [vpc, other] = new Set(vpcs?.values() ?? []);
  if (other !== undefined) {
    throw new BakeError("usage", "the security groups are of different VPCs", {
      details: [...(vpcs ?? [])].map(([group, ofGroup]) => `${group} is of ${ofGroup}`),
      hint: "a machine is in one VPC: name groups of one",
    });
  }
  // Who says whether there is to be a public address does not leave it to the subnet.
  const sshInterface = publicAddress === undefined ? "public-ip" : "private-ip";
  return await findPlace(cloud, { vpc, subnets, sshInterface }, signal);
}

import { createHash } from "node:crypto";
import {
  deleteKeyPair,
  deleteSecurityGroup,
  describeKeyPairs,
  describeSecurityGroups,
  openPorts,
  type OpenPort,
} from "../aws/access.ts";
import { isInUse } from "../aws/cloud-error.ts";
import type { TemplateVersion } from "../aws/launch-templates.ts";
import { tagKeys, type Tags } from "../aws/tags.ts";
import { temporaryGroup, temporaryKeyPair, type Creation } from "../aws/temporary.ts";
import { BakeError, messageOf } from "../base/errors.ts";
import { throwIfAborted } from "../base/wait.ts";
import type { LaunchOptions } from "../launch/options.ts";
import type { PreparedLaunch } from "../launch/prepare-launch.ts";
import type { Access } from "../launch/start-machines.ts";

/*
 * What lets people in to the machines of a template lives as long as the versions that name it. It is never changed: another login
 * key or other ports are another key pair and another group, and so another version, and the old versions are as they were.
 */

/**
 * The login key and the group of a template, unless the user has some; found when they are there, else made, and then undone with
 * the scope.
 */
export async function templateAccess(
  creation: Creation,
  name: string,
  options: LaunchOptions,
  prepared: PreparedLaunch,
): Promise<Access> {
  const { keyName, groupIds = [] } = options.instance ?? {};
  const clientName = `bake-ami-${options.run}`;
  return {
    name: clientName,
    keyName: keyName ?? (await findOrImportKey(creation, name, options, prepared)),
    groupIds: groupIds.length > 0 ? groupIds : [await findOrMakeGroup(creation, name, options, prepared)],
  };
}

/** A name that says what is behind it. */
function nameFor(template: string, content: readonly string[]): string {
  const digest = createHash("sha256").update(content.join("\n")).digest("hex").slice(0, 10);
  return `${template}-${digest}`;
}

function tagsFor(
  role: "template-key" | "template-group",
  template: string,
  prepared: PreparedLaunch,
): Map<string, string> {
  return new Map([...prepared.tagsFor(role), [tagKeys.template, template]]);
}

async function findOrImportKey(
  creation: Creation,
  template: string,
  { loginKey }: LaunchOptions,
  prepared: PreparedLaunch,
): Promise<string> {
  const { cloud, signal } = creation;
  // The comment of a key is nothing to its machines.
  const name = nameFor(template, loginKey.split(/\s+/).slice(0, 2));
  const [found] = await describeKeyPairs(cloud, [{ Name: "key-name", Values: [name] }], signal);
  if (found === undefined) {
    await temporaryKeyPair(creation, name, loginKey, tagsFor("template-key", template, prepared));
  } else checkOurs(found.tags, template, `key pair ${name}`);
  return name;
}

async function findOrMakeGroup(
  creation: Creation,
  template: string,
  { ports }: LaunchOptions,
  prepared: PreparedLaunch,
): Promise<string> {
  const { cloud, signal } = creation;
  const { vpcId } = prepared.place;
  const name = nameFor(template, ports.map(portText).sort());
  const filters = [
    { Name: "group-name", Values: [name] },
    { Name: "vpc-id", Values: [vpcId] },
  ];
  const [found] = await describeSecurityGroups(cloud, filters, signal);
  if (found === undefined) {
    const made = await temporaryGroup(creation, {
      name,
      description: "machines of a launch template of bake-ami",
      tags: tagsFor("template-group", template, prepared),
      vpcId,
      ports,
    });
    return made.id;
  }
  checkOurs(found.tags, template, `security group ${name}`);
  // Whoever made it may have been killed before this; when it is done, EC2 says so and nothing happens.
  await openPorts(cloud, found.id, ports, signal);
  return found.id;
}

function portText({ port, cidr }: OpenPort): string {
  return `${port} ${cidr}`;
}

/** @throws BakeError `usage` */
function checkOurs(tags: Tags, template: string, what: string): void {
  if (tags.get(tagKeys.template) === template) return;
  throw new BakeError("usage", `${what} is there already, and is not of this launch template`, {
    hint: "remove it, or choose another name with --name",
  });
}

/** Another look at a group that something uses is for the next time; in seconds. */
const groupDeadlineSeconds = 1;

/** Deletes the keys and groups of a template that none of its versions names any more. What is in use stays for the next time. */
export async function pruneAccess(
  { cloud, listener, signal }: Pick<Creation, "cloud" | "listener" | "signal">,
  template: string,
  versions: readonly TemplateVersion[],
): Promise<void> {
  const ofTemplate = [{ Name: `tag:${tagKeys.template}`, Values: [template] }];
  const groups = new Set(versions.flatMap(({ groupIds }) => groupIds));
  const names = new Set(versions.flatMap(({ keyName }) => keyName ?? []));
  const remove = async (what: string, id: string, deletion: () => Promise<void>): Promise<void> => {
    try {
      await deletion();
      listener({ type: "deleted", at: Date.now(), what, id });
    } catch (error) {
      throwIfAborted(signal);
      if (isInUse(error) || (error instanceof BakeError && error.kind === "timeout")) return;
      listener({ type: "warning", at: Date.now(), message: `${what} ${id} stays: ${messageOf(error)}` });
    }
  };
  for (const { id } of await describeSecurityGroups(cloud, ofTemplate, signal)) {
    if (groups.has(id)) continue;
    await remove("security group", id, () => deleteSecurityGroup(cloud, id, groupDeadlineSeconds, signal));
  }
  for (const { id, name } of await describeKeyPairs(cloud, ofTemplate, signal)) {
    if (names.has(name)) continue;
    await remove("key pair", id, () => deleteKeyPair(cloud, id, signal));
  }
}

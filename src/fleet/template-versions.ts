import { createHash } from "node:crypto";
import type { Cloud } from "../aws/cloud.ts";
import { getImage } from "../aws/images.ts";
import { describeInstances, type Instance } from "../aws/instances.ts";
import {
  deleteTemplateVersions,
  describeTemplateVersions,
  findLaunchTemplate,
  setDefaultVersion,
  type LaunchTemplate,
  type TemplateData,
  type TemplateVersion,
} from "../aws/launch-templates.ts";
import { tagKeys } from "../aws/tags.ts";
import { BakeError, messageOf, nothingStarted } from "../base/errors.ts";
import { throwIfAborted } from "../base/wait.ts";
import type { Listener } from "../report/events.ts";

/** Who made a version and when is no difference between what two versions start. */
const ofTheRun: readonly string[] = [tagKeys.run, "Name"];

/**
 * What names the content of a version, whoever makes it and when. It stands in the version's description: EC2 gives what a
 * version holds back in another form than it was given.
 */
export function digestOf(data: TemplateData): string {
  const plain = {
    ...data,
    TagSpecifications: data.TagSpecifications?.map(({ ResourceType, Tags = [] }) => ({
      ResourceType,
      Tags: Tags.filter(({ Key = "" }) => !ofTheRun.includes(Key)),
    })),
  };
  return createHash("sha256").update(canonical(plain)).digest("hex").slice(0, 16);
}

/** JSON with keys in order, so that the order in which something was put together makes no difference. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) => {
    if (typeof inner !== "object" || inner === null || Array.isArray(inner)) return inner;
    return Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}

/** What a version says of itself; at most 255 characters. */
export function descriptionOf(digest: string, run: string, imageId: string): string {
  return `bake-ami ${digest} ${imageId} ${run}`;
}

/** The newest version with this content. @param versions newest first */
export function versionWith(
  versions: readonly TemplateVersion[],
  digest: string,
): TemplateVersion | undefined {
  return versions.find(({ description }) => description.startsWith(`bake-ami ${digest} `));
}

/**
 * The launch template of this name, when there is one.
 * @throws BakeError `usage` when it is not this owner's.
 */
export async function ownTemplate(
  cloud: Cloud,
  name: string,
  owner: string,
  signal: AbortSignal,
): Promise<LaunchTemplate | undefined> {
  const found = await findLaunchTemplate(cloud, name, signal);
  if (found === undefined) return undefined;
  const whose = found.tags.get(tagKeys.owner);
  if (whose === owner) return found;
  if (whose === undefined) {
    throw new BakeError("usage", `launch template ${name} was not made by bake-ami`, {
      hint: "choose another name with --name",
    });
  }
  throw new BakeError("usage", `launch template ${name} is of ${whose}`, {
    hint: "choose another name with --name, or say --owner to work on theirs",
  });
}

/**
 * The launch template of this name.
 * @throws BakeError `usage` when there is none, or it is not this owner's.
 */
export async function existingTemplate(
  cloud: Cloud,
  name: string,
  owner: string,
  signal: AbortSignal,
): Promise<LaunchTemplate> {
  const found = await ownTemplate(cloud, name, owner, signal);
  if (found !== undefined) return found;
  throw new BakeError("usage", `there is no launch template ${name} here`, {
    hint: "make it with `bake-ami template`; --name is for one of another name",
  });
}

/**
 * Makes another version of a template the default, such as an earlier one that worked.
 * @throws BakeError `usage` when there is no such version, or its image is gone.
 */
export async function switchDefault(
  cloud: Cloud,
  template: LaunchTemplate,
  wanted: number,
  signal: AbortSignal,
): Promise<TemplateVersion> {
  const versions = await describeTemplateVersions(cloud, template.id, signal);
  const version = versions.find(({ number }) => number === wanted);
  if (version === undefined) {
    throw new BakeError("usage", `${template.name} has no version ${wanted}`, {
      hint: `it has: ${versions.map(({ number }) => number).join(", ")}`,
    });
  }
  if (version.imageId !== undefined) {
    await getImage(cloud, version.imageId, signal).catch((error: unknown) => {
      throw nothingStarted(error);
    });
  }
  await setDefaultVersion(cloud, template.id, wanted, signal);
  return version;
}

/**
 * The versions that may go: all but the newest ones, the default, and those that instances were started from.
 * @param versions newest first
 */
export function versionsToPrune(
  versions: readonly TemplateVersion[],
  keep: number,
  inUse: ReadonlySet<number>,
): TemplateVersion[] {
  return versions.slice(keep).filter(({ number, isDefault }) => !isDefault && !inUse.has(number));
}

/**
 * Deletes old versions. What cannot be deleted stays, with a warning: the new version is what mattered.
 * @returns the versions that are left, newest first, and the numbers of those that are gone
 */
export async function pruneVersions(
  cloud: Cloud,
  template: LaunchTemplate,
  keep: number,
  listener: Listener,
  signal: AbortSignal,
): Promise<{ readonly left: readonly TemplateVersion[]; readonly deleted: readonly number[] }> {
  const versions = await describeTemplateVersions(cloud, template.id, signal);
  if (versions.length <= keep) return { left: versions, deleted: [] };
  const old = versionsToPrune(versions, keep, await versionsInUse(cloud, template.id, signal));
  const deleted = old.map(({ number }) => number);
  try {
    await deleteTemplateVersions(cloud, template.id, deleted, signal);
  } catch (error) {
    throwIfAborted(signal);
    const message = `old versions of ${template.name} stay: ${messageOf(error)}`;
    listener({ type: "warning", at: Date.now(), message });
    return { left: versions, deleted: [] };
  }
  for (const number of deleted) {
    listener({ type: "deleted", at: Date.now(), what: "version", id: `${number} of ${template.name}` });
  }
  return { left: versions.filter((version) => !old.includes(version)), deleted };
}

async function versionsInUse(cloud: Cloud, id: string, signal: AbortSignal): Promise<Set<number>> {
  const instances = await instancesOf(cloud, id, signal);
  return new Set(instances.map(({ tags }) => Number(tags.get("aws:ec2launchtemplate:version"))));
}

/** The instances that were started from a template: EC2 marks each with the template and the version. */
export async function instancesOf(cloud: Cloud, id: string, signal: AbortSignal): Promise<Instance[]> {
  const filters = [{ Name: "tag:aws:ec2launchtemplate:id", Values: [id] }];
  const instances = await describeInstances(cloud, filters, signal);
  return instances.filter(({ state }) => state !== "terminated" && state !== "shutting-down");
}

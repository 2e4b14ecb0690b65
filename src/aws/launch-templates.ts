import {
  CreateLaunchTemplateCommand,
  CreateLaunchTemplateVersionCommand,
  DeleteLaunchTemplateCommand,
  DeleteLaunchTemplateVersionsCommand,
  DescribeLaunchTemplatesCommand,
  DescribeLaunchTemplateVersionsCommand,
  ModifyLaunchTemplateCommand,
  type LaunchTemplate as Ec2LaunchTemplate,
  type LaunchTemplateVersion,
  type RequestLaunchTemplateData,
} from "@aws-sdk/client-ec2";
import { BakeError } from "../base/errors.ts";
import { allPages, present, type Cloud } from "./cloud.ts";
import { isNotFound, unlessGone } from "./cloud-error.ts";
import { ofSameRun, readTags, writeTags, type Tags } from "./tags.ts";
import { newVisibleSeconds } from "./visibility.ts";

export { templateData } from "./instance-parameters.ts";

/** What a version of a template holds; EC2's own form, made in one place only. */
export type TemplateData = RequestLaunchTemplateData;

/** A launch template: a name, and numbered versions that never change. */
export interface LaunchTemplate {
  readonly id: string;
  readonly name: string;
  readonly defaultVersion: number;
  readonly latestVersion: number;
  readonly tags: Tags;
}

/** One version of a launch template. */
export interface TemplateVersion {
  readonly number: number;
  readonly isDefault: boolean;
  readonly description: string;
  readonly createdAt: Date | undefined;
  readonly imageId: string | undefined;
  readonly keyName: string | undefined;
  /** Of the instance, or of its first network interface. */
  readonly groupIds: readonly string[];
}

/** The launch template of this name, or undefined. Asked by a filter, because that is no error when there is none. */
export async function findLaunchTemplate(
  cloud: Cloud,
  name: string,
  signal: AbortSignal,
): Promise<LaunchTemplate | undefined> {
  const filters = [{ Name: "launch-template-name", Values: [name] }];
  const reply = await cloud.ask("DescribeLaunchTemplates", signal, (o) =>
    cloud.ec2.send(new DescribeLaunchTemplatesCommand({ Filters: filters }), o),
  );
  return reply.LaunchTemplates?.map(readTemplate)[0];
}

/** The launch template with this id, or undefined. */
export async function getLaunchTemplate(
  cloud: Cloud,
  id: string,
  signal: AbortSignal,
): Promise<LaunchTemplate | undefined> {
  try {
    const reply = await cloud.ask(
      "DescribeLaunchTemplates",
      signal,
      (o) => cloud.ec2.send(new DescribeLaunchTemplatesCommand({ LaunchTemplateIds: [id] }), o),
      { resource: id },
    );
    return reply.LaunchTemplates?.map(readTemplate)[0];
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

function readTemplate(raw: Ec2LaunchTemplate): LaunchTemplate {
  const id = present(raw.LaunchTemplateId, "launch template id");
  return {
    id,
    name: present(raw.LaunchTemplateName, `name of ${id}`),
    defaultVersion: present(raw.DefaultVersionNumber, `default version of ${id}`),
    latestVersion: present(raw.LatestVersionNumber, `latest version of ${id}`),
    tags: readTags(raw.Tags),
  };
}

/** The versions of a template, newest first. */
export async function describeTemplateVersions(
  cloud: Cloud,
  id: string,
  signal: AbortSignal,
): Promise<TemplateVersion[]> {
  const pages = await allPages((next) =>
    cloud.ask(
      "DescribeLaunchTemplateVersions",
      signal,
      (o) =>
        cloud.ec2.send(
          new DescribeLaunchTemplateVersionsCommand({ LaunchTemplateId: id, MaxResults: 200, ...next }),
          o,
        ),
      aboutTemplate(id),
    ),
  );
  return pages
    .flatMap((page) => (page.LaunchTemplateVersions ?? []).map(readVersion))
    .sort((a, b) => b.number - a.number);
}

function readVersion(raw: LaunchTemplateVersion): TemplateVersion {
  const data = raw.LaunchTemplateData;
  return {
    number: present(raw.VersionNumber, "version number"),
    isDefault: raw.DefaultVersion ?? false,
    description: raw.VersionDescription ?? "",
    createdAt: raw.CreateTime,
    imageId: data?.ImageId,
    keyName: data?.KeyName,
    groupIds: data?.SecurityGroupIds ?? data?.NetworkInterfaces?.[0]?.Groups ?? [],
  };
}

/** For calls about a template that may have been made a moment ago. */
function aboutTemplate(id: string) {
  return {
    resource: id,
    appears: { codes: ["InvalidLaunchTemplateId.NotFound"], withinSeconds: newVisibleSeconds },
  };
}

export interface NewTemplate {
  readonly name: string;
  readonly description: string;
  readonly data: TemplateData;
  readonly tags: Tags;
  /** Identifies the call, so that a retry makes nothing twice; at most 128 ASCII characters. */
  readonly clientToken: string;
}

/**
 * Makes a launch template with its first version, which is the default from then on.
 * @throws BakeError `cloud`.
 */
export async function createLaunchTemplate(
  cloud: Cloud,
  request: NewTemplate,
  signal: AbortSignal,
): Promise<LaunchTemplate> {
  const command = new CreateLaunchTemplateCommand({
    LaunchTemplateName: request.name,
    VersionDescription: request.description,
    LaunchTemplateData: request.data,
    ClientToken: request.clientToken,
    TagSpecifications: [{ ResourceType: "launch-template", Tags: writeTags(request.tags) }],
  });
  return await cloud.create(
    "CreateLaunchTemplate",
    signal,
    async (o) => {
      const reply = await cloud.ec2.send(command, o);
      return readTemplate(present(reply.LaunchTemplate, "launch template"));
    },
    {
      resource: request.name,
      duplicate: "InvalidLaunchTemplateName.AlreadyExistsException",
      recover: async (inner) => {
        const found = await findLaunchTemplate(cloud, request.name, inner);
        return found === undefined ? undefined : ofSameRun([found], request.tags);
      },
    },
  );
}

/**
 * Makes a further version of a template; the default stays what it is.
 * @returns its number
 */
export async function createTemplateVersion(
  cloud: Cloud,
  id: string,
  request: Pick<NewTemplate, "description" | "data" | "clientToken">,
  signal: AbortSignal,
): Promise<number> {
  const command = new CreateLaunchTemplateVersionCommand({
    LaunchTemplateId: id,
    VersionDescription: request.description,
    LaunchTemplateData: request.data,
    ClientToken: request.clientToken,
  });
  return await cloud.create(
    "CreateLaunchTemplateVersion",
    signal,
    async (o) => {
      const reply = await cloud.ec2.send(command, o);
      return present(reply.LaunchTemplateVersion?.VersionNumber, "version number");
    },
    {
      ...aboutTemplate(id),
      recover: async (inner) => {
        const versions = await describeTemplateVersions(cloud, id, inner);
        return versions.find(({ description }) => description === request.description)?.number;
      },
    },
  );
}

/** Makes another version the default. */
export async function setDefaultVersion(
  cloud: Cloud,
  id: string,
  version: number,
  signal: AbortSignal,
): Promise<void> {
  await cloud.ask(
    "ModifyLaunchTemplate",
    signal,
    (o) =>
      cloud.ec2.send(
        new ModifyLaunchTemplateCommand({ LaunchTemplateId: id, DefaultVersion: String(version) }),
        o,
      ),
    aboutTemplate(id),
  );
}

/** The most versions that one call deletes. (API reference, "DeleteLaunchTemplateVersions") */
const batchSize = 200;

/**
 * Deletes versions; those that are gone are as good as deleted.
 * @throws BakeError `failed` naming those that EC2 does not delete, such as the default.
 */
export async function deleteTemplateVersions(
  cloud: Cloud,
  id: string,
  versions: readonly number[],
  signal: AbortSignal,
): Promise<void> {
  const kept: string[] = [];
  for (let from = 0; from < versions.length; from += batchSize) {
    const command = new DeleteLaunchTemplateVersionsCommand({
      LaunchTemplateId: id,
      Versions: versions.slice(from, from + batchSize).map(String),
    });
    const reply = await cloud.ask(
      "DeleteLaunchTemplateVersions",
      signal,
      (o) => cloud.ec2.send(command, o),
      aboutTemplate(id),
    );
    for (const each of reply.UnsuccessfullyDeletedLaunchTemplateVersions ?? []) {
      const { Code: code, Message: message = "" } = each.ResponseError ?? {};
      if (code === "launchTemplateVersionDoesNotExist") continue;
      kept.push(`version ${each.VersionNumber ?? 0}: ${message} (${code ?? "no code"})`);
    }
  }
  if (kept.length === 0) return;
  throw new BakeError("failed", `EC2 did not delete ${kept.length} versions of ${id}`, { details: kept });
}

/** Deletes a template with all its versions; one that is gone is as good as deleted. */
export async function deleteLaunchTemplate(cloud: Cloud, id: string, signal: AbortSignal): Promise<void> {
  await unlessGone(
    cloud.ask(
      "DeleteLaunchTemplate",
      signal,
      (o) => cloud.ec2.send(new DeleteLaunchTemplateCommand({ LaunchTemplateId: id }), o),
      aboutTemplate(id),
    ),
  );
}

import {
  createLaunchTemplate,
  createTemplateVersion,
  deleteLaunchTemplate,
  deleteTemplateVersions,
  describeTemplateVersions,
  setDefaultVersion,
  templateData,
  type LaunchTemplate,
} from "../aws/launch-templates.ts";
import { attempts } from "../aws/placement.ts";
import { imageTags, namesIn, tagKeys } from "../aws/tags.ts";
import { registered, warnOfLeftover, type Creation } from "../aws/temporary.ts";
import { BakeError } from "../base/errors.ts";
import { Scope } from "../base/scope.ts";
import { throwIfAborted } from "../base/wait.ts";
import type { LaunchOptions } from "../launch/options.ts";
import { prepareLaunch, type PreparedLaunch } from "../launch/prepare-launch.ts";
import { requestOf, type Access } from "../launch/start-machines.ts";
import { pruneAccess, templateAccess } from "./template-access.ts";
import { tryVersion, type Trial } from "./template-trial.ts";
import { descriptionOf, digestOf, ownTemplate, pruneVersions, versionWith } from "./template-versions.ts";

export type { Trial } from "./template-trial.ts";

export interface TemplateOptions {
  /** What a launch of the same machines is; count and waiting have no meaning here. */
  readonly launch: LaunchOptions;
  readonly name: string;
  /** How the version proves itself before it becomes the default; undefined for not at all. */
  readonly trial: Trial | undefined;
  readonly makeDefault: boolean;
  /** How many of the newest versions stay, at least 1. */
  readonly keepVersions: number;
}

/** A version of a launch template that starts what was asked for. */
export interface TemplateResult {
  readonly template: LaunchTemplate;
  readonly version: number;
  /** Whether it had to be made. */
  readonly isNew: boolean;
  readonly isDefault: boolean;
  readonly imageId: string;
  /** Old versions that are gone. */
  readonly deleted: readonly number[];
}

const undoDeadlineSeconds = 300;

/**
 * Makes a launch template, or a further version of it when something differs. The version becomes the default only after a
 * machine of it has worked; one that has not is deleted again.
 * @throws BakeError `usage` for what cannot be in a template or is not of this owner; `phase-failed` when the version does not work.
 */
export async function makeTemplate(options: TemplateOptions): Promise<TemplateResult> {
  const { launch, name, makeDefault } = options;
  const { cloud, listener, signal } = launch;
  checkFit(launch);
  const prepared = await prepareLaunch({ ...launch, count: 1 });
  const found = await ownTemplate(cloud, name, launch.owner, signal);
  await using scope = new Scope(undoDeadlineSeconds, warnOfLeftover(listener));
  const creation: Creation = { cloud, scope, listener, signal };
  const access = await templateAccess(creation, name, launch, prepared);
  const made = await findOrMake(creation, options, { prepared, access, found });
  const { template, version, isNew } = made;
  const isDefault = found !== undefined && found.defaultVersion === version;
  const told = `version ${version} of ${name} is there already`;
  if (!isNew) {
    const message = isDefault ? `${told}, and the default` : told;
    listener({ type: "note", at: Date.now(), message });
  }
  const result = { template, version, isNew, imageId: launch.choice.image.id };
  if (isDefault) {
    scope.keepAll();
    return { ...result, isDefault, deleted: [] };
  }
  // Without a default to switch there is nothing that a version must prove now.
  if (options.trial !== undefined && makeDefault) {
    const tried = { template, number: version, trial: options.trial };
    await tryVersion(creation, launch, prepared, access, tried).catch((error: unknown) => {
      throw withFate(error, found);
    });
  }
  throwIfAborted(signal);
  scope.keepAll();
  if (makeDefault && found !== undefined) await setDefaultVersion(cloud, template.id, version, signal);
  const { left, deleted } = await pruneVersions(cloud, template, options.keepVersions, listener, signal);
  await pruneAccess(creation, name, left);
  // The first version of a template is its default whether anybody wants that or not.
  return { ...result, isDefault: makeDefault || found === undefined, deleted };
}

/** @throws BakeError `usage` for options of a launch that a template, whose machines others start, cannot have. */
function checkFit({ instance = {}, request = [] }: LaunchOptions): void {
  const refuse = (message: string, hint: string): BakeError => new BakeError("usage", message, { hint });
  if (instance.elasticIp !== undefined) {
    throw refuse(
      "a launch template cannot have an Elastic IP",
      "leave out --elastic-ip; a load balancer has one",
    );
  }
  if (instance.spot?.kind === "persistent") {
    throw refuse(
      "Auto Scaling does not take a template with a persistent spot request",
      "say --spot one-time: Auto Scaling asks again by itself",
    );
  }
  if (request.some(({ kind }) => kind === "log-url" || kind === "channel-url")) {
    throw refuse(
      "presigned URLs last 7 days at most, and the machines of a template come later",
      "give them a role with --instance-profile, which needs no presigned URLs",
    );
  }
  if (request.some(({ kind }) => kind === "log")) {
    throw refuse(
      "the machines that Auto Scaling starts would all write their logs to one place",
      "leave out --log; `bake-ami logs` shows what a machine printed",
    );
  }
}

interface Found {
  readonly prepared: PreparedLaunch;
  readonly access: Access;
  readonly found: LaunchTemplate | undefined;
}

async function findOrMake(
  creation: Creation,
  { launch, name }: TemplateOptions,
  { prepared, access, found }: Found,
): Promise<{ readonly template: LaunchTemplate; readonly version: number; readonly isNew: boolean }> {
  const { cloud, listener, signal } = creation;
  const { image } = launch.choice;
  const [attempt] = attempts([launch.instanceType], prepared.place.subnets, false);
  if (attempt === undefined) throw new BakeError("usage", "there is no subnet to try the template in");
  const data = templateData(requestOf({ ...launch, count: 1 }, prepared, access, attempt, 0));
  const digest = digestOf(data);
  const request = {
    name,
    data,
    description: descriptionOf(digest, launch.run, image.id),
    clientToken: access.name,
  };
  if (found === undefined) {
    const services = namesIn(image.tags, tagKeys.services);
    const tags = new Map([
      ...prepared.tagsFor("template"),
      ...imageTags([...services, ...launch.choice.late], new Map()),
    ]);
    const template = await createLaunchTemplate(cloud, { ...request, tags }, signal);
    registered(creation, "launch template", template.id, (inner) =>
      deleteLaunchTemplate(cloud, template.id, inner),
    );
    return { template, version: template.latestVersion, isNew: true };
  }
  const versions = await describeTemplateVersions(cloud, found.id, signal);
  // The default first: two versions may be alike when somebody copied one.
  const same = versionWith([...versions.filter((each) => each.isDefault), ...versions], digest);
  if (same !== undefined) return { template: found, version: same.number, isNew: false };
  const version = await createTemplateVersion(cloud, found.id, request, signal);
  registered({ ...creation, listener }, "version", `${version} of ${name}`, (inner) =>
    deleteTemplateVersions(cloud, found.id, [version], inner),
  );
  return { template: found, version, isNew: true };
}

/** The error of a trial, with what it means for the template, and for one that SSH was needed for the way without. */
function withFate(error: unknown, found: LaunchTemplate | undefined): unknown {
  if (!(error instanceof BakeError)) return error;
  const { kind, message, details, cause, hint = "" } = error;
  const isOfSsh = kind === "login" || kind === "connection" || /over SSH/.test(message);
  const hints = [
    hint,
    isOfSsh ? "verify steps are run over SSH; --verify update goes by the console alone" : "",
    found === undefined ? "no template was made" : `the default is still version ${found.defaultVersion}`,
  ];
  return new BakeError(kind, message, {
    details,
    cause,
    hint: hints.filter((text) => text !== "").join("; "),
  });
}

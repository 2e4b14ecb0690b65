import type { ScalingGroup, TemplateReference } from "../aws/auto-scaling.ts";
import type { Cloud } from "../aws/cloud.ts";
import {
  describeTemplateVersions,
  findLaunchTemplate,
  getLaunchTemplate,
  type LaunchTemplate,
} from "../aws/launch-templates.ts";
import { BakeError } from "../base/errors.ts";
import { didYouMean } from "../base/nearest.ts";
import type { Listener } from "../report/events.ts";
import { followRefresh, stillRuns, type RefreshEnd } from "./rollout-follow.ts";

export interface RolloutOptions {
  readonly cloud: Cloud;
  /** The launch template whose version the group is to have. */
  readonly template: LaunchTemplate;
  /** The template's default when absent. */
  readonly version: number | undefined;
  /** The name of the Auto Scaling group. */
  readonly group: string;
  readonly minHealthy: number;
  readonly maxHealthy: number | undefined;
  readonly warmupSeconds: number | undefined;
  readonly skipMatching: boolean;
  readonly autoRollback: boolean;
  /** How long to follow it, in seconds; it goes on after that. */
  readonly followSeconds: number;
  readonly listener: Listener;
  readonly signal: AbortSignal;
}

/**
 * Replaces the machines of an Auto Scaling group by those of one version of a launch template, a few at a time, and follows
 * that to its end. Auto Scaling does it; an interruption of the following leaves it at work.
 * @throws BakeError `usage` when the group cannot be brought back to what it has now, or another refresh is under way;
 *   `interrupted` or `timeout` while it goes on.
 */
export async function rollout(options: RolloutOptions): Promise<RefreshEnd> {
  const { cloud, template, listener, signal } = options;
  const aws = await import("../aws/auto-scaling.ts");
  const version = await chooseVersion(options);
  const group = await existingGroup(cloud, options.group, signal);
  const [newest] = await aws.describeRefreshes(cloud, group.name, signal);
  if (newest !== undefined && aws.isUnderWay(newest)) {
    const wanted = newest.template;
    if (wanted?.version !== String(version) || wanted.id !== template.id) {
      const what =
        wanted?.version === undefined ? "" : ` to version ${wanted.version} of ${wanted.id ?? "-"}`;
      throw new BakeError("usage", `${group.name} has an instance refresh${what} under way`, {
        hint: stillRuns(group.name),
      });
    }
    note(listener, `that is under way already (${newest.id}); following it`);
    return await followRefresh(options, group.name, newest.id);
  }
  await checkWayBack(cloud, group, signal);
  note(listener, `${group.name}: ${group.instances} instances to version ${version} of ${template.name}`);
  const id = await aws.startInstanceRefresh(
    cloud,
    {
      group,
      templateId: template.id,
      version,
      minHealthy: options.minHealthy,
      maxHealthy: options.maxHealthy,
      warmupSeconds: options.warmupSeconds,
      skipMatching: options.skipMatching,
      autoRollback: options.autoRollback,
    },
    signal,
  );
  return await followRefresh(options, group.name, id);
}

function note(listener: Listener, message: string): void {
  listener({ type: "note", at: Date.now(), message });
}

/** @throws BakeError `usage` for a version that there is not, or whose image is not pinned. */
async function chooseVersion({ cloud, template, version, signal }: RolloutOptions): Promise<number> {
  const versions = await describeTemplateVersions(cloud, template.id, signal);
  const wanted = version ?? template.defaultVersion;
  const found = versions.find(({ number }) => number === wanted);
  if (found === undefined) {
    throw new BakeError("usage", `${template.name} has no version ${wanted}`, {
      hint: `it has: ${versions.map(({ number }) => number).join(", ")}`,
    });
  }
  if (!isPinned(found.imageId)) {
    throw new BakeError(
      "usage",
      `version ${wanted} of ${template.name} names no image: ${found.imageId ?? "none"}`,
      {
        hint: "Auto Scaling brings no group back from or to an image that a parameter names; make one with `bake-ami template`",
      },
    );
  }
  return wanted;
}

function isPinned(imageId: string | undefined): boolean {
  return imageId?.startsWith("ami-") === true;
}

/**
 * The group of this name.
 * @throws BakeError `usage` with the nearest name.
 */
export async function existingGroup(cloud: Cloud, name: string, signal: AbortSignal): Promise<ScalingGroup> {
  const { findGroup, groupNames } = await import("../aws/auto-scaling.ts");
  const group = await findGroup(cloud, name, signal);
  if (group !== undefined) return group;
  const names = await groupNames(cloud, signal);
  throw new BakeError("usage", `there is no Auto Scaling group ${name} here`, {
    hint:
      didYouMean(name, names) ||
      (names.length === 0 ? "there is none at all" : `there are: ${names.join(", ")}`),
  });
}

/**
 * Auto Scaling goes back to what the group had before only when that names a numbered version of a template with a pinned image.
 * ("Undo changes with a manual or auto rollback", EC2 Auto Scaling user guide)
 */
async function checkWayBack(cloud: Cloud, group: ScalingGroup, signal: AbortSignal): Promise<void> {
  if (group.template === undefined) {
    throw new BakeError(
      "usage",
      `${group.name} starts its instances from ${group.launchConfiguration ?? "something that is no launch template"}`,
      { hint: `give it a launch template once: ${attachCommand(group.name, undefined, undefined)}` },
    );
  }
  for (const reference of [group.template, ...group.overrides]) {
    const template = await templateOf(cloud, reference, signal);
    const number = Number(reference.version);
    if (!Number.isInteger(number)) {
      const version = reference.version ?? "$Default";
      const now = version === "$Latest" ? template?.latestVersion : template?.defaultVersion;
      throw new BakeError(
        "usage",
        `${group.name} is set to version ${version} of its launch template, so that a refresh that fails could not be undone`,
        { hint: `pin the number that it means now: ${attachCommand(group.name, reference, now)}` },
      );
    }
    if (template === undefined) continue;
    const versions = await describeTemplateVersions(cloud, template.id, signal);
    const present = versions.find((each) => each.number === number);
    if (present !== undefined && isPinned(present.imageId)) continue;
    const why =
      present === undefined
        ? "which is deleted"
        : `whose image is ${present.imageId ?? "not named"}, and not an id`;
    throw new BakeError(
      "usage",
      `${group.name} is set to version ${number} of ${template.name}, ${why}: a refresh that fails could not be undone`,
      { hint: `set it to one with a pinned image: ${attachCommand(group.name, reference, undefined)}` },
    );
  }
}

async function templateOf(
  cloud: Cloud,
  { id, name }: TemplateReference,
  signal: AbortSignal,
): Promise<LaunchTemplate | undefined> {
  if (id !== undefined) return await getLaunchTemplate(cloud, id, signal);
  return await findLaunchTemplate(cloud, name ?? "", signal);
}

/** The command that sets a group to a number. */
function attachCommand(
  group: string,
  template: TemplateReference | undefined,
  version: number | undefined,
): string {
  const which =
    template?.id === undefined
      ? `LaunchTemplateName=${template?.name ?? "NAME"}`
      : `LaunchTemplateId=${template.id}`;
  return `aws autoscaling update-auto-scaling-group --auto-scaling-group-name ${group} --launch-template ${which},Version=${version ?? "N"}`;
}

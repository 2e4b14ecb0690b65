import {
  AutoScalingClient,
  CancelInstanceRefreshCommand,
  DescribeAutoScalingGroupsCommand,
  DescribeInstanceRefreshesCommand,
  DescribeScalingActivitiesCommand,
  RollbackInstanceRefreshCommand,
  StartInstanceRefreshCommand,
  type AutoScalingClientConfig,
  type AutoScalingGroup,
  type DesiredConfiguration,
  type InstanceRefresh,
  type LaunchTemplateSpecification,
  type MixedInstancesPolicy,
} from "@aws-sdk/client-auto-scaling";
import { allPages, present, type Cloud } from "./cloud.ts";

/* What is used of Auto Scaling, in a file of its own so that it is loaded by those alone who need it. */

/** Nothing is sent before it is used. */
export function newClient(config: AutoScalingClientConfig): AutoScalingClient {
  return new AutoScalingClient(config);
}

/** A launch template as a group names it. */
export interface TemplateReference {
  readonly id: string | undefined;
  readonly name: string | undefined;
  /** A number, `$Latest`, `$Default`, or nothing, which means the default. */
  readonly version: string | undefined;
}

/** An Auto Scaling group, as far as a rollout cares. */
export interface ScalingGroup {
  readonly name: string;
  readonly desiredCapacity: number;
  readonly instances: number;
  readonly template: TemplateReference | undefined;
  /** Templates of a mixed instances policy's single types. */
  readonly overrides: readonly TemplateReference[];
  /** What it has in place of a template. */
  readonly launchConfiguration: string | undefined;
  /** As it is, so that a refresh can give it back with another version. */
  readonly mixed: MixedInstancesPolicy | undefined;
}

/** How an instance refresh stands. */
export interface RefreshState {
  readonly id: string;
  /** Such as `InProgress`; AWS may have more of them some day. */
  readonly status: string;
  readonly reason: string | undefined;
  readonly percentage: number;
  readonly instancesLeft: number;
  /** Of a rollback under way. */
  readonly rollbackReason: string | undefined;
  readonly startedAt: Date | undefined;
  /** What the group is to have after it. */
  readonly template: TemplateReference | undefined;
}

/** The group of this name, or undefined. */
export async function findGroup(
  cloud: Cloud,
  name: string,
  signal: AbortSignal,
): Promise<ScalingGroup | undefined> {
  const client = await cloud.autoScaling();
  const reply = await cloud.ask(
    "autoscaling:DescribeAutoScalingGroups",
    signal,
    (o) => client.send(new DescribeAutoScalingGroupsCommand({ AutoScalingGroupNames: [name] }), o),
    { resource: name },
  );
  const raw = reply.AutoScalingGroups?.find((group) => group.AutoScalingGroupName === name);
  return raw === undefined ? undefined : readGroup(raw, name);
}

/** The names of all groups here, for a message about one that is not. */
export async function groupNames(cloud: Cloud, signal: AbortSignal): Promise<string[]> {
  const client = await cloud.autoScaling();
  const pages = await allPages((next) =>
    cloud.ask("autoscaling:DescribeAutoScalingGroups", signal, (o) =>
      client.send(new DescribeAutoScalingGroupsCommand({ MaxRecords: 100, ...next }), o),
    ),
  );
  return pages.flatMap((page) => (page.AutoScalingGroups ?? []).flatMap((g) => g.AutoScalingGroupName ?? []));
}

function readGroup(raw: AutoScalingGroup, name: string): ScalingGroup {
  const mixed = raw.MixedInstancesPolicy;
  return {
    name,
    desiredCapacity: raw.DesiredCapacity ?? 0,
    instances: raw.Instances?.length ?? 0,
    template: readReference(raw.LaunchTemplate ?? mixed?.LaunchTemplate?.LaunchTemplateSpecification),
    overrides: (mixed?.LaunchTemplate?.Overrides ?? []).flatMap(
      (each) => readReference(each.LaunchTemplateSpecification) ?? [],
    ),
    launchConfiguration: raw.LaunchConfigurationName,
    mixed,
  };
}

function readReference(raw: LaunchTemplateSpecification | undefined): TemplateReference | undefined {
  if (raw === undefined) return undefined;
  return { id: raw.LaunchTemplateId, name: raw.LaunchTemplateName, version: raw.Version };
}

export interface RefreshRequest {
  readonly group: ScalingGroup;
  readonly templateId: string;
  /** A number: with anything else there is no way back. */
  readonly version: number;
  /** Percent of the group that must be in service all the time. */
  readonly minHealthy: number;
  /** Percent that the group may grow to meanwhile. */
  readonly maxHealthy: number | undefined;
  /** How long a new instance takes until it counts; the group's own when absent. */
  readonly warmupSeconds: number | undefined;
  readonly skipMatching: boolean;
  readonly autoRollback: boolean;
}

/**
 * Starts an instance refresh. Auto Scaling takes one at a time and no token, so after a lost answer the one under way that
 * wants the same is taken for ours.
 * @returns its id
 * @throws BakeError `cloud`.
 */
export async function startInstanceRefresh(
  cloud: Cloud,
  request: RefreshRequest,
  signal: AbortSignal,
): Promise<string> {
  const { group } = request;
  const client = await cloud.autoScaling();
  const command = new StartInstanceRefreshCommand({
    AutoScalingGroupName: group.name,
    Strategy: "Rolling",
    DesiredConfiguration: desiredOf(request),
    Preferences: {
      MinHealthyPercentage: request.minHealthy,
      SkipMatching: request.skipMatching,
      AutoRollback: request.autoRollback,
      ...(request.maxHealthy === undefined ? {} : { MaxHealthyPercentage: request.maxHealthy }),
      ...(request.warmupSeconds === undefined ? {} : { InstanceWarmup: request.warmupSeconds }),
    },
  });
  return await cloud.create(
    "autoscaling:StartInstanceRefresh",
    signal,
    async (o) => present((await client.send(command, o)).InstanceRefreshId, "instance refresh id"),
    {
      resource: group.name,
      duplicate: "InstanceRefreshInProgressFault",
      recover: async (inner) => {
        const [newest] = await describeRefreshes(cloud, group.name, inner);
        const isOurs =
          newest !== undefined &&
          isUnderWay(newest) &&
          newest.template?.id === request.templateId &&
          newest.template.version === String(request.version);
        return isOurs ? newest.id : undefined;
      },
    },
  );
}

/** A group with a mixed instances policy keeps all of it but the version. */
function desiredOf({ group, templateId, version }: RefreshRequest): DesiredConfiguration {
  const specification = { LaunchTemplateId: templateId, Version: String(version) };
  if (group.mixed === undefined) return { LaunchTemplate: specification };
  return {
    MixedInstancesPolicy: {
      ...group.mixed,
      LaunchTemplate: { ...group.mixed.LaunchTemplate, LaunchTemplateSpecification: specification },
    },
  };
}

/** The instance refreshes of a group, newest first; Auto Scaling remembers those of six weeks. */
export async function describeRefreshes(
  cloud: Cloud,
  group: string,
  signal: AbortSignal,
  id?: string,
): Promise<RefreshState[]> {
  const client = await cloud.autoScaling();
  const reply = await cloud.ask(
    "autoscaling:DescribeInstanceRefreshes",
    signal,
    (o) =>
      client.send(
        new DescribeInstanceRefreshesCommand({
          AutoScalingGroupName: group,
          ...(id === undefined ? { MaxRecords: 10 } : { InstanceRefreshIds: [id] }),
        }),
        o,
      ),
    { resource: group },
  );
  return (reply.InstanceRefreshes ?? []).map(readRefresh);
}

function readRefresh(raw: InstanceRefresh): RefreshState {
  const back = raw.RollbackDetails;
  const desired = raw.DesiredConfiguration;
  return {
    id: present(raw.InstanceRefreshId, "instance refresh id"),
    status: present(raw.Status, "status of the instance refresh"),
    reason: raw.StatusReason,
    percentage: (back === undefined ? raw.PercentageComplete : back.PercentageCompleteOnRollback) ?? 0,
    instancesLeft: (back === undefined ? raw.InstancesToUpdate : back.InstancesToUpdateOnRollback) ?? 0,
    rollbackReason: back?.RollbackReason,
    startedAt: raw.StartTime,
    template: readReference(
      desired?.LaunchTemplate ?? desired?.MixedInstancesPolicy?.LaunchTemplate?.LaunchTemplateSpecification,
    ),
  };
}

const over = ["Successful", "Failed", "Cancelled", "RollbackFailed", "RollbackSuccessful"];

/** Whether a refresh is not over yet. (API reference, "InstanceRefresh": `Status`) */
export function isUnderWay({ status }: RefreshState): boolean {
  return !over.includes(status);
}

/** Ends a refresh where it is: instances that were replaced stay so. */
export async function cancelInstanceRefresh(cloud: Cloud, group: string, signal: AbortSignal): Promise<void> {
  const client = await cloud.autoScaling();
  await cloud.ask(
    "autoscaling:CancelInstanceRefresh",
    signal,
    (o) => client.send(new CancelInstanceRefreshCommand({ AutoScalingGroupName: group }), o),
    { resource: group },
  );
}

/** Ends a refresh and replaces what it has replaced by what was there before. */
export async function rollbackInstanceRefresh(
  cloud: Cloud,
  group: string,
  signal: AbortSignal,
): Promise<void> {
  const client = await cloud.autoScaling();
  await cloud.ask(
    "autoscaling:RollbackInstanceRefresh",
    signal,
    (o) => client.send(new RollbackInstanceRefreshCommand({ AutoScalingGroupName: group }), o),
    { resource: group },
  );
}

/** How many activities are looked at for the reasons of a failure. */
const newestActivities = 50;

/** Why instances of a group could not be started or were ended as bad since then, newest first, each reason once. */
export async function failedActivities(
  cloud: Cloud,
  group: string,
  since: Date,
  signal: AbortSignal,
): Promise<string[]> {
  const client = await cloud.autoScaling();
  const command = new DescribeScalingActivitiesCommand({
    AutoScalingGroupName: group,
    MaxRecords: newestActivities,
  });
  const reply = await cloud.ask(
    "autoscaling:DescribeScalingActivities",
    signal,
    (o) => client.send(command, o),
    { resource: group },
  );
  const reasons = (reply.Activities ?? [])
    .filter((each) => (each.StartTime?.getTime() ?? 0) >= since.getTime())
    .filter((each) => each.StatusCode === "Failed" || /health check/i.test(each.Cause ?? ""))
    .map((each) => each.StatusMessage ?? each.Cause ?? each.Description ?? "");
  return [...new Set(reasons)].filter((reason) => reason !== "");
}

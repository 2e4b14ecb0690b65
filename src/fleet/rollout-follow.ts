import type { RefreshState } from "../aws/auto-scaling.ts";
import type { Cloud } from "../aws/cloud.ts";
import { poll } from "../aws/poll.ts";
import { BakeError } from "../base/errors.ts";
import type { Listener } from "../report/events.ts";
import { beginStage } from "../report/stage.ts";

/** How an instance refresh ended. */
export interface RefreshEnd {
  readonly group: string;
  readonly state: RefreshState;
  /** Why instances failed meanwhile, newest first. */
  readonly failures: readonly string[];
}

export interface FollowOptions {
  readonly cloud: Cloud;
  readonly followSeconds: number;
  readonly listener: Listener;
  readonly signal: AbortSignal;
}

/** What a person can do about a refresh that is under way. */
export function stillRuns(group: string): string {
  const rollout = `bake-ami rollout --asg ${group}`;
  return `follow it with \`${rollout} --follow\`, undo it with \`${rollout} --rollback\`, or stop it where it is with \`${rollout} --cancel\``;
}

/**
 * Follows an instance refresh to its end, telling of each change.
 * @throws BakeError `interrupted` or `timeout` while it goes on without us; its message says how to take it up again.
 */
export async function followRefresh(options: FollowOptions, group: string, id: string): Promise<RefreshEnd> {
  const { cloud, followSeconds, listener, signal } = options;
  const { describeRefreshes, failedActivities, isUnderWay } = await import("../aws/auto-scaling.ts");
  const finish = beginStage(listener, "rollout", group);
  let told = "";
  try {
    const state = await poll(
      `the instance refresh of ${group}`,
      followSeconds,
      signal,
      async (inner) => {
        const [now] = await describeRefreshes(cloud, group, inner, id);
        if (now === undefined) return undefined;
        const line = progressOf(now);
        if (line !== told) listener({ type: "note", at: Date.now(), message: line });
        told = line;
        return isUnderWay(now) ? undefined : now;
      },
      { clock: cloud.clock },
    );
    const ok = state.status === "Successful";
    finish(ok);
    if (ok || state.startedAt === undefined) return { group, state, failures: [] };
    return { group, state, failures: await failedActivities(cloud, group, state.startedAt, signal) };
  } catch (error) {
    if (!(error instanceof BakeError) || !["interrupted", "timeout"].includes(error.kind)) throw error;
    throw new BakeError(error.kind, `${error.message}; the instance refresh of ${group} goes on`, {
      cause: error.cause,
      hint: stillRuns(group),
    });
  }
}

/** How far it is, in a line. */
function progressOf({ status, percentage, instancesLeft, reason, rollbackReason }: RefreshState): string {
  const left = `${instancesLeft} ${instancesLeft === 1 ? "instance" : "instances"} left`;
  const why = [reason, rollbackReason].filter((text) => text !== undefined && text !== "").join("; ");
  return `${status}: ${percentage} %, ${left}${why === "" ? "" : `: ${why}`}`;
}

/** The error of a refresh that did not end as it should, or undefined. */
export function refreshError(
  { group, state, failures }: RefreshEnd,
  intervention?: Intervention,
): BakeError | undefined {
  if (state.status === wanted(intervention)) return undefined;
  const [ended, hint] = endings.get(state.status) ?? [`ended as ${state.status}`, ""];
  return new BakeError("failed", `the instance refresh of ${group} ${ended}`, {
    details: [state.reason ?? "", state.rollbackReason ?? "", ...failures].filter((line) => line !== ""),
    ...(hint === "" ? {} : { hint }),
  });
}

const endings: ReadonlyMap<string, readonly [what: string, hint: string]> = new Map([
  [
    "RollbackSuccessful",
    [
      "failed and was undone",
      "the group has what it had before; `bake-ami logs` of a new instance says more",
    ],
  ],
  [
    "RollbackFailed",
    [
      "failed, and so did its undoing",
      "the group has instances of both versions; see its activity in the console",
    ],
  ],
  ["Failed", ["failed", "the group may have instances of both versions; roll out a version that works"]],
  [
    "Cancelled",
    ["was cancelled", "the group has instances of both versions until a rollout of either has ended"],
  ],
]);

/** What to do about the instance refresh that is under way. */
export type Intervention = "follow" | "cancel" | "rollback";

/**
 * Follows the newest instance refresh of a group to its end, after it was told to stop where it is, or to undo what it has done.
 * @throws BakeError `usage` when there is none, or none under way that could be told anything.
 */
export async function intervene(
  options: FollowOptions,
  group: string,
  intervention: Intervention,
): Promise<RefreshEnd> {
  const { cloud, signal } = options;
  const aws = await import("../aws/auto-scaling.ts");
  const [newest] = await aws.describeRefreshes(cloud, group, signal);
  if (newest === undefined) {
    throw new BakeError("usage", `${group} has had no instance refresh in the last six weeks`, {
      hint: `start one: \`bake-ami rollout SERVICE --asg ${group}\``,
    });
  }
  if (intervention !== "follow") {
    if (!aws.isUnderWay(newest)) {
      throw new BakeError("usage", `no instance refresh of ${group} is under way`, {
        hint: `the last one ended as ${newest.status}; what is over is undone by a rollout of the version before: --to N`,
      });
    }
    if (intervention === "cancel") await aws.cancelInstanceRefresh(cloud, group, signal);
    else await aws.rollbackInstanceRefresh(cloud, group, signal);
  }
  return await followRefresh(options, group, newest.id);
}

/** How a refresh has to end for whoever has intervened, so that it is no error. */
function wanted(intervention: Intervention | undefined): string {
  switch (intervention) {
    case "cancel":
      return "Cancelled";
    case "rollback":
      return "RollbackSuccessful";
    case "follow":
    case undefined:
      return "Successful";
  }
}

import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Cloud } from "../aws/cloud.ts";
import type { Instance } from "../aws/instances.ts";
import { poll } from "../aws/poll.ts";
import type { Addressees, CommandState, Invocation } from "../aws/run-command.ts";
import { tagKeys } from "../aws/tags.ts";
import { BakeError } from "../base/errors.ts";
import { packageRoot } from "../base/package-root.ts";
import { shellCommand } from "../base/quote.ts";
import type { Listener } from "../report/events.ts";
import { beginStage } from "../report/stage.ts";
import type { Selected } from "./deploy-machines.ts";

export interface CommandDeployOptions {
  readonly cloud: Cloud;
  readonly owner: string;
  readonly services: readonly string[];
  /** Tags that were asked for. */
  readonly tags: ReadonlyMap<string, string>;
  /** What was found by the machines' tags, to be addressed; by id when single machines were named. */
  readonly machines: readonly Selected[];
  readonly byId: boolean;
  readonly verify: boolean;
  readonly max: number;
  readonly maxErrors: number;
  /** How long the script may run on one machine, in seconds. */
  readonly runSeconds: number;
  readonly run: string;
  readonly listener: Listener;
  readonly signal: AbortSignal;
}

/** How a deployment through Run Command ended. */
export interface CommandDeployed {
  readonly commandId: string;
  readonly state: CommandState;
  readonly invocations: readonly Invocation[];
}

/** A machine that is not on by then has an agent that does not run, or no way to Systems Manager; in seconds. */
const deliverySeconds = 600;

/** After an interruption nobody wants to wait long; in seconds. */
const cancelDeadlineSeconds = 30;

/**
 * Has machines take what their channel has and run update with it, through Run Command: no SSH, any number of machines. Systems
 * Manager keeps the rate and counts the errors.
 * @throws BakeError `usage` for machines without a channel; `interrupted` or `timeout` after the command was cancelled.
 */
export async function deployByCommand(options: CommandDeployOptions): Promise<CommandDeployed> {
  const { cloud, machines, listener, signal, run } = options;
  const aws = await import("../aws/run-command.ts");
  checkChannels(machines.map(({ instance }) => instance));
  const addressees = addresseesOf(options, aws);
  const finish = beginStage(listener, "deploy", `${machines.length} machines`);
  const commandId = await aws.sendScript(
    cloud,
    {
      comment: `bake-ami deploy ${run}`,
      addressees,
      script: scriptOf(options),
      maxConcurrency: options.max,
      maxErrors: options.maxErrors,
      deliverySeconds,
      runSeconds: options.runSeconds,
    },
    signal,
  );
  note(listener, `command ${commandId}`);
  const told = new Map<string, string>();
  try {
    const state = await poll(
      `command ${commandId}`,
      deliverySeconds + Math.ceil(machines.length / options.max) * options.runSeconds,
      signal,
      async (inner) => {
        const now = await aws.commandState(cloud, commandId, inner);
        for (const each of await aws.commandInvocations(cloud, commandId, inner)) {
          if (told.get(each.instanceId) === each.details) continue;
          told.set(each.instanceId, each.details);
          note(listener, `${each.instanceId}: ${each.details}`);
        }
        return now?.isOver === true ? now : undefined;
      },
      { clock: cloud.clock },
    );
    finish(state.status === "Success" && state.targets > 0);
    return { commandId, state, invocations: await aws.commandInvocations(cloud, commandId, signal) };
  } catch (error) {
    if (!(error instanceof BakeError) || !["interrupted", "timeout"].includes(error.kind)) throw error;
    throw await cancelled(options, commandId, error);
  }
}

function note(listener: Listener, message: string): void {
  listener({ type: "note", at: Date.now(), message });
}

/** The script with its arguments: what to run, how long, and the services. */
function scriptOf({ run, runSeconds, verify, services }: CommandDeployOptions): string {
  const program = readFileSync(join(packageRoot(), "phases", "deploy.sh"), "utf8");
  // The machine gives up first, and says why.
  const seconds = Math.max(1, runSeconds - 15);
  const words = ["set", "--", run, String(seconds), verify ? "verify" : "update", ...services];
  return `${shellCommand(words)}\n${program}`;
}

/** @throws BakeError `usage` naming those that have no channel to take anything from. */
export function checkChannels(instances: readonly Instance[]): void {
  const without = instances.filter(({ tags }) => !tags.has(tagKeys.channel)).map(({ id }) => id);
  if (without.length === 0) return;
  throw new BakeError("usage", `${without.join(", ")} ${without.length === 1 ? "has" : "have"} no channel`, {
    hint: "they can take a bundle only from the channel that they were launched with (`--channel`); deploy to them over SSH, without --via",
  });
}

/**
 * By tags, so that machines that appear meanwhile are reached too. Run Command knows whole values of tags only, so these are
 * the sets of services that the machines were launched with.
 */
function addresseesOf(
  { owner, tags, machines, byId, listener }: CommandDeployOptions,
  { mostTargetKeys, mostTargetValues }: { mostTargetKeys: number; mostTargetValues: number },
): Addressees {
  if (byId) {
    if (machines.length > mostTargetValues) throw tooMany(`${machines.length} machines by id`);
    return { by: "id", ids: machines.map(({ instance }) => instance.id) };
  }
  const values = new Set(machines.map(({ instance }) => instance.tags.get(tagKeys.services) ?? ""));
  values.delete("");
  const reached = machines.filter(({ instance }) => instance.tags.has(tagKeys.services));
  const missed = machines.filter((each) => !reached.includes(each));
  if (reached.length === 0) {
    throw new BakeError("usage", "these machines have no tag that Run Command could find them by", {
      hint: "name them with --machine",
    });
  }
  if (missed.length > 0) {
    listener({
      type: "warning",
      at: Date.now(),
      message: `not reached by their tags: ${missed.map(({ instance }) => instance.id).join(", ")}`,
      hint: "name them with --machine in a command of its own",
    });
  }
  const all = new Map<string, readonly string[]>([
    [tagKeys.owner, [owner]],
    [tagKeys.role, ["machine"]],
    [tagKeys.services, [...values].sort()],
    ...[...tags].map(([key, value]): [string, string[]] => [key, [value]]),
  ]);
  if (values.size > mostTargetValues) throw tooMany(`${values.size} different sets of services`);
  if (all.size > mostTargetKeys) throw tooMany(`${all.size} tags`);
  return { by: "tags", tags: all };
}

function tooMany(what: string): BakeError {
  return new BakeError("usage", `Run Command cannot be given ${what} at once`, {
    hint: "it takes 5 tags of at most 50 values, or 50 ids; deploy in parts with --tag or --machine",
  });
}

async function cancelled(options: CommandDeployOptions, id: string, error: BakeError): Promise<BakeError> {
  const { cancelCommand } = await import("../aws/run-command.ts");
  const look = `aws ssm list-command-invocations --command-id ${id} --details`;
  try {
    await cancelCommand(options.cloud, id, AbortSignal.timeout(cancelDeadlineSeconds * 1000));
  } catch (failure) {
    return new BakeError(error.kind, `${error.message}; command ${id} could not be cancelled`, {
      cause: failure,
      hint: `it may still run: aws ssm cancel-command --command-id ${id}`,
    });
  }
  return new BakeError(
    error.kind,
    `${error.message}; command ${id} is cancelled where it had not begun, and being ended elsewhere`,
    { cause: error.cause, hint: `what became of each machine: ${look}` },
  );
}

/** The error of a deployment that did not reach every machine, or undefined. */
export function commandError({ state, invocations, commandId }: CommandDeployed): BakeError | undefined {
  const bad = invocations.filter(({ status }) => status !== "Success");
  if (state.targets === 0) {
    return new BakeError("failed", "Run Command found no machine with these tags", {
      hint: "a machine is found when its agent runs and its role allows Systems Manager (AmazonSSMManagedInstanceCore): `aws ssm describe-instance-information`",
    });
  }
  if (state.status === "Success" && bad.length === 0) return undefined;
  const left = state.targets - invocations.length;
  const what = [
    ...(bad.length === 0 ? [] : [`did not succeed on ${bad.length} of ${state.targets} machines`]),
    ...(left <= 0 ? [] : [`was not started on ${left}`]),
  ];
  return new BakeError("phase-failed", `the deployment ${what.join(", ") || `ended as ${state.details}`}`, {
    details: bad.flatMap((each) => [`${each.instanceId}: ${each.details}`, ...lastLines(each.output)]),
    hint: `\`bake-ami logs\` of a machine shows what it printed; the whole output: aws ssm list-command-invocations --command-id ${commandId} --details`,
  });
}

const shownLines = 20;

function lastLines(text: string): string[] {
  const lines = text.trimEnd().split("\n");
  return lines
    .slice(-shownLines)
    .filter((line) => line !== "")
    .map((line) => `  ${line}`);
}

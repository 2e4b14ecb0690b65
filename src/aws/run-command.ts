import {
  CancelCommandCommand,
  ListCommandInvocationsCommand,
  ListCommandsCommand,
  SendCommandCommand,
  type Command,
  type CommandInvocation,
  type Target,
} from "@aws-sdk/client-ssm";
import { allPages, present, type Cloud } from "./cloud.ts";

/* What is used of Systems Manager's Run Command, in a file of its own so that it is loaded by those alone who need it. */

/** AWS's document that runs lines of shell as root. */
const document = "AWS-RunShellScript";

/** Which machines: by id, or all that have one of the values in each of these tags. */
export type Addressees =
  | { readonly by: "id"; readonly ids: readonly string[] }
  | { readonly by: "tags"; readonly tags: ReadonlyMap<string, readonly string[]> };

/** Systems Manager's limits on targets. ("SendCommand", `Targets` and `Target$Values`) */
export const mostTargetKeys = 5;
export const mostTargetValues = 50;

export interface ScriptRequest {
  /** Names the call, so that it is found again when its answer was lost; at most 100 characters. */
  readonly comment: string;
  readonly addressees: Addressees;
  readonly script: string;
  /** How many machines at once, and after how many failures no further one is begun. */
  readonly maxConcurrency: number;
  readonly maxErrors: number;
  /** How long a machine that is not there may take to come for it, in seconds; at least 30. */
  readonly deliverySeconds: number;
  /** How long the script may run on a machine, in seconds. */
  readonly runSeconds: number;
}

/**
 * Runs a script on many machines.
 * @returns the id of the command
 * @throws BakeError `cloud`.
 */
export async function sendScript(cloud: Cloud, request: ScriptRequest, signal: AbortSignal): Promise<string> {
  const ssm = await cloud.ssm();
  const startedAt = cloud.clock.now();
  const command = new SendCommandCommand({
    DocumentName: document,
    Comment: request.comment,
    Targets: targetsOf(request.addressees),
    Parameters: {
      commands: request.script.trimEnd().split("\n"),
      executionTimeout: [String(request.runSeconds)],
    },
    TimeoutSeconds: Math.max(30, request.deliverySeconds),
    MaxConcurrency: String(request.maxConcurrency),
    // Systems Manager counts the errors that it puts up with; the next one stops it.
    MaxErrors: String(request.maxErrors - 1),
  });
  return await cloud.create(
    "ssm:SendCommand",
    signal,
    async (o) => present((await ssm.send(command, o)).Command?.CommandId, "command id"),
    {
      resource: request.comment,
      recover: async (inner) => {
        const since = new Date(startedAt - 60_000).toISOString().replace(/\.\d+Z$/, "Z");
        const reply = await ssm.send(
          new ListCommandsCommand({ Filters: [{ key: "InvokedAfter", value: since }] }),
          { abortSignal: inner },
        );
        return reply.Commands?.find(({ Comment }) => Comment === request.comment)?.CommandId;
      },
    },
  );
}

function targetsOf(addressees: Addressees): Target[] {
  if (addressees.by === "id") return [{ Key: "InstanceIds", Values: [...addressees.ids] }];
  return [...addressees.tags].map(([key, values]) => ({ Key: `tag:${key}`, Values: [...values] }));
}

/** How a command stands as a whole. */
export interface CommandState {
  readonly status: string;
  /** In more words: `NoInstancesInTag`, `Delivery Timed Out`. */
  readonly details: string;
  readonly targets: number;
  readonly isOver: boolean;
}

const under = ["Pending", "InProgress", "Cancelling", "Delayed"];

/** Whether a status says that there is nothing more to come. ("Understanding command statuses", user guide) */
export function isOver(status: string): boolean {
  return !under.includes(status);
}

/** How a command stands; undefined while Systems Manager does not show it. */
export async function commandState(
  cloud: Cloud,
  id: string,
  signal: AbortSignal,
): Promise<CommandState | undefined> {
  const ssm = await cloud.ssm();
  const reply = await cloud.ask(
    "ssm:ListCommands",
    signal,
    (o) => ssm.send(new ListCommandsCommand({ CommandId: id }), o),
    { resource: id },
  );
  const command = reply.Commands?.[0];
  return command === undefined ? undefined : readCommand(command);
}

function readCommand({ Status, StatusDetails, TargetCount }: Command): CommandState {
  const status = present<string>(Status, "status of the command");
  return { status, details: StatusDetails ?? status, targets: TargetCount ?? 0, isOver: isOver(status) };
}

/** What became of a command on one machine. */
export interface Invocation {
  readonly instanceId: string;
  readonly status: string;
  readonly details: string;
  /** The exit status of the script, when it ended by itself. */
  readonly exitStatus: number | undefined;
  /** The beginning of what it printed: 2,500 characters at most. */
  readonly output: string;
}

/** What became of a command on each machine that it has reached so far. */
export async function commandInvocations(
  cloud: Cloud,
  id: string,
  signal: AbortSignal,
): Promise<Invocation[]> {
  const ssm = await cloud.ssm();
  const pages = await allPages((next) =>
    cloud.ask(
      "ssm:ListCommandInvocations",
      signal,
      (o) =>
        ssm.send(
          new ListCommandInvocationsCommand({ CommandId: id, Details: true, MaxResults: 50, ...next }),
          o,
        ),
      { resource: id },
    ),
  );
  return pages.flatMap((page) => (page.CommandInvocations ?? []).map(readInvocation));
}

function readInvocation(raw: CommandInvocation): Invocation {
  const status = present<string>(raw.Status, "status of an invocation");
  const plugin = raw.CommandPlugins?.find(({ ResponseCode }) => ResponseCode !== undefined);
  return {
    instanceId: present(raw.InstanceId, "instance of an invocation"),
    status,
    details: raw.StatusDetails ?? status,
    exitStatus: plugin?.ResponseCode,
    output: plugin?.Output ?? "",
  };
}

/** Ends a command wherever it still runs, as well as Systems Manager can. */
export async function cancelCommand(cloud: Cloud, id: string, signal: AbortSignal): Promise<void> {
  const ssm = await cloud.ssm();
  await cloud.ask(
    "ssm:CancelCommand",
    signal,
    (o) => ssm.send(new CancelCommandCommand({ CommandId: id }), o),
    { resource: id },
  );
}

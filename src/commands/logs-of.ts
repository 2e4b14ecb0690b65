import { consoleOutput } from "../aws/instances.ts";
import { BakeError } from "../base/errors.ts";
import { throwIfAborted } from "../base/wait.ts";
import type { Phase } from "../catalog/service.ts";
import { ownMachines, pickMachine } from "../launch/machines.ts";
import { followConsole } from "../launch/wait-tail.ts";
import { listRuns, showLogs } from "../machine/logs.ts";
import { Machine } from "../machine/machine.ts";
import { printable } from "../report/lines.ts";
import { formatDuration } from "../report/timings.ts";
import type { Context, GlobalOptions } from "./context.ts";
import { openEndpoint } from "./endpoint.ts";
import { reachMachine, type ReachOptions } from "./reach.ts";
import { writeResult } from "./session.ts";
import { table } from "./table.ts";

const connectDeadlineSeconds = 60;

/** Opens the machine that is meant; where SSH does not answer, the error says what does. */
async function withMachine<T>(
  options: ReachOptions,
  context: Context,
  wanted: string,
  work: (machine: Machine) => Promise<T>,
): Promise<T> {
  const { target, instance } = await reachMachine(options, context, wanted, context.signal);
  const hint = `where SSH is not open: \`bake-ami logs --console ${instance.id}\``;
  await using machine = new Machine(target, { deadlineSeconds: connectDeadlineSeconds, hint });
  return await work(machine);
}

/** @throws BakeError as {@link showLogs} and {@link reachMachine} do */
export async function showRun(
  options: ReachOptions,
  context: Context,
  wanted: string,
  request: { readonly phase: Phase | undefined; readonly run: string | undefined; readonly follow: boolean },
): Promise<void> {
  await withMachine(options, context, wanted, async (machine) => {
    const write = (chunk: Buffer): void => {
      context.stdout.write(chunk);
    };
    const { phase, run, follow } = request;
    await showLogs(machine, { phase, run, follow }, write, context.signal);
  });
}

/** @throws BakeError as {@link listRuns} and {@link reachMachine} do */
export async function showRuns(
  options: ReachOptions,
  context: Context,
  wanted: string,
  phase: Phase | undefined,
): Promise<void> {
  const runs = await withMachine(options, context, wanted, (machine) =>
    listRuns(machine, phase, context.signal),
  );
  const text = table([
    ["PHASE", "RUN", "STARTED (UTC)", "TOOK", "RESULT"],
    ...runs.map(({ phase: of, run, startedAt, endedAt, result }) => [
      of,
      run,
      startedAt?.toISOString().slice(0, 19).replace("T", " ") ?? "-",
      startedAt === undefined || endedAt === undefined
        ? "-"
        : formatDuration(endedAt.getTime() - startedAt.getTime()),
      result,
    ]),
  ]);
  writeResult(options, context, { text, value: runs });
}

/**
 * What a machine's console shows: its newest 64 KB, and with `follow` what comes, for as long as it runs.
 * @throws BakeError `usage` when there is no such machine
 */
export async function showConsole(
  options: GlobalOptions,
  context: Context,
  wanted: string,
  follow: boolean,
): Promise<void> {
  const { signal } = context;
  const { cloud, ownerOf } = await openEndpoint(options, context, undefined, "look");
  const owner = await ownerOf(signal);
  const { id } = pickMachine(await ownMachines(cloud, owner, signal), wanted);
  const write = (line: string): void => {
    context.stdout.write(`${printable(line)}\n`);
  };
  if (follow) {
    await followConsole(cloud, id, write, signal);
    throwIfAborted(signal);
    return;
  }
  const output = await consoleOutput(cloud, id, signal);
  if (output === "") {
    throw new BakeError("failed", `the console of ${id} shows nothing yet`, {
      hint: "EC2 fills it in within some minutes",
    });
  }
  for (const line of output.replace(/\r?\n$/, "").split(/\r?\n/)) write(line);
}

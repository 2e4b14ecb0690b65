import type { Cloud } from "../aws/cloud.ts";
import { consoleOutput, type Instance } from "../aws/instances.ts";
import { messageOf } from "../base/errors.ts";
import { throwIfAborted } from "../base/wait.ts";
import { followJournal } from "../machine/journal-follow.ts";
import { Machine } from "../machine/machine.ts";
import type { SshTarget } from "../machine/target.ts";
import type { Event, Listener } from "../report/events.ts";

export interface TailOptions {
  readonly cloud: Cloud;
  /** Whether there are others, so that each line must say whose it is. */
  readonly several: boolean;
  /** What is needed to log in; it may have to wait for the machine's host keys. */
  readonly target: (instance: Instance, signal: AbortSignal) => Promise<SshTarget>;
  readonly listener: Listener;
}

/** How long SSH may take to answer once the machine has host keys, before its console is shown in its place. In seconds. */
const sshPatienceSeconds = 30;

/** Between looks at a console, in milliseconds. */
const consolePauseMs = 2000;

/**
 * Shows what a machine does in its first update while it does it: its journal over SSH, or its console where SSH is not open.
 * It ends with the update, or when the signal fires; what goes wrong is a note, because the update goes on without it.
 */
export async function tailUpdate(
  instance: Instance,
  options: TailOptions,
  signal: AbortSignal,
): Promise<void> {
  const { cloud, several, listener } = options;
  const tell: Listener = (event) => {
    listener(several ? withMachine(event, instance.id) : event);
  };
  const note = (message: string): void => {
    listener({ type: "note", at: Date.now(), message });
  };
  try {
    await using machine = new Machine(await options.target(instance, signal), {
      deadlineSeconds: sshPatienceSeconds,
    });
    await followJournal(machine, { listener: tell, signal, isOver: ({ phase }) => phase === "update" });
    return;
  } catch (error) {
    if (signal.aborted) return;
    note(`no journal of ${instance.id}: ${messageOf(error)}; its console follows`);
  }
  try {
    await followConsole(
      cloud,
      instance.id,
      (line) => {
        const at = Date.now();
        tell({ type: "output", at, machineAt: at, phase: "update", service: "console", line });
      },
      signal,
    );
  } catch (error) {
    note(`no console of ${instance.id}: ${messageOf(error)}`);
  }
}

/** Services of several machines have the same names. */
function withMachine(event: Event, id: string): Event {
  switch (event.type) {
    case "output":
      return { ...event, machine: id };
    case "service-started":
    case "service-finished":
    case "step-started":
    case "step-finished":
      return { ...event, service: `${id} ${event.service}` };
    default:
      return event;
  }
}

/**
 * Tells each line that comes to a console, until the signal fires. A console keeps its newest 64 KB alone, so after a flood
 * some lines may be missing.
 */
export async function followConsole(
  cloud: Cloud,
  id: string,
  onLine: (line: string) => void,
  signal: AbortSignal,
): Promise<void> {
  let seen = "";
  let rest = "";
  try {
    for (;;) {
      const output = await consoleOutput(cloud, id, signal);
      const lines = (rest + newIn(seen, output)).split(/\r?\n/);
      seen = output;
      // A line that has not ended yet.
      rest = lines.pop() ?? "";
      for (const line of lines) onLine(line);
      await cloud.clock.sleep(consolePauseMs, signal);
    }
  } catch (error) {
    if (!signal.aborted) throw error;
    if (rest !== "") onLine(rest);
  }
}

/** As much of its end as tells one place of a console from others. */
const overlap = 400;

/** What a console has now after what it had before. */
export function newIn(before: string, now: string): string {
  if (now.startsWith(before)) return now.slice(before.length);
  const end = before.slice(-overlap);
  const at = now.lastIndexOf(end);
  return at < 0 ? now : now.slice(at + end.length);
}

/** @throws BakeError `interrupted` */
export async function finishTail(
  watching: Promise<void>,
  stop: AbortController,
  cloud: Cloud,
  signal: AbortSignal,
): Promise<void> {
  // What was printed last is on its way.
  const patience = new AbortController();
  const late = cloud.clock
    .sleep(lastWordsMs, AbortSignal.any([patience.signal, signal]))
    .catch(() => undefined);
  await Promise.race([watching, late]);
  patience.abort();
  stop.abort();
  await watching;
  throwIfAborted(signal);
}

const lastWordsMs = 3000;

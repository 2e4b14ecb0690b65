import { BakeError } from "../base/errors.ts";
import { interruptedBy, sleep, throwIfAborted } from "../base/wait.ts";
import type { Listener } from "../report/events.ts";
import { JournalReader, type PhaseEnd } from "./journal-events.ts";
import { JournalExportParser } from "./journal-export.ts";
import type { Machine } from "./machine.ts";
import { journalCommand } from "./remote.ts";

export interface FollowOptions {
  readonly listener: Listener;
  readonly signal: AbortSignal;
  /** Whether what has ended is what was waited for. */
  readonly isOver: (end: PhaseEnd) => boolean;
}

/** The last output and the word of the end come to the journal by different ways; either may be a little later. */
const drainMs = 150;

/**
 * Tells all that the phases of a machine have said and say, from the journal's beginning, until one ends that will do. A lost
 * connection or a reboot in between shows nothing twice and skips nothing.
 * @throws BakeError as {@link Machine.connect} does
 */
export async function followJournal(machine: Machine, options: FollowOptions): Promise<PhaseEnd> {
  const { listener, signal, isOver } = options;
  const reader = new JournalReader();
  let cursor = "none";
  let end: PhaseEnd | undefined;
  const done = new AbortController();
  const inner = AbortSignal.any([signal, done.signal]);

  const read = async (follow: boolean): Promise<void> => {
    const parser = new JournalExportParser();
    const result = await machine.exec(journalCommand(machine.target.user, cursor, follow), {
      signal: inner,
      onStdout: (chunk) => {
        for (const entry of parser.push(chunk)) {
          cursor = entry.get("__CURSOR")?.toString("latin1") ?? cursor;
          const reading = reader.read(entry, Date.now());
          for (const event of reading.events) listener(event);
          if (end !== undefined || reading.end === undefined || !isOver(reading.end)) continue;
          end = reading.end;
          setTimeout(() => {
            done.abort();
          }, drainMs);
        }
      },
    });
    if (result.status === 0) return;
    throw new BakeError("failed", `the machine does not show its journal: ${result.stderr.trim()}`);
  };

  for (;;) {
    throwIfAborted(signal);
    try {
      await read(false);
      if (end === undefined) await read(true);
    } catch (error) {
      if (signal.aborted) throw interruptedBy(signal);
      const isLost = error instanceof BakeError && error.kind === "connection";
      if (end === undefined && !isLost) throw error;
    }
    if (end !== undefined) return end;
    await sleep(200, signal);
  }
}

import type { Bundle } from "../bundle/bundle.ts";
import { BakeError } from "../base/errors.ts";
import { interruptedBy, sleep, throwIfAborted } from "../base/wait.ts";
import type { Listener } from "../report/events.ts";
import { JournalReader, phaseEnd, readPairs, type PhaseEnd } from "./journal-events.ts";
import { JournalExportParser } from "./journal-export.ts";
import type { Machine } from "./machine.ts";
import { deliverCommand, journalCommand, startCommand, statusCommand, type StartRequest } from "./remote.ts";

export interface RunOptions {
  readonly listener: Listener;
  readonly signal: AbortSignal;
  /** Sent first, in the same channel, and made the machine's current one. Doing it twice is harmless. */
  readonly bundle?: Bundle;
  /** Told when the machine has the bundle and has started the phase. */
  readonly onStarted?: () => void;
}

/**
 * Starts a phase on the machine and follows it to its end, through lost connections and reboots.
 * @returns how it ended; a failed step is no error here
 * @throws BakeError `failed` when the machine does not take the bundle, cannot start the phase or lost track of it, or
 *   as {@link Machine.connect} does.
 */
export async function runPhase(
  machine: Machine,
  request: StartRequest,
  options: RunOptions,
): Promise<PhaseEnd> {
  return await new PhaseFollower(machine, request, options).toTheEnd(options.signal);
}

/** How long the journal may be silent before the machine is asked whether the phase still runs. */
const silenceMs = 20_000;

/** The last output and the word of the end come to the journal by different ways; either may be a little later. */
const drainMs = 150;

/** Between looking at the outcome and giving up on the journal's own word of it. */
const graceMs = 3000;

/** Follows the journal of one phase run by cursor, and never shows an entry twice or skips one. */
class PhaseFollower {
  readonly #reader = new JournalReader();
  readonly #machine: Machine;
  readonly #request: StartRequest;
  readonly #options: RunOptions;
  /** Unknown until the machine has answered the start. */
  #cursor: string | undefined;
  #end: PhaseEnd | undefined;
  #heardAt = Date.now();
  #failure: Error | undefined;

  constructor(machine: Machine, request: StartRequest, options: RunOptions) {
    this.#machine = machine;
    this.#request = request;
    this.#options = options;
  }

  async toTheEnd(signal: AbortSignal): Promise<PhaseEnd> {
    for (;;) {
      throwIfAborted(signal);
      const end = await this.#followOnce(signal);
      if (end !== undefined) return end;
      await sleep(200, signal);
      this.#note("connected again; going on where the machine is");
    }
  }

  /** One follow over one connection; undefined when the connection was lost and it must be taken up again. */
  async #followOnce(signal: AbortSignal): Promise<PhaseEnd | undefined> {
    const done = new AbortController();
    const inner = AbortSignal.any([signal, done.signal]);
    const watch = this.#watchSilence(inner).then(
      (end) => {
        if (end !== undefined) this.#end ??= end;
        done.abort();
      },
      (error: unknown) => {
        const isLost = error instanceof BakeError && error.kind === "connection";
        if (!inner.aborted && !isLost)
          this.#failure = error instanceof Error ? error : new Error(String(error));
        done.abort();
      },
    );
    try {
      // The machine starts the same run only once, however often it is asked.
      if (this.#cursor === undefined) await this.#start(inner, done);
      else {
        await this.#read(this.#cursor, false, inner, done);
        if (this.#end === undefined) await this.#read(this.#cursor, true, inner, done);
      }
    } catch (error) {
      if (signal.aborted) throw interruptedBy(signal);
      const isLost = error instanceof BakeError && error.kind === "connection";
      if (!isLost && !done.signal.aborted) throw error;
      if (isLost && this.#end === undefined) this.#note("the connection was lost; connecting again");
    } finally {
      done.abort();
      await watch;
    }
    if (this.#failure !== undefined) throw this.#failure;
    return this.#end;
  }

  /** Sends the bundle if there is one, starts the phase, and follows its journal, all in one channel. */
  async #start(signal: AbortSignal, done: AbortController): Promise<void> {
    const { user } = this.#machine.target;
    const { bundle, onStarted } = this.#options;
    const parser = new JournalExportParser();
    let head = Buffer.alloc(0);
    const command =
      bundle === undefined
        ? startCommand(user, this.#request)
        : deliverCommand(user, bundle.digest, this.#request);
    const result = await this.#machine.exec(command, {
      signal,
      ...(bundle === undefined ? {} : { input: bundle.archive }),
      onStdout: (chunk) => {
        if (this.#cursor !== undefined) {
          this.#take(parser, chunk, done);
          return;
        }
        head = Buffer.concat([head, chunk]);
        const lineEnd = head.indexOf(0x0a);
        if (lineEnd < 0) return;
        this.#cursor = /^cursor=(.+)$/.exec(head.toString("utf8", 0, lineEnd))?.[1];
        if (this.#cursor === undefined) return;
        onStarted?.();
        this.#take(parser, head.subarray(lineEnd + 1), done);
      },
    });
    if (this.#cursor !== undefined) return;
    throw new BakeError("failed", `the machine did not start the ${this.#request.phase} phase`, {
      details: lastLines(result.stderr === "" ? head.toString("utf8") : result.stderr),
      ...(/no space left/i.test(result.stderr)
        ? { hint: "the machine's disk is full; give it a larger one" }
        : {}),
    });
  }

  /** Reads the journal after the cursor; with `follow` until `done` fires, which the phase's end does. */
  async #read(cursor: string, follow: boolean, signal: AbortSignal, done: AbortController): Promise<void> {
    const parser = new JournalExportParser();
    await this.#machine.exec(journalCommand(this.#machine.target.user, cursor, follow), {
      signal,
      onStdout: (chunk) => {
        this.#take(parser, chunk, done);
      },
    });
  }

  #take(parser: JournalExportParser, chunk: Buffer, done: AbortController): void {
    for (const entry of parser.push(chunk)) {
      this.#heardAt = Date.now();
      this.#cursor = entry.get("__CURSOR")?.toString("latin1") ?? this.#cursor;
      const reading = this.#reader.read(entry, Date.now());
      for (const event of reading.events) this.#options.listener(event);
      if (reading.end?.run === this.#request.run && reading.end.phase === this.#request.phase) {
        this.#end = reading.end;
        setTimeout(() => {
          done.abort();
        }, drainMs);
      }
    }
  }

  /**
   * Asks the machine after a long silence. The journal may have been lost, or the driver killed; neither may leave us
   * waiting for ever.
   */
  async #watchSilence(signal: AbortSignal): Promise<PhaseEnd | undefined> {
    for (;;) {
      await sleep(1000, signal);
      if (this.#cursor === undefined || Date.now() - this.#heardAt < silenceMs) continue;
      const asked = await this.#machine.exec(statusCommand(this.#machine.target.user, this.#request.phase), {
        signal,
      });
      const pairs = readPairs(asked.stdout);
      this.#heardAt = Date.now();
      switch (pairs.get("state")) {
        case "finished":
          if (pairs.get("run") !== this.#request.run) break;
          await sleep(graceMs, signal);
          return phaseEnd(pairs);
        case "idle":
          throw new BakeError(
            "failed",
            `the machine no longer runs the ${this.#request.phase} phase, and has no outcome of it`,
            {
              hint: "its driver was killed; run the same command again",
            },
          );
        default:
          break;
      }
    }
  }

  #note(message: string): void {
    this.#options.listener({ type: "note", at: Date.now(), message });
  }
}

function lastLines(text: string): string[] {
  return text.trimEnd().split("\n").slice(-20);
}

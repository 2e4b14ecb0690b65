import type { Bundle } from "../bundle/bundle.ts";
import { BakeError } from "../base/errors.ts";
import { interruptedBy, sleep, throwIfAborted } from "../base/wait.ts";
import type { Event, Listener } from "../report/events.ts";
import type { Phase } from "../catalog/service.ts";
import { JournalReader, phaseEnd, readPairs, type PhaseEnd } from "./journal-events.ts";
import { JournalExportParser } from "./journal-export.ts";
import type { Machine } from "./machine.ts";
import { journalCommand, receiveCommand, startCommand, statusCommand, type StartRequest } from "./remote.ts";

/**
 * Sends the bundle in one channel and makes it the machine's current one. Doing it twice is harmless.
 * @throws BakeError `failed` with what the machine said, or as {@link Machine.connect} does.
 */
export async function installBundle(machine: Machine, bundle: Bundle, signal: AbortSignal): Promise<void> {
  const command = receiveCommand(machine.target.user, bundle.digest);
  const result = await machine.execAgain(command, { signal, input: bundle.archive });
  if (result.status === 0) return;
  throw new BakeError("failed", "the machine did not take the bundle", {
    details: lastLines(result.stderr),
    ...(/no space left/i.test(result.stderr)
      ? { hint: "the machine's disk is full; give it a larger one" }
      : {}),
  });
}

/**
 * Starts a phase on the machine and follows it to its end, through lost connections and reboots.
 * @returns how it ended; a failed step is no error here
 * @throws BakeError `failed` when the machine cannot start it or lost track of it, or as {@link Machine.connect} does.
 */
export async function runPhase(
  machine: Machine,
  request: StartRequest,
  listener: Listener,
  signal: AbortSignal,
): Promise<PhaseEnd> {
  const started = await machine.execAgain(startCommand(machine.target.user, request), { signal });
  const cursor = readPairs(started.stdout).get("cursor");
  if (started.status !== 0 || cursor === undefined) {
    throw new BakeError("failed", `the machine did not start the ${request.phase} phase`, {
      details: lastLines(started.stderr || started.stdout),
    });
  }
  const follower = new PhaseFollower(machine, request.phase, request.run, cursor, listener);
  return await follower.toTheEnd(signal);
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
  readonly #phase: Phase;
  readonly #run: string;
  readonly #listener: Listener;
  #cursor: string;
  #end: PhaseEnd | undefined;
  #heardAt = Date.now();
  #failure: Error | undefined;

  constructor(machine: Machine, phase: Phase, run: string, cursor: string, listener: Listener) {
    this.#machine = machine;
    this.#phase = phase;
    this.#run = run;
    this.#cursor = cursor;
    this.#listener = listener;
  }

  async toTheEnd(signal: AbortSignal): Promise<PhaseEnd> {
    let again = false;
    for (;;) {
      throwIfAborted(signal);
      const end = await this.#followOnce(again, signal);
      if (end !== undefined) return end;
      again = true;
      await sleep(200, signal);
    }
  }

  /** One follow over one connection; undefined when the connection was lost and it must be taken up again. */
  async #followOnce(again: boolean, signal: AbortSignal): Promise<PhaseEnd | undefined> {
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
      if (again) {
        this.#tell({
          type: "note",
          at: Date.now(),
          message: "connected again; going on where the machine is",
        });
        await this.#read(false, inner, done);
      }
      if (this.#end === undefined) await this.#read(true, inner, done);
    } catch (error) {
      if (signal.aborted) throw interruptedBy(signal);
      const isLost = error instanceof BakeError && error.kind === "connection";
      if (!isLost && !done.signal.aborted) throw error;
      if (isLost && this.#end === undefined) {
        this.#tell({ type: "note", at: Date.now(), message: "the connection was lost; connecting again" });
      }
    } finally {
      done.abort();
      await watch;
    }
    if (this.#failure !== undefined) throw this.#failure;
    return this.#end;
  }

  /** Reads the journal after the cursor; with `follow` until `done` fires, which the phase's end does. */
  async #read(follow: boolean, signal: AbortSignal, done: AbortController): Promise<void> {
    const parser = new JournalExportParser();
    await this.#machine.exec(journalCommand(this.#machine.target.user, this.#cursor, follow), {
      signal,
      onStdout: (chunk) => {
        for (const entry of parser.push(chunk)) {
          this.#heardAt = Date.now();
          this.#cursor = entry.get("__CURSOR")?.toString("latin1") ?? this.#cursor;
          const reading = this.#reader.read(entry, Date.now());
          for (const event of reading.events) this.#tell(event);
          if (reading.end?.run === this.#run) {
            this.#end = reading.end;
            setTimeout(() => {
              done.abort();
            }, drainMs);
          }
        }
      },
    });
  }

  /**
   * Asks the machine after a long silence. The journal may have been lost, or the driver killed; neither may leave us
   * waiting for ever.
   */
  async #watchSilence(signal: AbortSignal): Promise<PhaseEnd | undefined> {
    for (;;) {
      await sleep(1000, signal);
      if (Date.now() - this.#heardAt < silenceMs) continue;
      const asked = await this.#machine.exec(statusCommand(this.#machine.target.user, this.#phase), {
        signal,
      });
      const pairs = readPairs(asked.stdout);
      this.#heardAt = Date.now();
      switch (pairs.get("state")) {
        case "finished":
          if (pairs.get("run") !== this.#run) break;
          await sleep(graceMs, signal);
          return phaseEnd(pairs);
        case "idle":
          throw new BakeError(
            "failed",
            `the machine no longer runs the ${this.#phase} phase, and has no outcome of it`,
            {
              hint: "its driver was killed; run the same command again",
            },
          );
        default:
          break;
      }
    }
  }

  #tell(event: Event): void {
    this.#listener(event);
  }
}

function lastLines(text: string): string[] {
  return text.trimEnd().split("\n").slice(-20);
}

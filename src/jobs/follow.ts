import { BakeError } from "../base/errors.ts";
import { sleep, throwIfAborted } from "../base/wait.ts";
import type { Machine } from "../machine/machine.ts";
import type { Listener } from "../report/events.ts";
import { followCommand, readEnd, type JobEnd } from "./remote.ts";
import { drained, type Sink } from "./sink.ts";

export interface FollowOptions {
  readonly machine: Machine;
  /** A name of this caller's own, by which the machine knows whom to wait for. */
  readonly caller: string;
  readonly sink: Sink;
  readonly listener: Listener;
}

/** So many bytes may wait for a slow reader here; the rest stays on the machine. */
const mostPending = 32 * 1024 * 1024;

/** After a follow that did not come to its end. */
const againMs = 200;

/** So many of them in a row without one new byte: then it is no accident. */
const mostFailures = 25;

/** Follows the output of a job by byte offset, through lost connections and reboots; nothing is shown twice or skipped. */
export class JobFollower {
  readonly #options: FollowOptions;
  #offset = 0;

  constructor(options: FollowOptions) {
    this.#options = options;
  }

  /** How many bytes came so far. */
  get offset(): number {
    return this.#offset;
  }

  /**
   * Hands on the output until the job is over and its log was sent.
   * @throws BakeError `failed` when the machine does not show its job, `interrupted`, or as {@link Machine.connect} does
   *   when the machine does not come back.
   */
  async toTheEnd(signal: AbortSignal): Promise<JobEnd> {
    let failures = 0;
    for (;;) {
      throwIfAborted(signal);
      const before = this.#offset;
      const pass = await this.#once(signal);
      if (pass.end !== undefined && this.#offset >= pass.end.size) return pass.end;
      await drained(this.#options.sink, mostPending / 2, signal);
      if (pass.end !== undefined || pass.isFull) continue;
      failures = this.#offset > before ? 0 : failures + 1;
      if (failures >= mostFailures) {
        throw new BakeError("failed", "the machine does not show the output of its job", {
          details: pass.stderr.trim() === "" ? [] : [pass.stderr.trim().slice(-500)],
        });
      }
      await sleep(againMs, signal);
    }
  }

  /** One command over one connection. */
  async #once(signal: AbortSignal): Promise<{ end?: JobEnd | undefined; isFull?: boolean; stderr: string }> {
    const { machine, caller, sink } = this.#options;
    const full = new AbortController();
    try {
      const { stderr } = await machine.exec(followCommand(machine.target.user, caller, this.#offset), {
        signal: AbortSignal.any([signal, full.signal]),
        onStdout: (chunk) => {
          // What still comes after that is asked for again.
          if (full.signal.aborted) return;
          this.#offset += chunk.length;
          sink.write(chunk);
          if (sink.pending > mostPending) full.abort();
        },
      });
      return { end: readEnd(stderr), stderr };
    } catch (error) {
      throwIfAborted(signal);
      if (full.signal.aborted) return { isFull: true, stderr: "" };
      if (!(error instanceof BakeError) || error.kind !== "connection") throw error;
      this.#note("the connection was lost; the job goes on, and so does this as soon as the machine answers");
      await machine.connect(signal);
      this.#note(`connected again; going on after ${this.#offset} bytes`);
      return { stderr: error.message };
    } finally {
      // A late chunk of a command that is over counts no more.
      full.abort();
    }
  }

  #note(message: string): void {
    this.#options.listener({ type: "note", at: Date.now(), message });
  }
}

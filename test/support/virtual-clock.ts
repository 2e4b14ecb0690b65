import type { Clock } from "../../src/base/clock.ts";
import { interruptedBy, throwIfAborted } from "../../src/base/wait.ts";

interface Sleeper {
  readonly until: number;
  readonly wake: () => void;
}

/** Turns of the event loop without anything to do after which nothing but sleep can be left. */
const quietTurns = 3;

/**
 * Time that passes only when everybody sleeps: hours of waiting take as long as the work in between. Give it to the
 * client and to the cloud, and do what waits within {@link run}.
 */
export class VirtualClock implements Clock {
  #now: number;
  readonly #sleepers = new Set<Sleeper>();
  #timersBefore = 0;

  /** @param start milliseconds since the epoch */
  constructor(start = Date.parse("2026-01-02T03:04:05Z")) {
    this.#now = start;
  }

  readonly now = (): number => this.#now;

  readonly sleep = async (milliseconds: number, signal: AbortSignal): Promise<void> => {
    throwIfAborted(signal);
    await new Promise<void>((resolve, reject) => {
      const stop = (): void => {
        if (this.#sleepers.delete(sleeper)) reject(interruptedBy(signal));
      };
      const wake = (): void => {
        signal.removeEventListener("abort", stop);
        resolve();
      };
      const sleeper: Sleeper = { until: this.#now + Math.max(0, milliseconds), wake };
      this.#sleepers.add(sleeper);
      signal.addEventListener("abort", stop, { once: true });
    });
  };

  /** Does the work, and lets time jump to the next sleeper whenever nothing else goes on. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    const state = { done: false };
    this.#timersBefore = outstanding().timers;
    const result = work().finally(() => (state.done = true));
    // Whoever asks for the result sees its failure; here it only must not count as one that nobody looked at.
    result.catch(() => undefined);
    while (!state.done) {
      await this.#quiet();
      this.#wakeNext();
    }
    return await result;
  }

  #wakeNext(): void {
    const [next] = [...this.#sleepers].sort((a, b) => a.until - b.until);
    if (next === undefined) return;
    this.#now = Math.max(this.#now, next.until);
    this.#sleepers.delete(next);
    next.wake();
  }

  async #quiet(): Promise<void> {
    for (let turns = 0; turns < quietTurns; turns += 1) {
      await new Promise((resolve) => setImmediate(resolve));
      // A timer of the real clock is somebody who waits for a lock.
      const { waits, timers: now } = outstanding();
      if (waits || now > this.#timersBefore) turns = -1;
    }
  }
}

/** Whether this process waits for a file, a name or a thread, and how many timers it has. */
function outstanding(): { readonly waits: boolean; readonly timers: number } {
  const names = process.getActiveResourcesInfo();
  return {
    waits: names.some((name) => /Req|ThreadPool/i.test(name)),
    timers: names.filter((name) => name === "Timeout").length,
  };
}

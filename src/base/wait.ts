import { setTimeout as timer } from "node:timers/promises";
import type { Clock } from "./clock.ts";
import { BakeError } from "./errors.ts";

/** The error for a wait that the caller's signal ended; keeps the first reason. */
export function interruptedBy(signal: AbortSignal): BakeError {
  const reason: unknown = signal.reason;
  if (reason instanceof BakeError) return reason;
  return new BakeError("interrupted", "interrupted", { cause: reason });
}

/** @throws BakeError `interrupted` when the signal has fired. */
export function throwIfAborted(signal: AbortSignal): void {
  if (signal.aborted) throw interruptedBy(signal);
}

/** Node's timers fire at once when they are asked for more. */
const longestTimer = 2 ** 31 - 1;

/**
 * Waits for `milliseconds`.
 * @throws BakeError `interrupted` as soon as the signal fires.
 */
export async function sleep(milliseconds: number, signal: AbortSignal): Promise<void> {
  throwIfAborted(signal);
  try {
    await timer(Math.min(milliseconds, longestTimer), undefined, { signal });
  } catch {
    throw interruptedBy(signal);
  }
}

/**
 * Rejects with `interrupted` when the signal fires before `promise` settles. The work behind the promise goes
 * on: use it only where that work ends by itself or is ended by someone else.
 */
export async function orInterrupted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  throwIfAborted(signal);
  let stop: (() => void) | undefined;
  const interrupted = new Promise<never>((_, reject) => {
    stop = (): void => {
      reject(interruptedBy(signal));
    };
    signal.addEventListener("abort", stop, { once: true });
  });
  try {
    return await Promise.race([promise, interrupted]);
  } finally {
    if (stop !== undefined) signal.removeEventListener("abort", stop);
  }
}

/**
 * Runs `work` with a signal that fires after `seconds` of the clock, or when `signal` does.
 * @throws BakeError `timeout` that says what was waited for, or `interrupted`.
 */
export async function withDeadline<T>(
  what: string,
  seconds: number,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
  hint?: string,
  clock: Pick<Clock, "sleep"> = { sleep },
): Promise<T> {
  const passed = new AbortController();
  const done = new AbortController();
  const timeout = new BakeError(
    "timeout",
    `gave up after ${seconds} s of waiting for ${what}`,
    hint === undefined ? {} : { hint },
  );
  clock.sleep(seconds * 1000, done.signal).then(
    () => {
      passed.abort(timeout);
    },
    () => undefined, // The work was over first.
  );
  try {
    return await work(AbortSignal.any([signal, passed.signal]));
  } catch (error) {
    if (passed.signal.aborted && !signal.aborted) throw timeout;
    throw error;
  } finally {
    done.abort();
  }
}

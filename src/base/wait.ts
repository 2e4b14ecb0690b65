import { setTimeout as timer } from "node:timers/promises";
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

/**
 * Waits for `milliseconds`.
 * @throws BakeError `interrupted` as soon as the signal fires.
 */
export async function sleep(milliseconds: number, signal: AbortSignal): Promise<void> {
  throwIfAborted(signal);
  try {
    await timer(milliseconds, undefined, { signal });
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
 * Runs `work` with a signal that fires after `seconds`, or when `signal` does.
 * @throws BakeError `timeout` that says what was waited for, or `interrupted`.
 */
export async function withDeadline<T>(
  what: string,
  seconds: number,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
  hint?: string,
): Promise<T> {
  const controller = new AbortController();
  const timeout = new BakeError(
    "timeout",
    `gave up after ${seconds} s of waiting for ${what}`,
    hint === undefined ? {} : { hint },
  );
  const clock = setTimeout(() => {
    controller.abort(timeout);
  }, seconds * 1000);
  try {
    return await work(AbortSignal.any([signal, controller.signal]));
  } catch (error) {
    if (controller.signal.aborted && !signal.aborted) throw timeout;
    throw error;
  } finally {
    clearTimeout(clock);
  }
}

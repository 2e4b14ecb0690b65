import type { Clock } from "../base/clock.ts";
import type { BakeError } from "../base/errors.ts";
import { interruptedBy, orInterrupted } from "../base/wait.ts";
import { explainCloudError, markUncertain } from "./cloud-error.ts";
import { cloudCodeOf, NoAnswer, problemOf, type Problem } from "./problem.ts";
import { retryDelayMs } from "./retry.ts";

/** Makes the call once. */
export type Send<T> = (options: { abortSignal: AbortSignal }) => Promise<T>;

/**
 * Codes that may only mean that EC2 does not show yet what was made a moment ago, such as `InvalidGroup.NotFound`, and
 * how many seconds that may last.
 */
export interface Appearance {
  readonly codes: readonly string[];
  readonly withinSeconds: number;
}

/** What is known of a call beside its name. */
export interface About<T> {
  /** For the message when it fails: `i-0123456789abcdef0`. */
  readonly resource?: string;
  /** What may only not be found because it was made a moment ago. */
  readonly appears?: Appearance;
  /**
   * Looks for what an earlier attempt made, whose answer was lost. Needed for every create that EC2 does not repeat
   * harmlessly by itself.
   */
  readonly recover?: (signal: AbortSignal) => Promise<T | undefined>;
  /** The code that says that the thing exists already: then an earlier attempt made it. */
  readonly duplicate?: string;
  /** How long one attempt may take, in seconds, where it carries much. */
  readonly withinSeconds?: number;
}

/** A call that is going to be made again. */
export interface Retry {
  readonly action: string;
  readonly problem: Problem;
  /** How many attempts failed so far. */
  readonly attempts: number;
  readonly delayMs: number;
}

export interface Caller {
  readonly clock: Clock;
  readonly random: () => number;
  readonly onRetry: (retry: Retry) => void;
}

export interface Call<T> {
  readonly action: string;
  readonly kind: "ask" | "create";
  readonly about: About<T>;
  readonly send: Send<T>;
}

/** How long one attempt may take. RunInstances may take a while; past this the answer is lost. */
const attemptDeadlineMs = { ask: 30_000, create: 120_000 } as const;

/** How long what exists already may take to show itself, in milliseconds, and how often to look. */
const duplicateShownWithinMs = 60_000;
const duplicateLookMs = 2_000;

/** After an interruption nobody wants to wait long to learn what became of the last call. */
const lastLookDeadlineMs = 20_000;

/**
 * Makes one API call, again and again while that can help; the only place that does so.
 * @throws BakeError explaining the failure, marked as uncertain when the call may have made something; `interrupted`.
 */
export async function callWithRetries<T>(caller: Caller, call: Call<T>, signal: AbortSignal): Promise<T> {
  const { clock } = caller;
  /** Each kind of failure has its own patience: that the thing was not shown for long makes one broken connection no worse. */
  const rows = new Map<Problem, { attempts: number; readonly began: number }>();
  /** Whether an attempt may have made something although it failed. */
  let mayExist = false;
  for (let attempts = 1; ; attempts += 1) {
    const began = clock.now();
    try {
      return await attempt(caller, call, signal);
    } catch (error) {
      if (call.kind === "ask" && signal.aborted) throw interruptedBy(signal);
      const problem = problemOf(error);
      if (call.kind === "create" && problem === "unavailable") mayExist = true;
      const fail = (): BakeError => explained(call, error, mayExist);
      if (call.about.duplicate !== undefined && cloudCodeOf(error) === call.about.duplicate) {
        // Without a lost answer it is an earlier process that made it, or it is somebody else's.
        if (mayExist) return await recoverDuplicate(caller, call, fail, signal);
        return await recoverOrFail(call, true, fail);
      }
      const { appears } = call.about;
      const mayAppear = appears?.codes.includes(cloudCodeOf(error) ?? "") === true;
      const row = rows.get(problem) ?? { attempts: 0, began };
      rows.set(problem, row);
      row.attempts += 1;
      const failure = {
        problem,
        attempts: row.attempts,
        elapsedMs: clock.now() - row.began,
        visibleWithinMs: mayAppear ? appears.withinSeconds * 1000 : undefined,
      };
      const delayMs = retryDelayMs(failure, caller.random());
      if (delayMs === undefined) return await recoverOrFail(call, mayExist, fail);
      caller.onRetry({ action: call.action, problem, attempts, delayMs });
      try {
        await clock.sleep(delayMs, signal);
      } catch (interruption) {
        return await recoverOrFail(call, mayExist, () =>
          mayExist ? explained(call, interruption, true) : interruptedBy(signal),
        );
      }
      if (mayExist && call.about.recover !== undefined) {
        const found = await recoverQuietly(call, signal);
        if (found !== undefined) return found;
      }
    }
  }
}

/**
 * One attempt, with a deadline: an answer that never comes must not hold anybody up. It goes by the same clock as the
 * retries, and holds even when whoever carries the request does not listen to the signal.
 */
async function attempt<T>(
  { clock }: Caller,
  { kind, about, send }: Call<T>,
  signal: AbortSignal,
): Promise<T> {
  const stop = new AbortController();
  const answered = new AbortController();
  const limitMs = about.withinSeconds === undefined ? attemptDeadlineMs[kind] : about.withinSeconds * 1000;
  const noAnswer = clock.sleep(limitMs, answered.signal).then(() => {
    throw new NoAnswer(`none within ${limitMs / 1000} s`);
  });
  // Made anew for each attempt: a signal that many calls listen to at once makes Node complain.
  const abortSignal = kind === "ask" ? AbortSignal.any([signal, stop.signal]) : stop.signal;
  try {
    return await orInterrupted(Promise.race([send({ abortSignal }), noAnswer]), abortSignal);
  } finally {
    answered.abort();
    stop.abort();
  }
}

function explained<T>({ action, about }: Call<T>, error: unknown, mayExist: boolean): BakeError {
  const failure = explainCloudError(action, error, about.resource);
  return mayExist ? markUncertain(failure) : failure;
}

/** The last look for what a lost answer was about, before the failure is told. */
async function recoverOrFail<T>(call: Call<T>, mayExist: boolean, fail: () => BakeError): Promise<T> {
  if (mayExist) {
    const found = await recoverQuietly(call, AbortSignal.timeout(lastLookDeadlineMs));
    if (found !== undefined) return found;
  }
  throw fail();
}

/** A look that fails leaves the matter as it was. */
async function recoverQuietly<T>(call: Call<T>, signal: AbortSignal): Promise<T | undefined> {
  try {
    return await call.about.recover?.(signal);
  } catch {
    return undefined;
  }
}

/** The thing exists, so an earlier attempt made it; it may take a while to show. */
async function recoverDuplicate<T>(
  { clock }: Caller,
  call: Call<T>,
  fail: () => BakeError,
  signal: AbortSignal,
): Promise<T> {
  const began = clock.now();
  while (clock.now() - began < duplicateShownWithinMs && !signal.aborted) {
    const found = await recoverQuietly(call, signal);
    if (found !== undefined) return found;
    await clock.sleep(duplicateLookMs, signal).catch(() => undefined);
  }
  return await recoverOrFail(call, true, fail);
}

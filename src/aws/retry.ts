import type { Problem } from "./cloud-error.ts";

/** What is known when a call has failed. */
export interface Failure {
  readonly problem: Problem;
  /** How many attempts failed in this way, this one included. */
  readonly attempts: number;
  /** Since the first attempt began that failed in this way, in milliseconds. */
  readonly elapsedMs: number;
  /** Whether that the thing is not found may only mean that EC2 does not show it yet, and how long it may take. */
  readonly visibleWithinMs: number | undefined;
}

interface Policy {
  readonly firstMs: number;
  readonly longestMs: number;
  readonly attempts: number;
  readonly patienceMs: number;
}

/** EC2 refills an action's tokens at 2 to 20 a second: soon there is one, unless many want it. */
const throttled: Policy = { firstMs: 500, longestMs: 20_000, attempts: 100, patienceMs: 300_000 };

/** A service that fails is back soon or not at all. The patience is for attempts that take long to fail. */
const unavailable: Policy = { firstMs: 500, longestMs: 10_000, attempts: 6, patienceMs: 300_000 };

const invisible: Omit<Policy, "patienceMs"> = { firstMs: 500, longestMs: 5_000, attempts: 100 };

/**
 * How long to wait before the same call is made again, in milliseconds; undefined when it is not worth it. Waits are
 * drawn between nothing and twice as much each time ("full jitter"), so that many callers do not come back at once.
 * @param random a number from 0 up to 1
 */
export function retryDelayMs(failure: Failure, random: number): number | undefined {
  const policy = policyFor(failure);
  if (policy === undefined || failure.attempts >= policy.attempts) return undefined;
  const ceiling = Math.min(policy.longestMs, policy.firstMs * 2 ** (failure.attempts - 1));
  const left = policy.patienceMs - failure.elapsedMs;
  if (left <= 0) return undefined;
  return Math.min(left, Math.max(50, random * ceiling));
}

function policyFor({ problem, visibleWithinMs }: Failure): Policy | undefined {
  switch (problem) {
    case "throttled":
      return throttled;
    case "unavailable":
      return unavailable;
    case "not-found":
      return visibleWithinMs === undefined ? undefined : { ...invisible, patienceMs: visibleWithinMs };
    case "capacity":
    case "in-use":
    case "denied":
    case "permanent":
      return undefined;
  }
}

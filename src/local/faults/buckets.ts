import type { Buckets } from "./plan.ts";

interface Level {
  readonly tokens: number;
  readonly at: number;
}

/**
 * EC2 throttles by token buckets, one for each action: a call takes a token, and tokens come back at a steady rate.
 * https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html
 */
export class TokenBuckets {
  readonly #buckets: Buckets;
  readonly #levels = new Map<string, Level>();

  constructor(buckets: Buckets) {
    this.#buckets = buckets;
  }

  /** Takes a token for a call of this action. @returns false when there is none left, so that the call is refused */
  take(action: string, now: number): boolean {
    const size = this.#buckets[action] ?? this.#buckets["*"];
    if (size === undefined) return true;
    const before = this.#levels.get(action) ?? { tokens: size.capacity, at: now };
    const refilled = (Math.max(0, now - before.at) / 1000) * size.refillPerSecond;
    const tokens = Math.min(size.capacity, before.tokens + refilled);
    const granted = tokens >= 1;
    this.#levels.set(action, { tokens: granted ? tokens - 1 : tokens, at: now });
    return granted;
  }
}

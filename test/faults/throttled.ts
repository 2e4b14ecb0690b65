import { messageOf } from "../../src/base/errors.ts";
import { TokenBuckets } from "../../src/local/faults/buckets.ts";
import type { Buckets } from "../../src/local/faults/plan.ts";
import type { ThrottleReport } from "./reports.ts";
import { tally } from "./tally.ts";
import { World } from "./world.ts";

/**
 * EC2's own for RunInstances; for the rest half of the least that it has for any other action of a bake.
 * ("Request token bucket sizes and refill rates" in the Amazon EC2 developer guide)
 */
const buckets: Buckets = {
  "*": { capacity: 25, refillPerSecond: 2.5 },
  RunInstances: { capacity: 5, refillPerSecond: 2 },
};

/** Bakes while three calls of ten are refused, and keeps the account of every action's bucket. */
export async function bakeThrottled(seed: number): Promise<ThrottleReport> {
  let beyondBucket = 0;
  const clock = { now: (): number => 0 };
  const account = new TokenBuckets(buckets);
  await using world = await World.open({
    seed,
    faults: {
      seed,
      calls: [{ fault: "throttled", rate: 0.3 }],
      buckets,
      delaysMs: { start: [6_000, 25_000], stop: [15_000, 60_000], image: [60_000, 300_000] },
    },
    intercept: async ({ action }, carryOut) => {
      if (!account.take(action, clock.now())) beyondBucket += 1;
      return await carryOut();
    },
  });
  clock.now = world.clock.now;
  const { result, error } = await world.bake();
  const left = await world.left();
  const strange = left.filter((id) => id !== result?.imageId);
  const { calls } = world.witness;
  const [[action, most] = ["none", 0]] = tally(calls.map((call) => call.action));
  const problem =
    error !== undefined ? messageOf(error) : strange.length > 0 ? `left: ${strange.join(" ")}` : undefined;
  return { seed, problem, calls: calls.length, beyondBucket, mostOfOne: { action, calls: most } };
}

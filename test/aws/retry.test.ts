import { expect, test } from "vitest";
import { retryDelayMs, type Failure } from "../../src/aws/retry.ts";

const failure = (rest: Partial<Failure>): Failure => ({
  problem: "throttled",
  attempts: 1,
  elapsedMs: 0,
  visibleWithinMs: undefined,
  ...rest,
});

test("throttled: twice as long each time, at most 20 s, for five minutes", () => {
  const delays = [1, 2, 3, 6, 7, 30].map((attempts) => retryDelayMs(failure({ attempts }), 0.999_999));
  expect(delays.map((ms) => Math.round(ms ?? 0))).toEqual([500, 1000, 2000, 16_000, 20_000, 20_000]);
  expect(retryDelayMs(failure({ elapsedMs: 299_000 }), 0.999_999)).toBeCloseTo(500, 0);
  expect(retryDelayMs(failure({ attempts: 8, elapsedMs: 299_000 }), 0.999_999)).toBe(1000);
  expect(retryDelayMs(failure({ elapsedMs: 300_000 }), 0.5)).toBeUndefined();
});

test("waits are drawn over the whole range, and are never nothing", () => {
  expect(retryDelayMs(failure({ attempts: 3 }), 0)).toBe(50);
  expect(retryDelayMs(failure({ attempts: 3 }), 0.5)).toBe(1000);
});

test("unavailable: five more attempts", () => {
  const unavailable = (attempts: number): number | undefined =>
    retryDelayMs(failure({ problem: "unavailable", attempts }), 0.5);
  expect([1, 2, 3, 4, 5].map(unavailable)).toEqual([250, 500, 1000, 2000, 4000]);
  expect(unavailable(6)).toBeUndefined();
});

test("not found: only when it may yet appear, and only for so long", () => {
  expect(retryDelayMs(failure({ problem: "not-found" }), 0.5)).toBeUndefined();
  const soon = { problem: "not-found", visibleWithinMs: 12_000 } as const;
  expect(retryDelayMs(failure(soon), 0.5)).toBe(250);
  expect(retryDelayMs(failure({ ...soon, elapsedMs: 12_000 }), 0.5)).toBeUndefined();
});

test.each(["capacity", "in-use", "denied", "permanent"] as const)("%s: never", (problem) => {
  expect(retryDelayMs(failure({ problem, visibleWithinMs: 60_000 }), 0.5)).toBeUndefined();
});

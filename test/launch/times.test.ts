import { expect, test } from "vitest";
import { newIn } from "../../src/launch/wait-tail.ts";
import { breakdownOf, readTimes, type BootBreakdown, type BootTimes } from "../../src/launch/times.ts";
import { randomNumbers } from "../support/random.ts";

const times: BootTimes = {
  bootedAt: 1_000_250,
  hookMs: 5100,
  readyMs: 8400,
  services: [
    { phase: "init", service: "web", startMs: 5300, endMs: 6510 },
    { phase: "update", service: "db", startMs: 6500, endMs: 8000 },
    { phase: "update", service: "web", startMs: 6600, endMs: 6900 },
  ],
};

const sum = ({ parts }: BootBreakdown): number => Object.values(parts).reduce((a, b) => a + b, 0);

test("the parts of a boot add up to the whole; what overlaps counts once", () => {
  const breakdown = breakdownOf(times, 998_000);
  expect(breakdown.parts).toEqual({ launchMs: 2250, bootMs: 5100, servicesMs: 2700, hookMs: 600 });
  expect(breakdown.totalMs).toBe(2250 + 8400);
  expect(sum(breakdown)).toBe(breakdown.totalMs);
});

test("clocks that disagree, and a later boot: the launch is left out, and the rest still adds up", () => {
  for (const launchedAt of [undefined, 1_000_250 + 5000, 1_000_250 - 3_600_000]) {
    const breakdown = breakdownOf(times, launchedAt);
    expect(breakdown.parts.launchMs).toBeUndefined();
    expect(breakdown.totalMs).toBe(8400);
    expect(sum(breakdown)).toBe(8400);
  }
  // The time of a launch is rounded.
  expect(breakdownOf(times, 1_000_900).parts.launchMs).toBe(0);
});

test("whatever a machine says, the parts add up and none is negative", () => {
  const random = randomNumbers(4);
  for (let round = 0; round < 500; round += 1) {
    const at = (): number => random(10_000);
    const services = Array.from({ length: random(6) }, (_, n) => {
      const startMs = at();
      return { phase: "update", service: `s${n}`, startMs, endMs: startMs + at() - 500 };
    });
    const breakdown = breakdownOf({ bootedAt: 1e12, hookMs: at(), readyMs: at(), services }, 1e12 - at());
    expect(sum(breakdown)).toBe(breakdown.totalMs);
    expect(Math.min(...Object.values(breakdown.parts))).toBeGreaterThanOrEqual(0);
  }
});

test("a line that cannot be read says nothing", () => {
  expect(readTimes("run=boot-1 booted=x hook=1 ready=2 services=-")).toBeUndefined();
  expect(readTimes("run=boot-1 booted=1 hook=1 ready=2 services=-,web,web:1,a:b:c")).toEqual({
    bootedAt: 1000,
    hookMs: 1000,
    readyMs: 2000,
    services: [],
  });
});

test("what is new on a console, also when its beginning has gone", () => {
  expect(newIn("", "a\n")).toBe("a\n");
  expect(newIn("a\n", "a\nb\n")).toBe("b\n");
  const long = Array.from({ length: 200 }, (_, n) => `line ${n}\n`).join("");
  expect(newIn(long, `${long.slice(900)}more\n`)).toBe("more\n");
  expect(newIn(long, "another boot\n")).toBe("another boot\n");
});

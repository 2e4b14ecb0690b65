import { expect, test } from "vitest";
import type { Event } from "../../src/report/events.ts";
import { formatDuration, formatTimings, TimingCollector, unionLength } from "../../src/report/timings.ts";

test("overlapping intervals count once", () => {
  expect(unionLength([])).toBe(0);
  expect(
    unionLength([
      { from: 20, to: 30 },
      { from: 0, to: 10 },
      { from: 5, to: 12 },
      { from: 6, to: 8 },
    ]),
  ).toBe(22);
});

test("where the time of a bake went", () => {
  const collector = new TimingCollector(0);
  const step = (type: "step-started" | "step-finished", service: string, machineAt: number): Event => {
    const base = { at: 0, machineAt, phase: "init", service, step: "s", attempt: 1 };
    return type === "step-started" ? { type, ...base } : { type, ...base, status: 0 };
  };
  const events: Event[] = [
    { type: "stage-finished", at: 0, stage: "boot", durationMs: 12_000 },
    { type: "service-started", at: 0, machineAt: 100_000, phase: "init", service: "_packages" },
    step("step-started", "_packages", 100_000),
    step("step-finished", "_packages", 104_000),
    {
      type: "service-finished",
      at: 0,
      machineAt: 104_500,
      phase: "init",
      service: "_packages",
      result: "ok",
    },
    step("step-started", "a", 105_000),
    step("step-started", "b", 106_000),
    step("step-finished", "a", 108_000),
    step("step-finished", "b", 109_000),
    { type: "stage-finished", at: 0, stage: "init", durationMs: 10_000 },
  ];
  for (const event of events) collector.listen(event);
  const timings = collector.timings(25_000);
  expect(timings).toMatchObject({ totalMs: 25_000, bootMs: 12_000, stepsMs: 8000, restMs: 5000 });
  const text = formatTimings(timings).join("\n");
  expect(text).toMatch(/package installation +4\.5 s/);
  expect(text).toContain("boot 12.0 s, steps 8.0 s, everything else 5.0 s");
});

test("a stage that comes twice has its own services each time, and none that was done before", () => {
  const collector = new TimingCollector(0);
  const service = (name: string, from: number, to: number): Event[] => [
    { type: "service-started", at: 0, machineAt: from, phase: "init", service: name },
    { type: "service-finished", at: 0, machineAt: to, phase: "init", service: name, result: "ok" },
  ];
  const stage: Event = { type: "stage-finished", at: 0, stage: "init", durationMs: 3000 };
  const again: Event = {
    type: "service-finished",
    at: 0,
    machineAt: 60_000,
    phase: "init",
    service: "a",
    result: "skipped",
  };
  for (const event of [...service("a", 0, 1000), stage, again, ...service("b", 61_000, 63_000), stage]) {
    collector.listen(event);
  }
  const lines = formatTimings(collector.timings(70_000)).map((line) => line.trim().replace(/ +/g, " "));
  expect(lines.slice(1, 5)).toEqual(["init 3.0 s", "a 1.0 s", "init 3.0 s", "b 2.0 s"]);
});

test.each([
  [0, "0.0 s"],
  [99_940, "99.9 s"],
  [200_000, "3 min 20 s"],
])("%d ms is %s", (ms, text) => {
  expect(formatDuration(ms)).toBe(text);
});

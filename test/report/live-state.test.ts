import { expect, test } from "vitest";
import type { Event } from "../../src/report/events.ts";
import { frameOf, idle, nextState } from "../../src/report/live-state.ts";
import { lineOf, printable } from "../../src/report/lines.ts";

const at = { at: 1000, machineAt: 0, phase: "init" };
const events: Event[] = [
  { type: "stage-started", at: 0, stage: "init" },
  { type: "service-started", ...at, service: "nginx" },
  { type: "step-started", ...at, service: "nginx", step: "10-install.sh", attempt: 1 },
  { type: "output", ...at, service: "nginx", line: "\u001b[32mUnpacking\u001b[0m\tall of it" },
];

test("the stage, and each running service with its last line", () => {
  const state = events.reduce(nextState, idle);
  expect(frameOf(state, 3000, 80, 24)).toEqual([
    "    3.0 s  init",
    "    2.0 s    nginx 10-install.sh: Unpacking\tall of it",
  ]);
});

test("lines are cut to the terminal, and many services to its height", () => {
  let state = idle;
  for (let n = 0; n < 30; n += 1) {
    state = nextState(state, { type: "service-started", ...at, service: `service-with-a-long-name-${n}` });
  }
  const frame = frameOf(state, 3000, 20, 10);
  expect(frame).toHaveLength(8);
  expect(frame.at(-1)).toContain("and 23 more");
  for (const line of frame.slice(0, -1)) expect(line.length).toBeLessThanOrEqual(20);
});

test("what is over leaves the view", () => {
  let state = events.reduce(nextState, idle);
  state = nextState(state, { type: "service-finished", ...at, service: "nginx", result: "ok" });
  state = nextState(state, { type: "stage-finished", at: 5000, stage: "init", durationMs: 5000 });
  expect(frameOf(state, 6000, 80, 24)).toEqual([]);
});

test("output cannot move the terminal's cursor", () => {
  expect(printable("a\u001b[2J\u001b[1;1Hb\u0007\rc\u009b")).toBe("abc");
});

test("a failed step says how it failed", () => {
  const step = { type: "step-finished", ...at, service: "_packages", step: "packages", attempt: 1 } as const;
  expect(lineOf({ ...step, status: 0 })).toBeUndefined();
  expect(lineOf({ ...step, status: 3 })).toBe("init package installation: packages ended with status 3");
  expect(lineOf({ ...step, status: 124, reason: "timeout" })).toContain("took too long");
});

import { expect, test } from "vitest";
import type { Event } from "../../src/report/events.ts";
import { frameOf, idle, nextState } from "../../src/report/live-state.ts";
import { formatBytes, lineOf, printable } from "../../src/report/lines.ts";

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

test("how far a copy is, until it is over", () => {
  const copy: Event[] = [
    { type: "stage-started", at: 0, stage: "copy" },
    { type: "copying", at: 1, path: "a\u001b[2J\nb", bytes: 1_250_000, total: 40_000_000, files: 2 },
  ];
  const state = copy.reduce(nextState, idle);
  expect(frameOf(state, 3000, 80, 24)).toEqual(["    3.0 s  copy", "           1.3 MB of 40.0 MB  a?b"]);
  expect(frameOf(state, 3000, 20, 24)[1]).toBe("           1.3 MB o…");
  const over = nextState(state, { type: "stage-finished", at: 5000, stage: "copy", durationMs: 5000 });
  expect(frameOf(over, 6000, 80, 24)).toEqual([]);
});

test.each([
  [0, "0 B"],
  [999, "999 B"],
  [1000, "1.0 kB"],
  [999_949, "999.9 kB"],
  [999_950, "1.0 MB"],
  [5e15, "5000.0 TB"],
])("%d bytes are %s", (bytes, text) => {
  expect(formatBytes(bytes)).toBe(text);
});

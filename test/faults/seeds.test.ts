import { beforeAll, expect, inject, test } from "vitest";
import { faultProgram, reportsOf, type Seeds } from "./processes.ts";
import { planReport, throttleReport, waitReport, type PlanReport } from "./reports.ts";
import { tally } from "./tally.ts";

/*
 * Many bakes, each under a plan that is drawn by its seed. They run in processes of their own (seeds.ts), so that one that
 * hangs can be ended. To look at one that failed: `tryPlan(seed)` and the like do the same again.
 */
let program = "";
beforeAll(async () => {
  program = await faultProgram("seeds", inject("dist"));
});

const seeds = (last: number): Seeds => ({ first: 1, last });

test("200 random fault plans: no leaks, no hangs, no unclear errors", { timeout: 300_000 }, async () => {
  const reports = await reportsOf(program, "plans", seeds(200), planReport);
  console.log(`random plans: ${summary(reports)}`);
  expect(reports.filter(({ problems }) => problems.length > 0)).toEqual([]);
  // Else nothing was tried.
  expect(reports.filter(({ outcome }) => outcome === "error").length).toBeGreaterThan(10);
});

test("20 plans by which half of all calls break: the same", { timeout: 300_000 }, async () => {
  const reports = await reportsOf(program, "broken", seeds(20), planReport);
  console.log(`connections that break: ${summary(reports)}`);
  expect(reports.filter(({ problems }) => problems.length > 0)).toEqual([]);
});

function summary(reports: readonly PlanReport[]): string {
  const outcomes = tally(reports.map(({ outcome }) => outcome)).map(
    ([outcome, count]) => `${count} ${outcome}`,
  );
  const cleaned = reports.filter(({ neededCleanup }) => neededCleanup).length;
  const hours = Math.max(...reports.map((report) => report.hours));
  return `${reports.length} bakes: ${outcomes.join(", ")}; ${cleaned} needed a cleanup; the longest took ${hours.toFixed(1)} h`;
}

test(
  "with three calls of ten throttled a bake succeeds, and asks no more than EC2 takes",
  { timeout: 300_000 },
  async () => {
    const reports = await reportsOf(program, "throttled", seeds(20), throttleReport);
    const [most] = reports.map(({ mostOfOne }) => mostOfOne).sort((a, b) => b.calls - a.calls);
    console.log(
      `30 % throttled: ${reports.length} bakes, ${Math.max(...reports.map(({ calls }) => calls))} calls at most, ` +
        `of one action ${most?.calls ?? 0} (${most?.action ?? ""})`,
    );
    expect(reports.filter(({ problem }) => problem !== undefined)).toEqual([]);
    expect(reports.filter(({ beyondBucket }) => beyondBucket > 0)).toEqual([]);
  },
);

/*
 * How late a bake notices what it waits for, and how many calls it takes to notice. By the formula of its pauses, Packer is
 * 95 s late on average, summed over the waits of a build.
 */
test("waits notice what they wait for soon, with few calls", { timeout: 300_000 }, async () => {
  const reports = await reportsOf(program, "waits", seeds(200), waitReport);
  const slacks = reports.map(({ slackMs }) => slackMs / 1000);
  const describes = reports.map((report) => report.describes);
  const busy = describes.filter((count) => count > 75).length;
  console.log(
    `waits: ${reports.length} bakes, slack ${average(slacks).toFixed(2)} s on average, ${Math.max(...slacks).toFixed(2)} s at most; ` +
      `Describe calls ${average(describes).toFixed(1)} on average, ${Math.max(...describes)} at most, over 75 in ${busy}`,
  );
  expect(Math.min(...slacks)).toBeGreaterThanOrEqual(0);
  expect(average(slacks)).toBeLessThanOrEqual(6);
  expect(average(describes)).toBeLessThanOrEqual(60);
});

test("what changes at once is noticed within 0.2 s", async () => {
  const [report] = await reportsOf(program, "short-waits", seeds(1), waitReport);
  expect(report?.slackMs).toBeLessThanOrEqual(3 * 200);
});

function average(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

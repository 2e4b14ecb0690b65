import { expect, inject, test } from "vitest";
import { reportsOf } from "./processes.ts";
import { planReport, type PlanReport } from "./random-plan.ts";
import { tally } from "./tally.ts";

/*
 * Bakes under fault plans drawn by seed; see random-plan.ts for what is asked of each. To look at one that failed:
 * `randomFaultPlan(seed)` gives the plan, and `tryPlan(seed)` does the same again.
 */
test("200 random fault plans: no leaks, no hangs, no unclear errors", { timeout: 300_000 }, async () => {
  const reports = await reportsOf("plans", { first: 1, last: 200 }, planReport, inject("dist"));
  console.log(summary(reports));
  expect(reports.filter(({ problems }) => problems.length > 0)).toEqual([]);
  // Else nothing was tried.
  expect(reports.filter(({ outcome }) => outcome === "error").length).toBeGreaterThan(10);
});

test("20 plans by which half of all calls break: the same", { timeout: 180_000 }, async () => {
  const reports = await reportsOf("broken", { first: 1, last: 20 }, planReport, inject("dist"));
  console.log(`connections that break: ${summary(reports)}`);
  expect(reports.filter(({ problems }) => problems.length > 0)).toEqual([]);
});

function summary(reports: readonly PlanReport[]): string {
  const outcomes = tally(reports.map(({ outcome }) => outcome))
    .map(([outcome, count]) => `${count} ${outcome}`)
    .join(", ");
  const cleaned = reports.filter(({ neededCleanup }) => neededCleanup).length;
  const hours = Math.max(...reports.map((report) => report.hours));
  return `${reports.length} random plans: ${outcomes}; ${cleaned} needed a cleanup; the longest took ${hours.toFixed(1)} h`;
}

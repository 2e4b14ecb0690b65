import { expect, inject, test } from "vitest";
import { reportsOf } from "./processes.ts";
import { waitReport } from "./waiting.ts";
import { World } from "./world.ts";

/*
 * How late a bake notices what it waits for, and how many calls it takes to notice. By the formula of its pauses, Packer is
 * 95 s late on average, summed over the waits of a build.
 */
test("waits notice what they wait for soon, with few calls", { timeout: 300_000 }, async () => {
  const reports = await reportsOf("waits", { first: 1, last: 200 }, waitReport, inject("dist"));
  const slacks = reports.map(({ slackMs }) => slackMs / 1000);
  const describes = reports.map((report) => report.describes);
  const busy = describes.filter((count) => count > 75).length;
  console.log(
    `${reports.length} bakes: slack ${average(slacks).toFixed(2)} s on average, ${Math.max(...slacks).toFixed(2)} s at most; ` +
      `Describe calls ${average(describes).toFixed(1)} on average, ${Math.max(...describes)} at most, over 75 in ${busy}`,
  );
  expect(Math.min(...slacks)).toBeGreaterThanOrEqual(0);
  expect(average(slacks)).toBeLessThanOrEqual(6);
  expect(average(describes)).toBeLessThanOrEqual(60);
});

test("what changes at once is noticed at once", async () => {
  await using world = await World.open();
  const { error, tookMs } = await world.bake();
  expect(error).toBeUndefined();
  // The first look of each of the three waits, or the second.
  expect(tookMs).toBeLessThanOrEqual(3 * 200);
});

function average(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

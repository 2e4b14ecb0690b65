import { expect, inject, test } from "vitest";
import { reportsOf } from "./processes.ts";
import { throttleReport } from "./throttled.ts";

test(
  "with three calls of ten throttled a bake succeeds, and asks no more than EC2 takes",
  { timeout: 120_000 },
  async () => {
    const reports = await reportsOf("throttled", { first: 1, last: 20 }, throttleReport, inject("dist"));
    const most = reports.map(({ mostOfOne }) => mostOfOne).sort((a, b) => b.calls - a.calls)[0];
    console.log(
      `${reports.length} bakes with 30 % of calls throttled: ${Math.max(...reports.map(({ calls }) => calls))} calls at most, ` +
        `${most?.calls ?? 0} of them ${most?.action ?? ""}`,
    );
    expect(reports.filter(({ problem }) => problem !== undefined)).toEqual([]);
    expect(reports.filter(({ beyondBucket }) => beyondBucket > 0)).toEqual([]);
  },
);

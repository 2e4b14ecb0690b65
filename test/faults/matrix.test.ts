import { describe, expect, test } from "vitest";
import { messageOf } from "../../src/base/errors.ts";
import type { FaultPlan } from "../../src/local/faults/plan.ts";
import { canHave, faults, type CallName, type Fault } from "./call-faults.ts";
import { tryCell, type Result, type Scenario } from "./cell.ts";
import { World } from "./world.ts";

/*
 * Every call of a bake meets every fault that can befall it. The bake ends with its image or with one clear error, has never
 * made anything twice, and leaves nothing else.
 */

/** So that every wait looks more than once. */
const slowly: FaultPlan = { delaysMs: { start: 150, stop: 150, terminate: 150, image: 150 } };

/** What is made shows itself late, so an undo that comes at once does not find it at first. */
const hidden = { hiddenMs: 3000 };
const late: FaultPlan = {
  ...slowly,
  consistency: { instance: hidden, image: hidden, snapshot: hidden, securityGroup: hidden, keyPair: hidden },
};

interface Rows extends Scenario {
  readonly meets: readonly Fault[];
  /** Only what a bake calls after its image has failed. */
  readonly onlyUndo?: true;
}

const scenarios: Readonly<Record<string, Rows>> = {
  "a bake": { plan: slowly, meets: faults },
  "a bake whose resources show themselves late": {
    plan: late,
    meets: ["interrupted"],
  },
  "the undo of a bake whose image failed": {
    plan: { ...slowly, failedImages: [{}] },
    meets: faults,
    failsWith: /^image ami-\w+ is failed: /,
    onlyUndo: true,
  },
};

describe.each(Object.entries(scenarios))("%s", async (title, rows) => {
  const calls = await callsOf(rows);
  const results = new Map<string, Result | "-">();
  const keyOf = (call: CallName, fault: Fault): string => `${nameOf(call)}: ${fault}`;

  test.each(rows.meets)("%s", { timeout: 120_000 }, async (fault) => {
    const wrong: string[] = [];
    for (const call of calls) {
      const key = keyOf(call, fault);
      results.set(key, "-");
      if (!canHave(call.action, fault)) continue;
      const cell = await tryCell(rows, call, fault);
      results.set(key, cell.result);
      wrong.push(...cell.wrong.map((each) => `${key}: ${each}`));
    }
    expect(wrong).toEqual([]);
  });

  test("the table has every call and every fault", async () => {
    const width = Math.max(...calls.map((call) => nameOf(call).length)) + 2;
    const line = (first: string, rest: readonly string[]): string =>
      `${first.padEnd(width)}${rest.map((text) => text.padEnd(17)).join("")}`.trimEnd();
    const cellsOf = (call: CallName): string[] =>
      rows.meets.map((fault) => results.get(keyOf(call, fault)) ?? "missing");
    const table = calls.map((call) => line(nameOf(call), cellsOf(call)));
    console.log([`${title}:`, line("call", rows.meets), ...table].join("\n"));
    expect(await callsOf(rows)).toEqual(calls);
    expect(table.filter((row) => row.includes("missing"))).toEqual([]);
  });
});

function nameOf({ action, number }: CallName): string {
  return `${action} ${number}`;
}

/** The calls that a table is about, as a bake makes them that meets no fault. */
async function callsOf({ plan, failsWith, onlyUndo }: Rows): Promise<CallName[]> {
  await using world = await World.open({ faults: plan });
  const { error, warnings } = await world.bake();
  expect(warnings).toEqual([]);
  if (failsWith === undefined) expect(error).toBeUndefined();
  else expect(messageOf(error)).toMatch(failsWith);
  const calls = world.witness.calls.map(({ action, number }) => ({ action, number }));
  // The last look at an image is its undo's.
  return onlyUndo === true
    ? calls.slice(calls.findLastIndex(({ action }) => action === "DescribeImages"))
    : calls;
}

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import * as z from "zod";
import { BakeError } from "../../src/base/errors.ts";
import { faultPlanSchema } from "../../src/local/faults/plan.ts";
import { randomFaultPlan } from "../../src/local/faults/random-plan.ts";
import { checkedFaultPlan, readFaultPlan } from "../../src/local/faults/read-plan.ts";

let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "bake-ami-faults-"));
});
afterAll(async () => {
  await rm(directory, { recursive: true, force: true });
});

async function planFile(text: string): Promise<string> {
  const file = join(directory, "faults.yaml");
  await writeFile(file, text);
  return file;
}

const slips: readonly [what: string, text: string, problem: RegExp][] = [
  [
    "unknown key",
    "seed: 1\ncals: []\n",
    /faults\.yaml:2: cals: there is no such key here did you mean "calls"/,
  ],
  [
    "unknown key further in",
    "calls:\n  - fault: denied\n    acton: RunInstances\n",
    /faults\.yaml:3: calls\.0\.acton: there is no such key here did you mean "action"/,
  ],
  ["unknown fault", "calls:\n  - {fault: throtled}\n", /faults\.yaml:2: calls\.0\.fault: .*"throttled"/],
  ["wrong type", "seed: x\n", /faults\.yaml:1: seed: .*expected number/],
  ["rate too high", "calls: [{fault: denied, rate: 3}]\n", /calls\.0\.rate: .*<=1/],
  [
    "bounds the wrong way",
    "delaysMs:\n  start: [5, 1]\n",
    /:2: delaysMs\.start: the first number must not be/,
  ],
  ["a span of text", "groupInUseMs: soon\n", /groupInUseMs: expected a time in milliseconds/],
  [
    "not an action",
    "calls: [{fault: denied, action: run-instances}]\n",
    /calls\.0\.action: expected the name/,
  ],
  [
    "not an action in a list",
    "calls: [{fault: denied, action: [Aa, b]}]\n",
    /calls\.0\.action\.1: expected the/,
  ],
  [
    "not an action among buckets",
    "buckets: {x: {capacity: 1, refillPerSecond: 1}}\n",
    /buckets\.x: expected the/,
  ],
  ["missing key", "spotInterruption: {}\n", /:1: spotInterruption\.afterMs: /],
  [
    "stale groups",
    "consistency: {keyPair: {staleMs: 1}}\n",
    /consistency\.keyPair\.staleMs: there is no such key/,
  ],
  ["a list", "- fault: denied\n", /faults\.yaml:1: .*expected object/],
  ["malformed", "calls: [\n", /faults\.yaml:\d: malformed: /],
];

test.each(slips)("a plan with a slip names its place: %s", async (_, text, problem) => {
  const failure: unknown = await readFaultPlan(await planFile(text)).catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(BakeError);
  if (!(failure instanceof BakeError)) return;
  expect(failure.kind).toBe("usage");
  expect(`${failure.message} ${failure.hint ?? ""}`).toMatch(problem);
  expect(failure.hint).toContain("docs/local-cloud.md");
});

test("a file that is not there, an empty one, JSON", async () => {
  await expect(readFaultPlan(join(directory, "none.json"))).rejects.toThrow(/none\.json cannot be read/);
  expect(await readFaultPlan(await planFile(""))).toEqual(faultPlanSchema.parse({}));
  expect(await readFaultPlan(await planFile('{"seed": 3}'))).toMatchObject({ seed: 3 });
});

test("a value that is no plan", () => {
  expect(() => checkedFaultPlan({ seed: -1 })).toThrow(/^the fault plan: seed: /);
});

test("plans by seed are legal, differ, and are the same again", () => {
  const plans = Array.from({ length: 500 }, (_, seed) => randomFaultPlan(seed));
  for (const [seed, plan] of plans.entries()) {
    expect(checkedFaultPlan(plan).seed).toBe(seed);
    expect(randomFaultPlan(seed)).toEqual(plan);
  }
  expect(new Set(plans.map((plan) => JSON.stringify({ ...plan, seed: 0 }))).size).toBe(plans.length);
  // A plan that went through a file is the same plan.
  const text = JSON.stringify(plans);
  expect(z.array(faultPlanSchema).parse(JSON.parse(text))).toEqual(
    plans.map((plan) => checkedFaultPlan(plan)),
  );
});

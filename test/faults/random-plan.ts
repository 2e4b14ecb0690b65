import { isUncertain } from "../../src/aws/cloud-error.ts";
import type { BakeOptions } from "../../src/bake/bake.ts";
import { BakeError, messageOf } from "../../src/base/errors.ts";
import type { FaultPlan } from "../../src/local/faults/plan.ts";
import { randomFaultPlan } from "../../src/local/faults/random-plan.ts";
import { willingMachines } from "../support/bake.ts";
import { randomNumbers } from "../support/random.ts";
import { whyUnclear } from "./clear.ts";
import type { PlanReport } from "./reports.ts";
import { complaintOf, World, type Outcome } from "./world.ts";

/** An image may take a day; with its builder, and all that is made again and again, a bake may take a little more. */
const mostHours = 30;

/** Bakes under the random plan of this seed, and looks at all that it did and left. */
export async function tryPlan(seed: number): Promise<PlanReport> {
  return await tryUnder(seed, randomFaultPlan(seed));
}

/**
 * The same under a plan by which so many calls break that some are given up, and nobody knows what became of them. Nothing
 * is denied, so that all that is left can be put away.
 */
export async function tryBrokenPlan(seed: number): Promise<PlanReport> {
  const plan = randomFaultPlan(seed);
  const rate = 0.3 + (0.3 * randomNumbers(seed)(100)) / 100;
  const broken: FaultPlan["calls"] = [
    { fault: "reply-lost", rate },
    { fault: "request-lost", rate: rate / 2 },
  ];
  const calls = (plan.calls ?? []).filter(({ fault }) => fault !== "denied");
  return await tryUnder(seed, { ...plan, calls: [...broken, ...calls] });
}

async function tryUnder(seed: number, faults: FaultPlan): Promise<PlanReport> {
  await using world = await World.open({ seed, faults });
  const outcome = await bakeWith(world, seed);
  const problems = [...world.witness.duplicates(), ...problemsOf(outcome, seed)];
  const hours = outcome.tookMs / 3_600_000;
  if (hours > mostHours) problems.push(`it took ${hours.toFixed(1)} hours`);

  // While the plan still holds, a cleanup may fail, but it does no harm.
  if (seed % 2 === 1) problems.push(...(await faultyCleanup(world)));
  const imageId = outcome.result?.imageId;
  const isFinished =
    imageId !== undefined && !outcome.warnings.some((text) => text.includes("looks unfinished"));
  const leftAfterBake = await world.left();
  if (isFinished && !leftAfterBake.includes(imageId)) problems.push("the finished image is gone");
  const left = leftAfterBake.filter((id) => id !== imageId);
  const isTold = isUncertain(outcome.error) || outcome.warnings.length > 0;
  if (left.length > 0 && !isTold) problems.push(`left without a word: ${left.join(" ")}`);

  const complaint = await complaintOf(world.cleanup());
  if (complaint !== undefined) problems.push(`cleanup: ${complaint}`);
  const leftAfterAll = await world.left();
  if (isFinished && !leftAfterAll.includes(imageId)) problems.push("cleanup took the finished image");
  const leaked = leftAfterAll.filter((id) => id !== imageId);
  if (leaked.length > 0) problems.push(`left after cleanup: ${leaked.join(" ")}`);
  return { seed, problems, outcome: kindOf(outcome), neededCleanup: left.length > 0, hours };
}

/** One bake in ten fails on its builder, and one is interrupted. */
async function bakeWith(world: World, seed: number): Promise<Outcome> {
  const overrides: Partial<BakeOptions> = {
    spot: seed % 4 === 0,
    types: seed % 3 === 0 ? ["t3.small", "t3.medium"] : [],
  };
  if (seed % 10 === 3) {
    const controller = new AbortController();
    const over = new AbortController();
    const afterMs = randomNumbers(seed)(300_000);
    const interruption = world.clock.sleep(afterMs, over.signal).then(
      () => {
        controller.abort(new BakeError("interrupted", "interrupted"));
      },
      () => undefined,
    );
    const outcome = await world.bake({ ...overrides, signal: controller.signal });
    over.abort();
    await interruption;
    return outcome;
  }
  if (seed % 10 !== 7) return await world.bake(overrides);
  const openMachine = willingMachines(
    { deeds: [], targets: [] },
    { init: () => Promise.reject(new BakeError("phase-failed", "init of web failed")) },
  );
  return await world.bake({
    ...overrides,
    reach: { sshInterface: "public-ip", sshProxyCommand: undefined, openMachine },
  });
}

function problemsOf({ error }: Outcome, seed: number): string[] {
  if (error === undefined) return [];
  if (seed % 10 === 3 && isInterruption(error)) return [];
  if (seed % 10 === 7 && messageOf(error) === "init of web failed") return [];
  const unclear = whyUnclear(error);
  return unclear === undefined ? [] : [unclear];
}

function isInterruption(error: unknown): boolean {
  return error instanceof BakeError && error.kind === "interrupted" && error.message === "interrupted";
}

async function faultyCleanup(world: World): Promise<string[]> {
  try {
    await world.faultyCleanup();
    return [];
  } catch (error) {
    if (error instanceof BakeError && /^\d+ of \d+ could not be deleted$/.test(error.message)) return [];
    const unclear = whyUnclear(error);
    return unclear === undefined ? [] : [`cleanup under the plan: ${unclear}`];
  }
}

function kindOf({ error, warnings }: Outcome): PlanReport["outcome"] {
  if (error === undefined) return warnings.length > 0 ? "warned" : "image";
  if (isUncertain(error)) return "uncertain";
  return isInterruption(error) ? "interrupted" : "error";
}

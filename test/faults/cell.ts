import { BakeError, messageOf } from "../../src/base/errors.ts";
import type { FaultPlan } from "../../src/local/faults/plan.ts";
import { faultAt, type CallName, type Fault } from "./call-faults.ts";
import { whyUnclear } from "./clear.ts";
import { complaintOf, World, type Outcome } from "./world.ts";

/** How a bake goes when nothing but the scenario itself befalls it. */
export interface Scenario {
  readonly plan: FaultPlan;
  /** What the bake fails with in any case; absent when it makes its image. */
  readonly failsWith?: RegExp;
}

/** `ok`: as if nothing had happened. `warned`: the same, but something is said. `error`: the fault is told. */
export type Result = "ok" | "warned" | "error";

/** What one fault at one call came to, and what must not be in it. */
export interface Cell {
  readonly result: Result;
  readonly wrong: readonly string[];
}

/** Nothing that a fault may change: it passes by itself. */
const passing: readonly Fault[] = ["throttled twice", "answer lost", "5xx once"];

/** Bakes, with this fault at this call. */
export async function tryCell(scenario: Scenario, call: CallName, fault: Fault): Promise<Cell> {
  const { intercept, signal, strikes } = faultAt(call, fault);
  await using world = await World.open({ faults: scenario.plan, intercept });
  const outcome = await world.bake({ signal });
  const wrong = [
    ...(strikes() === 0 ? ["the fault never struck"] : []),
    ...world.witness.duplicates(),
    ...problemsOf(scenario, outcome, call.action, fault),
    ...(await leaks(world, outcome, fault)),
  ];
  return { result: resultOf(scenario, outcome), wrong };
}

function resultOf({ failsWith }: Scenario, { error, warnings }: Outcome): Result {
  const isAsEver = failsWith === undefined ? error === undefined : failsWith.test(messageOf(error));
  if (!isAsEver) return "error";
  return warnings.length > 0 ? "warned" : "ok";
}

function problemsOf(scenario: Scenario, outcome: Outcome, action: string, fault: Fault): string[] {
  const { error, warnings } = outcome;
  const result = resultOf(scenario, outcome);
  if (passing.includes(fault) && result !== "ok")
    return [`it did not pass: ${messageOf(error)} ${warnings.join(" | ")}`];
  if (result === "ok") return [];
  if (result === "warned") {
    return warnings.some((warning) => warning.includes(action))
      ? []
      : [`warned of something else: ${warnings.join(" | ")}`];
  }
  const unclear = whyUnclear(error);
  const isInterruption = error instanceof BakeError && error.kind === "interrupted";
  if (fault === "interrupted" && isInterruption) return [];
  if (unclear !== undefined || !(error instanceof BakeError)) return [unclear ?? "no BakeError"];
  return [
    // That something is not shown is no failure of the listing.
    ...(error.message.includes(action) || fault === "not shown"
      ? []
      : [`${action} is not named: ${error.message}`]),
    ...(error.hint === undefined ? [`no hint: ${error.message}`] : []),
    ...(fault === "denied" && error.hint?.includes(`"Action":"ec2:${action}"`) !== true
      ? [`no statement of ec2:${action}: ${error.hint ?? ""}`]
      : []),
  ];
}

/** What was left, when it must not have been, was not told, or did not go by a cleanup. */
async function leaks(world: World, { result, warnings }: Outcome, fault: Fault): Promise<string[]> {
  const other = (id: string): boolean => id !== result?.imageId;
  const all = await world.left();
  const missing = result !== undefined && !all.includes(result.imageId) ? ["the image is gone"] : [];
  const left = all.filter(other);
  if (left.length === 0) return missing;
  // Nobody can delete what they may not delete.
  const allowed = fault === "denied" ? [] : [`left: ${left.join(" ")}`];
  const untold = left.filter((id) => !warnings.some((warning) => warning.includes(id)));
  const complaint = await complaintOf(world.cleanup());
  const still = (await world.left()).filter(other);
  return [
    ...missing,
    ...allowed,
    ...(untold.length > 0 ? [`left without a word: ${untold.join(" ")}`] : []),
    ...(complaint === undefined ? [] : [`cleanup: ${complaint}`]),
    ...(still.length > 0 ? [`left after cleanup: ${still.join(" ")}`] : []),
  ];
}

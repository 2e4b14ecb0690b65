/** The room's door: a catalog and a request become a plan, which is a value to print, compare and carry out. */
export { makePlan } from "./make-plan.ts";
export { contentDigest } from "./digest.ts";
export { mergedPackages } from "./packages.ts";
export type { Plan, PlannedService, PlanRequest } from "./plan.ts";
export { planText } from "./plan-text.ts";
export { planValue, type PlanValue, type PlanValueService, type StepNames } from "./plan-value.ts";

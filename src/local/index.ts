/* The local cloud's door: what the commands use of it. */
export { accelerationOf } from "./acceleration-report.ts";
export type { Interceptor, LocalCloud, LocalRequest, LocalResponse } from "./cloud.ts";
export { faultPlanSchema, type FaultPlan } from "./faults/plan.ts";
export { randomFaultPlan } from "./faults/random-plan.ts";
export { readFaultPlan } from "./faults/read-plan.ts";
export { openLocalCloud, type OpenOptions } from "./open.ts";
export { parsePolicy, readPolicy, type PolicyDocument } from "./policy/document.ts";
export { resetLocalCloud, type ResetOptions } from "./reset.ts";
export { requestHandler } from "./sdk-handler.ts";
export { serveLocalCloud, type ServeOptions } from "./serve.ts";
export { outdatedBaseImages } from "./setup/outdated.ts";
export { setupBaseImage, type SetupOptions } from "./setup/setup.ts";

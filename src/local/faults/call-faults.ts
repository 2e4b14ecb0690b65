import { ApiError } from "../protocol/errors.ts";
import { isHit, type Counters } from "./chance.ts";
import type { CallFault, CheckedFaultPlan } from "./plan.ts";

/** The connection broke: nothing is known to the client of what has become of its request. */
export class ConnectionLost extends Error {
  override readonly name = "ConnectionLost";
  /** As Node's own, so that clients take it for what it stands for. */
  readonly code = "ECONNRESET";

  constructor(action: string) {
    super(`read ECONNRESET (the local cloud lost the connection of ${action}, as its fault plan says)`);
  }
}

/**
 * What the plan's rules have for a call: the first rule that hits it. Every rule counts every call that it is for,
 * so what one does is not changed by the others.
 */
export function faultOf(
  { calls, seed }: CheckedFaultPlan,
  action: string,
  counters: Counters,
): CallFault | undefined {
  let found: CallFault | undefined;
  for (const [index, rule] of calls.entries()) {
    const actions = typeof rule.action === "string" ? [rule.action] : rule.action;
    if (!actions.includes("*") && !actions.includes(action)) continue;
    const name = `calls.${index}`;
    const hit = isHit(rule, seed, name, counters.next(name));
    if (hit) found ??= rule.fault;
  }
  return found;
}

/** The error reply for a fault that has one, as EC2 names it; other services put it in their own terms. Pure. */
export function errorFor(
  fault: Exclude<CallFault, "request-lost" | "reply-lost">,
  call: { readonly service: string; readonly action: string },
): ApiError {
  switch (fault) {
    case "throttled":
      return new ApiError("RequestLimitExceeded", "Request limit exceeded.", 503);
    case "internal-error":
      return new ApiError("InternalError", "An internal error has occurred", 500);
    case "unavailable":
      return new ApiError("Unavailable", "The service is unavailable. Please try again shortly.", 503);
    case "denied":
      return new ApiError(
        "UnauthorizedOperation",
        `You are not authorized to perform this operation. No identity-based policy allows the ${call.service}:${call.action} action`,
        403,
      );
  }
}

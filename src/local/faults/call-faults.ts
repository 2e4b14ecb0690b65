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

interface Codes {
  readonly throttled: string;
  readonly throttledStatus: number;
  readonly internal: string;
  readonly unavailable: string;
  readonly denied: string;
  readonly deniedStatus: number;
}

/** EC2 has codes of its own; other services of the query protocol have AWS's common ones, those of JSON a third set. */
const codesOf: ReadonlyMap<string, Codes> = new Map([
  [
    "ec2",
    {
      throttled: "RequestLimitExceeded",
      throttledStatus: 503,
      internal: "InternalError",
      unavailable: "Unavailable",
      denied: "UnauthorizedOperation",
      deniedStatus: 403,
    },
  ],
  [
    "ssm",
    {
      throttled: "ThrottlingException",
      throttledStatus: 400,
      internal: "InternalServerError",
      unavailable: "ServiceUnavailableException",
      denied: "AccessDeniedException",
      deniedStatus: 400,
    },
  ],
]);

const commonCodes: Codes = {
  throttled: "Throttling",
  throttledStatus: 400,
  internal: "InternalFailure",
  unavailable: "ServiceUnavailable",
  denied: "AccessDenied",
  deniedStatus: 403,
};

/** The error reply for a fault that has one. Pure. */
export function errorFor(
  fault: Exclude<CallFault, "request-lost" | "reply-lost">,
  call: { readonly service: string; readonly action: string },
): ApiError {
  const codes = codesOf.get(call.service) ?? commonCodes;
  switch (fault) {
    case "throttled":
      return new ApiError(codes.throttled, "Request limit exceeded.", codes.throttledStatus);
    case "internal-error":
      return new ApiError(codes.internal, "An internal error has occurred", 500);
    case "unavailable":
      return new ApiError(codes.unavailable, "The service is unavailable. Please try again shortly.", 503);
    case "denied":
      return new ApiError(
        codes.denied,
        `You are not authorized to perform this operation. No identity-based policy allows the ${call.service}:${call.action} action`,
        codes.deniedStatus,
      );
  }
}

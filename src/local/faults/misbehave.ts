import type { Call, Interceptor } from "../cloud.ts";
import type { Reply } from "../api.ts";
import { TokenBuckets } from "./buckets.ts";
import { ConnectionLost, errorFor, faultOf } from "./call-faults.ts";
import { Counters } from "./chance.ts";
import type { CheckedFaultPlan } from "./plan.ts";

/** Refuses, loses and breaks calls as the plan says. Counts and buckets are this process's own and start afresh with it. */
export function callInterceptor(plan: CheckedFaultPlan, now: () => number): Interceptor {
  const counters = new Counters();
  const buckets = new TokenBuckets(plan.buckets);
  return async (call: Call, carryOut: () => Promise<Reply>): Promise<Reply> => {
    if (!buckets.take(call.action, now())) throw errorFor("throttled", call);
    const fault = faultOf(plan, call.action, counters);
    switch (fault) {
      case undefined:
        return await carryOut();
      case "request-lost":
        throw new ConnectionLost(call.action);
      case "reply-lost":
        await carryOut();
        throw new ConnectionLost(call.action);
      default:
        throw errorFor(fault, call);
    }
  };
}

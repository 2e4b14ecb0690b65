import type { Interceptor, Visibility } from "../cloud.ts";
import type { ChangeHook } from "../engine/supervisor.ts";
import { TokenBuckets } from "./buckets.ts";
import { ConnectionLost, errorFor, faultOf } from "./call-faults.ts";
import { Counters } from "./chance.ts";
import { applyFates } from "./fates.ts";
import type { CheckedFaultPlan } from "./plan.ts";
import { viewFor, type Seen } from "./visibility.ts";

/** A fault plan at work, at the three places where a local cloud lets it in. */
export interface Misbehaviour {
  /** Refuses, loses and breaks calls. */
  readonly intercept: Interceptor;
  /** Delays changes and lets them fail. */
  readonly onChange: ChangeHook;
  /** Shows the state late. */
  readonly visibility: Visibility;
}

/**
 * Sets a plan to work. Counts of calls, levels of buckets and `hiddenCalls` are this process's own and start afresh with it;
 * all else is kept in the state.
 */
export function misbehaviour(plan: CheckedFaultPlan, now: () => number): Misbehaviour {
  const counters = new Counters();
  const buckets = new TokenBuckets(plan.buckets);
  const seen: Seen = { openedAt: now(), calls: new Map() };
  return {
    intercept: async (call, carryOut) => {
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
    },
    onChange: (before, draft) => {
      applyFates(before, draft, { plan, now: now(), refusals: counters });
    },
    visibility: (call, state) => viewFor(plan, call, state, now(), seen),
  };
}

import type { Reply } from "./api.ts";
import { LocalCloud, type Interceptor } from "./cloud.ts";
import type { Engine } from "./engine/engine.ts";
import { misbehaviour } from "./faults/misbehaviour.ts";
import type { FaultPlan } from "./faults/plan.ts";
import { checkedFaultPlan } from "./faults/read-plan.ts";
import { policyInterceptor } from "./policy/interceptor.ts";
import type { PolicyDocument } from "./policy/document.ts";
import { qemuEngine } from "./qemu/engine.ts";
import { stateOnlyEngine, type StateOnlyDelays } from "./engine/state-only.ts";

export interface OpenOptions {
  /** Where the cloud keeps everything. Made when something is first changed. */
  readonly directory: string;
  /** What new instances run on; `state-only` ones have no machine and are for tests of what only needs the API. */
  readonly engine?: "qemu" | "state-only";
  /** How long the changes of state-only instances take; at once when absent. */
  readonly delays?: StateOnlyDelays;
  /** Sees each call and each reply as the client does: outside of the faults. */
  readonly intercept?: Interceptor;
  /** How the cloud misbehaves; not at all when absent. */
  readonly faults?: FaultPlan;
  /** What the user may do; everything when absent. A role is under its own policy. */
  readonly policy?: PolicyDocument;
  /** The cloud's clock, in milliseconds since the epoch. */
  readonly now?: () => number;
}

/**
 * Opens the local cloud that keeps its state in a directory. Nothing is started and nothing has to be closed.
 * @throws BakeError `usage` when the fault plan is none
 */
export function openLocalCloud(options: OpenOptions): LocalCloud {
  const { directory, intercept, now = Date.now } = options;
  const stateOnly = stateOnlyEngine(options.delays);
  const engines: Engine[] =
    options.engine === "state-only" ? [stateOnly] : [qemuEngine(directory), stateOnly];
  const faults =
    options.faults === undefined ? undefined : misbehaviour(checkedFaultPlan(options.faults), now);
  return new LocalCloud({
    directory,
    engines,
    intercept: nested([intercept, policyInterceptor(options.policy, directory), faults?.intercept]),
    ...(faults === undefined ? {} : { onChange: faults.onChange, visibility: faults.visibility }),
    now,
  });
}

/** The first stands next to the client, the last next to the cloud. */
function nested(interceptors: readonly (Interceptor | undefined)[]): Interceptor {
  return async (call, carryOut) => {
    const way = interceptors.reduceRight<() => Promise<Reply>>(
      (inner, each) => (each === undefined ? inner : async () => await each(call, inner)),
      carryOut,
    );
    return await way();
  };
}

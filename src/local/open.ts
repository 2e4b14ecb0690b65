import { LocalCloud, type Interceptor } from "./cloud.ts";
import type { Engine } from "./engine/engine.ts";
import { qemuEngine } from "./qemu/engine.ts";
import { stateOnlyEngine, type StateOnlyDelays } from "./engine/state-only.ts";

export interface OpenOptions {
  /** Where the cloud keeps everything. Made when something is first changed. */
  readonly directory: string;
  /** What new instances run on; `state-only` ones have no machine and are for tests of what only needs the API. */
  readonly engine?: "qemu" | "state-only";
  /** How long the changes of state-only instances take; at once when absent. */
  readonly delays?: StateOnlyDelays;
  readonly intercept?: Interceptor;
  /** The cloud's clock, in milliseconds since the epoch. */
  readonly now?: () => number;
}

/** Opens the local cloud that keeps its state in a directory. Nothing is started and nothing has to be closed. */
export function openLocalCloud(options: OpenOptions): LocalCloud {
  const { directory, intercept, now } = options;
  const stateOnly = stateOnlyEngine(options.delays);
  const engines: Engine[] =
    options.engine === "state-only" ? [stateOnly] : [qemuEngine(directory), stateOnly];
  return new LocalCloud({
    directory,
    engines,
    ...(intercept === undefined ? {} : { intercept }),
    ...(now === undefined ? {} : { now }),
  });
}

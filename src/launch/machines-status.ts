import type { Cloud } from "../aws/cloud.ts";
import { isNotFound } from "../aws/cloud-error.ts";
import { consoleOutput, type Instance } from "../aws/instances.ts";
import { atOnce } from "../base/at-once.ts";
import { isBuilder } from "./machines.ts";
import { readJob, readOutcome, type JobOutcome, type UpdateOutcome } from "./outcome.ts";

export interface MachineStatus {
  readonly instance: Instance;
  readonly outcome: UpdateOutcome | undefined;
  /** What its console says about its job, if it has one. */
  readonly job?: JobOutcome;
}

/** Each is a call of its own, and EC2 counts calls. */
const consolesAtOnce = 8;

/** Machines with what their consoles say about their last update; only those that run are asked. */
export async function withOutcomes(
  cloud: Cloud,
  instances: readonly Instance[],
  signal: AbortSignal,
): Promise<MachineStatus[]> {
  return await atOnce(consolesAtOnce, instances, async (instance) => {
    if (isBuilder(instance) || instance.state !== "running") return { instance, outcome: undefined };
    const console = await consoleUnlessGone(cloud, instance.id, signal);
    const job = readJob(console);
    return { instance, outcome: readOutcome(console), ...(job === undefined ? {} : { job }) };
  });
}

/** A machine may be terminated between the listing and the look at its console. */
async function consoleUnlessGone(cloud: Cloud, id: string, signal: AbortSignal): Promise<string> {
  try {
    return await consoleOutput(cloud, id, signal);
  } catch (error) {
    if (isNotFound(error)) return "";
    throw error;
  }
}

import type { Cloud } from "../aws/cloud.ts";
import { consoleOutput, endedEarly, findInstance, type Instance } from "../aws/instances.ts";
import { poll } from "../aws/poll.ts";
import { BakeError, messageOf } from "../base/errors.ts";
import { throwIfAborted } from "../base/wait.ts";
import type { Listener } from "../report/events.ts";
import { beginStage } from "../report/stage.ts";
import { readOutcome, type UpdateOutcome } from "./outcome.ts";
import { finishTail } from "./wait-tail.ts";

/** A machine that was started, and what is known of its first update. */
export interface Launched {
  readonly instance: Instance;
  /** Absent when nobody waited for it, or in vain. */
  readonly outcome: UpdateOutcome | undefined;
  /** Why it was waited for in vain. */
  readonly trouble?: BakeError;
}

/** Shows what a machine does until its signal fires; it fails with nothing. */
export type Watch = (instance: Instance, signal: AbortSignal) => Promise<void>;

/**
 * Waits until the update of every machine is over, well or not. A machine whose update cannot be seen is no reason to end it
 * or another one: that is told in its place.
 * @param watch runs beside the wait for each machine
 * @throws BakeError `interrupted`
 */
export async function waitForUpdates(
  cloud: Cloud,
  instances: readonly Instance[],
  seconds: number,
  listener: Listener,
  signal: AbortSignal,
  watch?: Watch,
): Promise<Launched[]> {
  const finish = beginStage(listener, "update");
  const launched = await Promise.all(
    instances.map(async (instance) => {
      const stop = new AbortController();
      const watching = watch?.(instance, AbortSignal.any([signal, stop.signal])) ?? Promise.resolve();
      const result = await waitForUpdate(cloud, instance, seconds, signal).finally(() => {
        if (signal.aborted) stop.abort();
      });
      await finishTail(watching, stop, cloud, signal);
      return result;
    }),
  );
  throwIfAborted(signal);
  finish(launched.every(({ outcome }) => outcome?.result === "ok"));
  return launched;
}

async function waitForUpdate(
  cloud: Cloud,
  instance: Instance,
  seconds: number,
  signal: AbortSignal,
): Promise<Launched> {
  try {
    const outcome = await poll(
      `the update of ${instance.id} (its outcome comes to its console)`,
      seconds,
      signal,
      async (inner) => {
        const found = readOutcome(await consoleOutput(cloud, instance.id, inner));
        if (found !== undefined) return found;
        const now = await findInstance(cloud, instance.id, inner);
        if (now !== undefined && now.state !== "running" && now.state !== "pending") throw endedEarly(now);
        return undefined;
      },
      { clock: cloud.clock },
    );
    return { instance, outcome };
  } catch (error) {
    throwIfAborted(signal);
    const trouble =
      error instanceof BakeError ? error : new BakeError("failed", messageOf(error), { cause: error });
    return { instance, outcome: undefined, trouble };
  }
}

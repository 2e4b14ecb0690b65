import type { Bundle } from "../bundle/bundle.ts";
import type { Listener } from "../report/events.ts";
import { beginStage } from "../report/stage.ts";
import type { Machine } from "./machine.ts";
import { PhaseMemory } from "./phase-memory.ts";
import { runPhase } from "./phase-run.ts";
import type { StartRequest } from "./remote.ts";

/**
 * Runs a phase as a stage of the work, after the stage of its bundle's upload when there is one.
 * @throws BakeError `phase-failed` with the failed step and its last lines; others as {@link runPhase} does.
 */
export async function phaseStage(
  machine: Machine,
  request: StartRequest,
  bundle: Bundle | undefined,
  listener: Listener,
  signal: AbortSignal,
): Promise<void> {
  const memory = new PhaseMemory(listener);
  let finish = beginStage(listener, bundle === undefined ? request.phase : "upload");
  const end = await runPhase(machine, request, {
    listener: memory.listen,
    signal,
    ...(bundle === undefined
      ? {}
      : {
          bundle,
          onStarted: () => {
            finish();
            finish = beginStage(listener, request.phase);
          },
        }),
  });
  finish(end.result === "ok");
  if (end.result === "failed") throw memory.failure(end);
}

import type { Listener, Stage } from "./events.ts";

/** Runs one stage of the work and tells when it started and, if it went well, how long it took. */
export async function inStage<T>(
  listener: Listener,
  stage: Stage,
  work: () => Promise<T>,
  detail?: string,
): Promise<T> {
  const start = Date.now();
  listener({ type: "stage-started", at: start, stage, ...(detail === undefined ? {} : { detail }) });
  const value = await work();
  const end = Date.now();
  listener({ type: "stage-finished", at: end, stage, durationMs: end - start });
  return value;
}

import type { Listener, Stage } from "./events.ts";

/** Tells that a stage starts; the result tells that it is finished. */
export function beginStage(listener: Listener, stage: Stage, detail?: string): () => void {
  const start = Date.now();
  listener({ type: "stage-started", at: start, stage, ...(detail === undefined ? {} : { detail }) });
  return () => {
    const end = Date.now();
    listener({ type: "stage-finished", at: end, stage, durationMs: end - start });
  };
}

/** Runs one stage of the work and tells when it started and, if it went well, how long it took. */
export async function inStage<T>(
  listener: Listener,
  stage: Stage,
  work: () => Promise<T>,
  detail?: string,
): Promise<T> {
  const finish = beginStage(listener, stage, detail);
  const value = await work();
  finish();
  return value;
}

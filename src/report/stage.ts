import type { Listener, Stage } from "./events.ts";

/** Tells that a stage starts; the result tells that it is over, and with `false` that it went wrong. */
export function beginStage(listener: Listener, stage: Stage, detail?: string): (ok?: boolean) => void {
  const start = Date.now();
  listener({ type: "stage-started", at: start, stage, ...(detail === undefined ? {} : { detail }) });
  return (ok = true) => {
    const end = Date.now();
    const failed = ok ? {} : { failed: true };
    listener({ type: "stage-finished", at: end, stage, durationMs: end - start, ...failed });
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

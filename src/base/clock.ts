import { sleep } from "./wait.ts";

/** Time, as everything that waits for the cloud sees it; tests put one in its place that jumps. */
export interface Clock {
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /**
   * Waits.
   * @throws BakeError `interrupted` as soon as the signal fires.
   */
  readonly sleep: (milliseconds: number, signal: AbortSignal) => Promise<void>;
}

/** The computer's own. */
export const systemClock: Clock = { now: () => Date.now(), sleep };

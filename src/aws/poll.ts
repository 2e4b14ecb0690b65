import { sleep, withDeadline } from "../base/wait.ts";

/** Pauses between looks, in milliseconds; the last one repeats. Quick where the cloud is quick, gentle where not. */
const pauses = [100, 150, 250, 400, 700, 1000, 1500, 2000, 2000, 3000, 3000, 5000] as const;
const longestPause = 5000;

/**
 * Looks again and again until `look` gives a value.
 * @param what for the message when the deadline passes
 * @throws BakeError `timeout`, `interrupted`, or whatever `look` throws.
 */
export async function poll<T>(
  what: string,
  deadlineSeconds: number,
  signal: AbortSignal,
  look: (signal: AbortSignal) => Promise<T | undefined>,
): Promise<T> {
  return await withDeadline(what, deadlineSeconds, signal, async (inner) => {
    for (let turn = 0; ; turn += 1) {
      const found = await look(inner);
      if (found !== undefined) return found;
      await sleep(pauses[turn] ?? longestPause, inner);
    }
  });
}

import { createInterface } from "node:readline/promises";
import { interruptedBy } from "../base/wait.ts";
import type { Listener } from "../report/events.ts";
import type { Context } from "./context.ts";

/** Whether somebody sits at the terminal who could answer. */
export function canAsk(context: Context): boolean {
  return context.stdin.isTTY && context.stderr.isTTY;
}

/**
 * Shows a question and waits for a line.
 * @throws BakeError `interrupted`.
 */
export async function ask(
  message: string,
  context: Context,
  listener: Listener,
  signal: AbortSignal,
): Promise<string> {
  listener({ type: "question", at: Date.now(), message });
  const lines = createInterface({ input: context.stdin });
  try {
    return await lines.question("", { signal });
  } catch (error) {
    if (signal.aborted) throw interruptedBy(signal);
    throw error;
  } finally {
    lines.close();
    listener({ type: "answered", at: Date.now() });
  }
}

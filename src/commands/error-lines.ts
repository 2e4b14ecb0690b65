import { BakeError, messageOf } from "../base/errors.ts";
import { carriedIn, carryInto } from "./carried-options.ts";
import type { Context } from "./context.ts";

/** The error as lines for a person: message, cause, details, hint; and a stack with `--debug` alone. */
export function errorLines(error: unknown, debug: boolean): string[] {
  const lines = [`bake-ami: ${messageOf(error)}`];
  if (error instanceof BakeError) {
    const why = error.cause instanceof Error ? error.cause.message : "";
    // The SDK's word for an answer without a body.
    if (why !== "UnknownError" && !error.message.includes(why)) lines.push(`  because: ${why}`);
    lines.push(...error.details.map((line) => `  ${line}`));
    if (error.hint !== undefined && error.hint !== "") lines.push(`  hint: ${error.hint}`);
  } else if (!debug) lines.push("  hint: this is a fault of bake-ami; run again with --debug and report it");
  if (debug && error instanceof Error && error.stack !== undefined) lines.push(error.stack);
  return lines;
}

/**
 * Writes an error where the caller looks for it: stderr, and with `--json` the last line of stdout too. The commands that it
 * shows have the options that the failed one had, so that they can be pasted.
 */
export function writeError(error: unknown, args: readonly string[], context: Context): void {
  const carried = carriedIn(args);
  const lines = errorLines(error, args.includes("--debug"));
  context.stderr.write(`${lines.map((line) => carryInto(line, carried)).join("\n")}\n`);
  if (!args.includes("--json")) return;
  const value =
    error instanceof BakeError
      ? {
          kind: error.kind,
          message: error.message,
          details: error.details,
          hint: error.hint === undefined ? undefined : carryInto(error.hint, carried),
        }
      : { kind: "fault", message: messageOf(error) };
  context.stdout.write(`${JSON.stringify({ type: "error", error: value })}\n`);
}

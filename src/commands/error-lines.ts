import { BakeError, messageOf } from "../base/errors.ts";
import type { Context } from "./context.ts";

/** The error as lines for a person: message, cause, details, hint; and a stack with `--debug` alone. */
export function errorLines(error: unknown, debug: boolean): string[] {
  const lines = [`bake-ami: ${messageOf(error)}`];
  if (error instanceof BakeError) {
    if (error.cause instanceof Error && !error.message.includes(error.cause.message)) {
      lines.push(`  because: ${error.cause.message}`);
    }
    lines.push(...error.details.map((line) => `  ${line}`));
    if (error.hint !== undefined && error.hint !== "") lines.push(`  hint: ${error.hint}`);
  } else if (!debug) lines.push("  hint: this is a fault of bake-ami; run again with --debug and report it");
  if (debug && error instanceof Error && error.stack !== undefined) lines.push(error.stack);
  return lines;
}

/** Writes an error where the caller looks for it: stderr, and with `--json` the last line of stdout too. */
export function writeError(error: unknown, argv: readonly string[], context: Context): void {
  context.stderr.write(`${errorLines(error, argv.includes("--debug")).join("\n")}\n`);
  if (!argv.includes("--json")) return;
  const value =
    error instanceof BakeError
      ? { kind: error.kind, message: error.message, details: error.details, hint: error.hint }
      : { kind: "fault", message: messageOf(error) };
  context.stdout.write(`${JSON.stringify({ type: "error", error: value })}\n`);
}

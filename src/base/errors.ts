/**
 * What went wrong, in the terms a caller can act on:
 * - `usage`, `catalog`, `missing-tool`: nothing was started (exit status 2)
 * - `interrupted`: the caller's AbortSignal fired (exit status 130)
 * - everything else: something was started and failed (exit status 1)
 */
export type ErrorKind =
  | "usage"
  | "catalog"
  | "missing-tool"
  | "interrupted"
  | "timeout"
  | "connection"
  | "host-key"
  | "login"
  | "phase-failed"
  | "cloud"
  | "not-found"
  | "failed";

export interface BakeErrorOptions {
  /** What the user can do next, as a sentence or a command to paste. */
  readonly hint?: string;
  readonly cause?: unknown;
  /** Further lines that belong under the message, such as the last output of a failed step. */
  readonly details?: readonly string[];
}

/** The one error class of the program; the printer at the top shows message, cause, details and hint. */
export class BakeError extends Error {
  override readonly name = "BakeError";
  readonly kind: ErrorKind;
  readonly hint: string | undefined;
  readonly details: readonly string[];

  constructor(kind: ErrorKind, message: string, options: BakeErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.kind = kind;
    this.hint = options.hint;
    this.details = options.details ?? [];
  }
}

/** The process exit status for an error: 2 when nothing was started, 130 when interrupted, else 1. */
export function exitStatusOf(error: unknown): 1 | 2 | 130 {
  if (!(error instanceof BakeError)) return 1;
  switch (error.kind) {
    case "usage":
    case "catalog":
    case "missing-tool":
      return 2;
    case "interrupted":
      return 130;
    default:
      return 1;
  }
}

/** The same error for a caller who has not started anything yet: what the user named is not there. */
export function nothingStarted(error: unknown): unknown {
  if (!(error instanceof BakeError) || error.kind !== "not-found") return error;
  const { message, details, hint, cause } = error;
  return new BakeError("usage", message, { details, cause, ...(hint === undefined ? {} : { hint }) });
}

/** The message of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The `code` of a Node system error (`ENOENT`, `ECONNRESET`, ...), or undefined for anything else. */
export function systemCodeOf(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}

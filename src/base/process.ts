import { spawn } from "node:child_process";
import { constants } from "node:os";
import { BakeError, systemCodeOf } from "./errors.ts";
import { shellCommand } from "./quote.ts";
import { interruptedBy, throwIfAborted } from "./wait.ts";

export interface RunOptions {
  readonly signal: AbortSignal;
  readonly cwd?: string;
  /** The whole environment of the process; the caller's own when absent. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Written to the process's standard input, which is else empty. */
  readonly input?: string | Uint8Array;
  /** Called with each piece of output as it comes, both streams. */
  readonly onOutput?: (text: string) => void;
  /** How to get the program when it is missing. */
  readonly hint?: string;
}

export interface RunResult {
  /** Exit status; 128 + n when signal n ended it. */
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Runs a program to its end, argv by argv; no shell takes part. On abort the process gets SIGTERM, and SIGKILL
 * 5 s later.
 * @throws BakeError `missing-tool` when there is no such program, `interrupted` when the signal fires.
 */
export async function runProgram(
  argv: readonly [string, ...string[]],
  options: RunOptions,
): Promise<RunResult> {
  throwIfAborted(options.signal);
  const [program, ...args] = argv;
  return await new Promise<RunResult>((resolve, reject) => {
    const child = spawn(program, args, {
      stdio: ["pipe", "pipe", "pipe"],
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      ...(options.env === undefined ? {} : { env: options.env }),
    });
    let killer: NodeJS.Timeout | undefined;
    const stop = (): void => {
      child.kill("SIGTERM");
      killer = setTimeout(() => child.kill("SIGKILL"), 5000);
    };
    options.signal.addEventListener("abort", stop, { once: true });
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text;
      options.onOutput?.(text);
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
      options.onOutput?.(text);
    });
    // A program that ends without reading its input is no error of ours.
    child.stdin.on("error", () => undefined);
    child.stdin.end(options.input ?? "");
    const settle = (): void => {
      clearTimeout(killer);
      options.signal.removeEventListener("abort", stop);
    };
    child.on("error", (error) => {
      settle();
      reject(missing(program, error, options.hint));
    });
    child.on("close", (status, signal) => {
      settle();
      if (options.signal.aborted) reject(interruptedBy(options.signal));
      else resolve({ status: statusOf(status, signal), stdout, stderr });
    });
  });
}

/**
 * Like {@link runProgram}, for a program whose failure is an error.
 * @returns its standard output
 * @throws BakeError `failed` with the command and its last lines of output.
 */
export async function mustRun(argv: readonly [string, ...string[]], options: RunOptions): Promise<string> {
  const result = await runProgram(argv, options);
  if (result.status === 0) return result.stdout;
  throw new BakeError("failed", `${shellCommand(argv)} ended with status ${result.status}`, {
    details: (result.stderr || result.stdout).trimEnd().split("\n").slice(-20),
  });
}

/**
 * Runs a program on the caller's own terminal.
 * @returns its exit status
 * @throws BakeError `missing-tool` when there is no such program.
 */
export async function runInteractive(
  argv: readonly [string, ...string[]],
  options: Pick<RunOptions, "signal" | "hint">,
): Promise<number> {
  throwIfAborted(options.signal);
  const [program, ...args] = argv;
  return await new Promise<number>((resolve, reject) => {
    const child = spawn(program, args, { stdio: "inherit" });
    child.on("error", (error) => {
      reject(missing(program, error, options.hint));
    });
    child.on("close", (status, signal) => {
      resolve(statusOf(status, signal));
    });
  });
}

function missing(program: string, error: Error, hint: string | undefined): Error {
  if (systemCodeOf(error) !== "ENOENT") return error;
  return new BakeError("missing-tool", `${program} is not installed`, {
    cause: error,
    ...(hint === undefined ? {} : { hint }),
  });
}

/** The status as a shell gives it: 128 + n for a process that signal n ended. */
function statusOf(status: number | null, signal: NodeJS.Signals | null): number {
  return status ?? 128 + (signal === null ? 0 : constants.signals[signal]);
}

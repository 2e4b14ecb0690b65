import { spawn } from "node:child_process";
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
      if (systemCodeOf(error) === "ENOENT") {
        reject(
          new BakeError("missing-tool", `${program} is not installed`, {
            cause: error,
            ...(options.hint === undefined ? {} : { hint: options.hint }),
          }),
        );
      } else reject(error);
    });
    child.on("close", (status, signal) => {
      settle();
      if (options.signal.aborted) reject(interruptedBy(options.signal));
      else resolve({ status: status ?? 128 + (signal === "SIGKILL" ? 9 : 15), stdout, stderr });
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

import { createWriteStream, mkdirSync, type WriteStream } from "node:fs";
import { join } from "node:path";
import { BakeError } from "../base/errors.ts";
import { newRunId } from "../base/ids.ts";
import { shellWord } from "../base/quote.ts";
import type { Event, Listener } from "../report/events.ts";
import { formatTimings, TimingCollector } from "../report/timings.ts";
import { jsonReport, plainReport, quietReport } from "../report/plain.ts";
import { carriedOf, carryInto, type CarriedOptions } from "./carried-options.ts";
import type { Context, GlobalOptions } from "./context.ts";
import { dataDirectory } from "./data-directory.ts";
import { explainSystemError } from "./system-errors.ts";

/** What a verb ends with. */
export interface Result {
  /** For stdout, without the last line end; nothing when empty. */
  readonly text: string;
  /** For `--json`. */
  readonly value: unknown;
  /** For a person, on stderr; in the value too where they matter. */
  readonly remarks?: readonly string[];
  /** Exit status; 0 when absent. */
  readonly status?: number;
  /** What went wrong although there is a result; thrown after it was written. */
  readonly error?: BakeError;
}

/** An error that has a result all the same, such as a list to choose from. */
export class ErrorWithResult extends BakeError {
  readonly result: Result;

  constructor(error: BakeError, result: Result) {
    const { message, details, cause, hint } = error;
    super(error.kind, message, { details, cause, ...(hint === undefined ? {} : { hint }) });
    this.result = result;
  }
}

/** What a verb works with while it runs. */
export interface Session {
  readonly run: string;
  readonly listener: Listener;
  readonly signal: AbortSignal;
  /** The file that keeps everything this run says. */
  readonly logFile: string;
}

export interface SessionOptions {
  /** Show where the time went when it is over. */
  readonly timings?: boolean;
  /** Keep what steps print on the screen; a terminal else shows the last line of each service alone. */
  readonly output?: boolean;
}

/**
 * Runs a verb that takes time: shows its events in the way that was asked for, keeps them in a log file, and writes
 * its result.
 */
export async function runSession(
  options: GlobalOptions,
  context: Context,
  work: (session: Session) => Promise<Result>,
  sessionOptions: SessionOptions = {},
): Promise<void> {
  const startedAt = Date.now();
  const run = newRunId(new Date(startedAt));
  const timing = new TimingCollector(startedAt);
  using report = await openReport(options, context, startedAt, sessionOptions.output === true);
  using log = new LogFile(join(dataDirectory(context.environment), "logs"), run, startedAt);
  const carried = carriedOf(options, context.workingDirectory);
  let started = false;
  const listener: Listener = (plain) => {
    started ||= startsSomething(plain);
    const event = withCarried(plain, carried);
    timing.listen(event);
    log.listen(event);
    report.listen(event);
  };
  let result: Result;
  try {
    result = await work({ run, listener, signal: context.signal, logFile: log.path });
  } catch (error) {
    if (!(error instanceof ErrorWithResult)) {
      throw withLogHint(explainSystemError(error, context.environment, started), log);
    }
    result = { ...error.result, error };
  }
  report[Symbol.dispose]();
  const timings = timing.timings(Date.now());
  if (sessionOptions.timings === true && !options.quiet && !options.json) {
    context.stderr.write(`${formatTimings(timings).join("\n")}\n`);
  }
  if (result.remarks !== undefined && !options.quiet && !options.json) {
    context.stderr.write(`${result.remarks.join("\n")}\n`);
  }
  writeResult(options, context, result, sessionOptions.timings === true ? timings : undefined);
  if (result.error !== undefined) throw withLogHint(result.error, log);
}

/** Whether something is there, gone or at work now that was not before. */
function startsSomething({ type }: Event): boolean {
  return ["created", "deleted", "phase-started", "copied"].includes(type);
}

/** Writes the result of a verb: as text, or as the last line of JSON. */
export function writeResult(
  options: GlobalOptions,
  context: Context,
  result: Result,
  timings?: unknown,
): void {
  if (options.json) {
    const line = { type: "result", value: result.value, ...(timings === undefined ? {} : { timings }) };
    context.stdout.write(`${JSON.stringify(line)}\n`);
  } else if (result.text !== "") context.stdout.write(`${result.text}\n`);
  if (result.status !== undefined && result.status !== 0) context.setStatus(result.status);
}

/** The event with commands that can be pasted; see {@link carryInto}. */
function withCarried(event: Event, carried: CarriedOptions): Event {
  switch (event.type) {
    case "warning":
      return {
        ...event,
        message: carryInto(event.message, carried),
        ...(event.hint === undefined ? {} : { hint: carryInto(event.hint, carried) }),
      };
    case "note":
    case "question":
      return { ...event, message: carryInto(event.message, carried) };
    default:
      return event;
  }
}

interface OpenReport extends Disposable {
  readonly listen: Listener;
}

async function openReport(
  options: GlobalOptions,
  context: Context,
  startedAt: number,
  output: boolean,
): Promise<OpenReport> {
  const nothing = (): void => undefined;
  if (options.json) return { listen: jsonReport(context.stdout), [Symbol.dispose]: nothing };
  if (options.quiet) return { listen: quietReport(context.stderr), [Symbol.dispose]: nothing };
  if (context.stderr.isTTY && context.environment["TERM"] !== "dumb") {
    const { TerminalReport } = await import("../report/terminal.ts");
    return new TerminalReport(context.stderr, output);
  }
  return { listen: plainReport(context.stderr, startedAt), [Symbol.dispose]: nothing };
}

/** Keeps everything that a run says; opened with the first phase, because only phases say more than fits a screen. */
class LogFile implements Disposable {
  readonly path: string;
  readonly #directory: string;
  readonly #startedAt: number;
  #report: Listener | undefined;
  #stream: WriteStream | undefined;

  constructor(directory: string, run: string, startedAt: number) {
    this.#directory = directory;
    this.#startedAt = startedAt;
    this.path = join(directory, `${run}.log`);
  }

  get exists(): boolean {
    return this.#stream !== undefined;
  }

  readonly listen: Listener = (event: Event) => {
    if (this.#report === undefined) {
      if (event.type !== "phase-started") return;
      try {
        mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
      } catch {
        // No log is no reason to end a bake; the machine has the whole of it.
        this.#report = (): void => undefined;
        return;
      }
      this.#stream = createWriteStream(this.path, { mode: 0o600 });
      // A full disk must not end a bake; the machine has the whole log.
      this.#stream.on("error", () => undefined);
      this.#report = plainReport(this.#stream, this.#startedAt);
    }
    this.#report(event);
  };

  [Symbol.dispose](): void {
    this.#stream?.end();
  }
}

function withLogHint(error: unknown, log: LogFile): unknown {
  if (!(error instanceof BakeError) || error.kind !== "phase-failed" || !log.exists) return error;
  const hint = [`the whole output: less ${shellWord(log.path)}`, error.hint ?? ""]
    .filter((text) => text !== "")
    .join("; ");
  return new BakeError(error.kind, error.message, { details: error.details, hint, cause: error.cause });
}

import { resolve } from "node:path";
import { EventSink, FileSink, StreamSink, Tee, type Sink } from "../jobs/sink.ts";
import type { Listener } from "../report/events.ts";
import type { Context, GlobalOptions } from "./context.ts";

/** Where a job's output goes on this computer. */
export interface Sinks extends AsyncDisposable {
  readonly sink: Sink;
}

/**
 * Standard output, and the file of `--output`. With `--json` standard output has lines of JSON, so there the output comes as
 * events.
 * @throws BakeError `usage` when the file cannot be written.
 */
export async function openSinks(
  argv: GlobalOptions & { readonly output: string | undefined },
  context: Context,
  listener: Listener,
): Promise<Sinks> {
  const file =
    argv.output === undefined
      ? undefined
      : await FileSink.open(resolve(context.workingDirectory, argv.output), listener);
  const shown = argv.json ? new EventSink(listener) : new StreamSink(context.stdout);
  return {
    sink: new Tee(file === undefined ? [shown] : [shown, file]),
    [Symbol.asyncDispose]: async () => {
      if (shown instanceof EventSink) shown[Symbol.dispose]();
      await file?.[Symbol.asyncDispose]();
    },
  };
}

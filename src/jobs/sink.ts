import { createWriteStream } from "node:fs";
import { once } from "node:events";
import { finished } from "node:stream/promises";
import type { Writable } from "node:stream";
import { BakeError, messageOf, systemCodeOf } from "../base/errors.ts";
import { sleep } from "../base/wait.ts";
import type { Listener } from "../report/events.ts";

/** Where a job's output goes, byte for byte. */
export interface Sink {
  write(chunk: Buffer): void;
  /** Bytes that have not gone out yet. */
  readonly pending: number;
}

/** How often to look whether a slow reader has caught up. */
const drainLookMs = 50;

/** Waits until less than `most` bytes are pending. */
export async function drained(sink: Sink, most: number, signal: AbortSignal): Promise<void> {
  while (sink.pending > most) await sleep(drainLookMs, signal);
}

/** Writes to a stream of this process; a reader that has gone away ends nothing. */
export class StreamSink implements Sink {
  readonly #stream: Writable;

  constructor(stream: Writable) {
    this.#stream = stream;
  }

  write(chunk: Buffer): void {
    if (!this.#stream.destroyed && this.#stream.writable) this.#stream.write(chunk);
  }

  get pending(): number {
    return this.#stream.destroyed ? 0 : this.#stream.writableLength;
  }
}

/** Writes to a file; when that fails there is a warning, and the job goes on. */
export class FileSink implements Sink, AsyncDisposable {
  readonly #stream: Writable;
  #isBroken = false;

  private constructor(stream: Writable, file: string, listener: Listener) {
    this.#stream = stream;
    stream.on("error", (error) => {
      this.#isBroken = true;
      const message = `${file} has not the whole output: ${messageOf(error)}`;
      listener({ type: "warning", at: Date.now(), message });
    });
  }

  /** @throws BakeError `usage` when the file cannot be written. */
  static async open(file: string, listener: Listener): Promise<FileSink> {
    const stream = createWriteStream(file);
    try {
      await once(stream, "open");
    } catch (error) {
      const why = systemCodeOf(error) === "ENOENT" ? "there is no such directory" : messageOf(error);
      throw new BakeError("usage", `--output ${file} cannot be written: ${why}`, { cause: error });
    }
    return new FileSink(stream, file, listener);
  }

  write(chunk: Buffer): void {
    if (!this.#isBroken) this.#stream.write(chunk);
  }

  get pending(): number {
    return this.#isBroken ? 0 : this.#stream.writableLength;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isBroken) return;
    this.#stream.end();
    // What went wrong was told.
    await finished(this.#stream).catch(() => undefined);
  }
}

/** A line that is longer than this is cut into pieces. */
const longestLine = 64 * 1024;

/** Tells each line as an event, for whoever wants no bytes. */
export class EventSink implements Sink, Disposable {
  readonly #listener: Listener;
  readonly #decoder = new TextDecoder();
  #rest = "";
  readonly pending = 0;

  constructor(listener: Listener) {
    this.#listener = listener;
  }

  write(chunk: Buffer): void {
    const lines = (this.#rest + this.#decoder.decode(chunk, { stream: true })).split("\n");
    this.#rest = lines.pop() ?? "";
    for (const line of lines) this.#tell(line);
    while (this.#rest.length > longestLine) {
      this.#tell(this.#rest.slice(0, longestLine));
      this.#rest = this.#rest.slice(longestLine);
    }
  }

  #tell(line: string): void {
    const at = Date.now();
    this.#listener({ type: "output", at, machineAt: at, phase: "job", service: "job", line });
  }

  [Symbol.dispose](): void {
    if (this.#rest !== "") this.#tell(this.#rest);
    this.#rest = "";
  }
}

/** The same to several. */
export class Tee implements Sink {
  readonly #sinks: readonly Sink[];

  constructor(sinks: readonly Sink[]) {
    this.#sinks = sinks;
  }

  write(chunk: Buffer): void {
    for (const sink of this.#sinks) sink.write(chunk);
  }

  get pending(): number {
    return Math.max(0, ...this.#sinks.map(({ pending }) => pending));
  }
}

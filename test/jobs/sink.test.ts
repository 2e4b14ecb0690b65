import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { expect, test } from "vitest";
import { drained, EventSink, FileSink, StreamSink, Tee } from "../../src/jobs/sink.ts";
import type { Event } from "../../src/report/events.ts";
import { failureOf } from "../support/failure.ts";

const bytes = Buffer.from([0, 255, 10, 13, 128]);

test("a file has the bytes; a file that cannot be is refused, a full disk is a warning", async () => {
  const directory = mkdtempSync(join(tmpdir(), "bake-ami-sink-"));
  try {
    const events: Event[] = [];
    const listener = (event: Event): void => {
      events.push(event);
    };
    const file = join(directory, "out");
    {
      await using sink = await FileSink.open(file, listener);
      sink.write(bytes);
    }
    expect(readFileSync(file).equals(bytes)).toBe(true);
    const error = await failureOf(FileSink.open(join(directory, "none/out"), listener));
    expect(error).toMatchObject({ kind: "usage" });
    expect(error.message).toContain("there is no such directory");
    if (existsSync("/dev/full")) {
      await using sink = await FileSink.open("/dev/full", listener);
      sink.write(bytes);
      await new Promise((resolve) => setTimeout(resolve, 100));
      sink.write(bytes);
      expect(sink.pending).toBe(0);
      expect(events).toHaveLength(1);
      expect(JSON.stringify(events)).toContain("ENOSPC");
    }
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test("a reader that went away ends nothing; a slow one is waited for", async () => {
  const stream = new PassThrough({ highWaterMark: 1 });
  const sink = new Tee([new StreamSink(stream)]);
  sink.write(Buffer.alloc(100));
  sink.write(Buffer.alloc(100));
  expect(sink.pending).toBeGreaterThan(0);
  setTimeout(() => {
    stream.resume();
  }, 100);
  await drained(sink, 0, AbortSignal.timeout(5000));
  stream.destroy();
  sink.write(bytes);
  expect(sink.pending).toBe(0);
});

test("lines as events: whole ones, long ones in pieces, the last without an end", () => {
  const lines: string[] = [];
  {
    using sink = new EventSink((event) => {
      if (event.type === "output") lines.push(event.line);
    });
    const text = Buffer.from("one\ntwö\n\nlast");
    // In the middle of a letter.
    sink.write(text.subarray(0, 7));
    sink.write(text.subarray(7));
    expect(lines).toEqual(["one", "twö", ""]);
  }
  expect(lines).toEqual(["one", "twö", "", "last"]);
  lines.length = 0;
  using sink = new EventSink((event) => {
    if (event.type === "output") lines.push(event.line);
  });
  sink.write(Buffer.alloc(200_000, "x"));
  expect(lines.map(({ length }) => length)).toEqual([65536, 65536, 65536]);
});

import { expect, test } from "vitest";
import { JournalReader, type Reading } from "../../src/machine/journal-events.ts";

function entry(fields: Record<string, string>): ReadonlyMap<string, Buffer> {
  return new Map(
    Object.entries({ __REALTIME_TIMESTAMP: "1700000000123456", ...fields }).map(([k, v]) => [
      k,
      Buffer.from(v),
    ]),
  );
}

const read = (line: string): Reading =>
  new JournalReader().read(entry({ SYSLOG_IDENTIFIER: "bake-ami", MESSAGE: line }), 5);

const output = (text: string, more: Record<string, string> = {}): ReadonlyMap<string, Buffer> =>
  entry({
    SYSLOG_IDENTIFIER: "bake-ami-step",
    _SYSTEMD_UNIT: "bake-ami-init@hello-web.service",
    MESSAGE: text,
    ...more,
  });

const times = { at: 5, machineAt: 1700000000123 };

test("events of a service", () => {
  expect(read("event=service-started phase=init service=web steps=2").events).toEqual([
    { type: "service-started", ...times, phase: "init", service: "web" },
  ]);
  expect(
    read("event=step-finished phase=init service=web step=10-x.sh try=2 status=124 reason=timeout").events,
  ).toEqual([
    {
      type: "step-finished",
      ...times,
      phase: "init",
      service: "web",
      step: "10-x.sh",
      attempt: 2,
      status: 124,
      reason: "timeout",
    },
  ]);
  expect(read("event=service-skipped phase=init service=web").events).toEqual([
    { type: "service-finished", ...times, phase: "init", service: "web", result: "skipped" },
  ]);
});

test("the end of a phase", () => {
  const reading = read("event=phase-finished phase=init run=r1 result=failed failed=a,b not-started=c");
  expect(reading.end).toEqual({
    phase: "init",
    run: "r1",
    result: "failed",
    failed: ["a", "b"],
    notStarted: ["c"],
  });
  expect(read("event=phase-finished phase=init run=r1 result=ok failed=- not-started=-").end).toEqual({
    phase: "init",
    run: "r1",
    result: "ok",
    failed: [],
    notStarted: [],
  });
});

test("a line that is no known event is shown, not lost", () => {
  expect(read("sh: 1: cannot create /run/x: No space left on device").events).toMatchObject([
    { type: "warning", message: "sh: 1: cannot create /run/x: No space left on device" },
  ]);
  expect(read("event=unknown-service service=wbe").events).toMatchObject([
    { type: "warning", message: "unknown-service service=wbe" },
  ]);
});

test("output belongs to the service of its unit", () => {
  const reader = new JournalReader();
  expect(reader.read(output("Hello"), 5).events).toEqual([
    { type: "output", ...times, phase: "init", service: "hello-web", line: "Hello" },
  ]);
  expect(reader.read(output("x", { _SYSTEMD_UNIT: "cron.service" }), 5).events).toEqual([]);
});

test("pieces of a long line are joined, each stream by itself", () => {
  const reader = new JournalReader();
  const pieces = [
    output("aaa", { _LINE_BREAK: "line-max", _STREAM_ID: "1" }),
    output("xxx", { _LINE_BREAK: "line-max", _STREAM_ID: "2" }),
    output("bbb", { _LINE_BREAK: "pid-change", _STREAM_ID: "1" }),
    output("ccc", { _STREAM_ID: "1" }),
    output("yyy", { _LINE_BREAK: "eof", _STREAM_ID: "2" }),
  ];
  const lines = pieces
    .flatMap((piece) => reader.read(piece, 5).events)
    .map((event) => ("line" in event ? event.line : ""));
  expect(lines).toEqual(["aaabbbccc", "xxxyyy"]);
});

import type { Event, ServiceResult } from "../report/events.ts";
import type { JournalEntry } from "./journal-export.ts";

/** How a run of a phase ended, as the machine says. */
export interface PhaseEnd {
  readonly run: string;
  readonly phase: string;
  readonly result: "ok" | "failed";
  readonly failed: readonly string[];
  readonly notStarted: readonly string[];
}

/** What one journal entry means. */
export interface Reading {
  readonly events: readonly Event[];
  readonly end: PhaseEnd | undefined;
  /** The run whose reboot begins now. */
  readonly rebooting: string | undefined;
}

const nothing: Reading = { events: [], end: undefined, rebooting: undefined };

/** A line that is longer than this is cut in events; the machine's own log has it whole. */
const longestLine = 64 * 1024;

/**
 * Turns journal entries into events: the on-machine programs' own `event=...` lines, and what steps print. The
 * journal cuts long lines into pieces and marks each cut in `_LINE_BREAK`; the pieces are joined here again.
 */
export class JournalReader {
  readonly #partial = new Map<string, string>();

  /** @param at this computer's time, milliseconds since the epoch */
  read(entry: JournalEntry, at: number): Reading {
    const message = entry.get("MESSAGE") ?? Buffer.alloc(0);
    const machineAt = Math.floor(Number(entry.get("__REALTIME_TIMESTAMP")?.toString("latin1") ?? "0") / 1000);
    switch (entry.get("SYSLOG_IDENTIFIER")?.toString("utf8")) {
      case "bake-ami":
        return readEventLine(message.toString("utf8"), at, machineAt);
      case "bake-ami-step":
        return this.#readOutput(entry, message, at, machineAt);
      default:
        return nothing;
    }
  }

  #readOutput(entry: JournalEntry, message: Buffer, at: number, machineAt: number): Reading {
    const unit = /^bake-ami-([a-z]+)@(.+)\.service$/.exec(entry.get("_SYSTEMD_UNIT")?.toString("utf8") ?? "");
    const phase = unit?.[1];
    const service = unit?.[2];
    if (phase === undefined || service === undefined) return nothing;
    const stream = entry.get("_STREAM_ID")?.toString("latin1") ?? service;
    const before = this.#partial.get(stream) ?? "";
    const line = (before + message.toString("utf8")).slice(0, longestLine);
    if (isOpen(entry.get("_LINE_BREAK")?.toString("latin1"))) {
      this.#partial.set(stream, line);
      return nothing;
    }
    this.#partial.delete(stream);
    return { ...nothing, events: [{ type: "output", at, machineAt, phase, service, line }] };
  }
}

/** Whether journald ended a record where the program ended no line: the next record of the stream goes on with it. */
function isOpen(lineBreak: string | undefined): boolean {
  return lineBreak === "line-max" || lineBreak === "pid-change";
}

/** The `key=value` pairs of a line; a value ends at the next space, and `-` stands for none. */
export function readPairs(line: string): ReadonlyMap<string, string> {
  const pairs = new Map<string, string>();
  for (const word of line.split(/\s+/)) {
    const equals = word.indexOf("=");
    if (equals > 0) pairs.set(word.slice(0, equals), word.slice(equals + 1));
  }
  return pairs;
}

/** The names in a comma-separated value. */
export function readNames(value: string | undefined): string[] {
  return value === undefined || value === "-" || value === "" ? [] : value.split(",");
}

const serviceResults: readonly ServiceResult[] = ["ok", "failed", "skipped", "not-started", "reboot"];

function readEventLine(text: string, at: number, machineAt: number): Reading {
  if (!text.startsWith("event=")) {
    return text.trim() === "" ? nothing : { ...nothing, events: [{ type: "warning", at, message: text }] };
  }
  const pairs = readPairs(text);
  const value = (key: string): string => pairs.get(key) ?? "-";
  const base = { at, machineAt, phase: value("phase") };
  const service = value("service");
  const step = value("step");
  const attempt = Number(pairs.get("try") ?? "1");
  switch (pairs.get("event")) {
    case "phase-started":
      return {
        ...nothing,
        events: [{ type: "phase-started", ...base, services: readNames(pairs.get("services")) }],
      };
    case "service-started":
      return { ...nothing, events: [{ type: "service-started", ...base, service }] };
    case "service-skipped":
      return { ...nothing, events: [{ type: "service-finished", ...base, service, result: "skipped" }] };
    case "service-finished": {
      const result = serviceResults.find((known) => known === value("result")) ?? "failed";
      return { ...nothing, events: [{ type: "service-finished", ...base, service, result }] };
    }
    case "step-started":
      return { ...nothing, events: [{ type: "step-started", ...base, service, step, attempt }] };
    case "step-finished": {
      const reason = pairs.get("reason");
      return {
        ...nothing,
        events: [
          {
            type: "step-finished",
            ...base,
            service,
            step,
            attempt,
            status: Number(pairs.get("status") ?? "255"),
            ...(reason === "timeout" || reason === "reboot" ? { reason } : {}),
          },
        ],
      };
    }
    case "step-retry": {
      const message = `${service}: ${step} is tried again in ${value("delay")} s (attempt ${value("try")})`;
      return { ...nothing, events: [{ type: "note", at, message }] };
    }
    case "rebooting":
      return {
        events: [{ type: "note", at, message: "the machine reboots, as a step asked" }],
        end: undefined,
        rebooting: value("run"),
      };
    case "phase-finished": {
      const end = phaseEnd(pairs);
      return {
        events: [{ type: "phase-finished", ...base, result: end.result }],
        end,
        rebooting: undefined,
      };
    }
    default:
      return { ...nothing, events: [{ type: "warning", at, message: text.replace(/^event=/, "") }] };
  }
}

/** A phase's outcome from its `key=value` pairs. */
export function phaseEnd(pairs: ReadonlyMap<string, string>): PhaseEnd {
  return {
    run: pairs.get("run") ?? "-",
    phase: pairs.get("phase") ?? "-",
    result: pairs.get("result") === "ok" ? "ok" : "failed",
    failed: readNames(pairs.get("failed")),
    notStarted: readNames(pairs.get("not-started")),
  };
}

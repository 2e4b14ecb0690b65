import type { Writable } from "node:stream";
import type { Listener } from "./events.ts";
import { lineOf } from "./lines.ts";

/** Writes one line an event, with the seconds since the start, for logs and pipes. */
export function plainReport(stream: Writable, startedAt: number): Listener {
  return (event) => {
    const line = lineOf(event);
    if (line === undefined) return;
    const seconds = ((event.at - startedAt) / 1000).toFixed(1).padStart(7);
    stream.write(`${seconds}s  ${line}\n`);
  };
}

/** Writes warnings alone. */
export function quietReport(stream: Writable): Listener {
  return (event) => {
    if (event.type === "warning") stream.write(`${lineOf(event) ?? ""}\n`);
  };
}

/** Writes each event as a line of JSON. */
export function jsonReport(stream: Writable): Listener {
  return (event) => {
    stream.write(`${JSON.stringify(event)}\n`);
  };
}

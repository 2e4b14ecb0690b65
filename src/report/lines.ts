import { formatDuration } from "./timings.ts";
import type { Event } from "./events.ts";
import { serviceTitle } from "./titles.ts";

/** One event as a line for a person, or undefined when a line would say nothing new. */
export function lineOf(event: Event): string | undefined {
  switch (event.type) {
    case "stage-started":
      return event.detail === undefined ? `${event.stage} ...` : `${event.stage} ... ${event.detail}`;
    case "stage-finished":
      return `${event.stage} ${event.failed === true ? "failed after" : "done in"} ${formatDuration(event.durationMs)}`;
    case "note":
    case "question":
      return event.message;
    case "warning":
      return `warning: ${event.message}${event.hint === undefined ? "" : ` (${event.hint})`}`;
    case "created":
      return `created ${event.what} ${event.id}`;
    case "deleted":
      return `deleted ${event.what} ${event.id}`;
    case "service-started":
      return `${event.phase} ${serviceTitle(event.service)} started`;
    case "service-finished":
      return `${event.phase} ${serviceTitle(event.service)} ${resultText(event.result)}`;
    case "step-finished":
      return event.status === 0 ? undefined : stepFailure(event);
    case "output":
      return `${event.machine === undefined ? "" : `${event.machine} `}${serviceTitle(event.service)} | ${printable(event.line)}`;
    case "copying":
    case "copied":
    case "answered":
    case "phase-started":
    case "phase-finished":
    case "step-started":
      return undefined;
  }
}

function stepFailure(event: Extract<Event, { type: "step-finished" }>): string {
  const where = `${event.phase} ${serviceTitle(event.service)}: ${event.step}`;
  if (event.reason === "timeout") return `${where} took too long and was ended`;
  if (event.reason === "reboot") return `${where} asks for a reboot`;
  return `${where} ended with status ${event.status}`;
}

function resultText(result: Extract<Event, { type: "service-finished" }>["result"]): string {
  switch (result) {
    case "ok":
      return "done";
    case "failed":
      return "FAILED";
    case "skipped":
      return "was done before";
    case "not-started":
      return "was not started";
    case "reboot":
      return "goes on after a reboot";
  }
}

/** `512 B`, `12.3 MB`: in powers of 1000, as networks and disks are counted. */
export function formatBytes(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let value = bytes;
  let unit = 0;
  // What would be rounded to 1000 belongs to the next unit.
  while (value >= 999.95 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit] ?? ""}`;
}

/** A line without anything that would move a terminal's cursor or change its colours. */
export function printable(line: string): string {
  return line
    .replaceAll(/\u001b\[[0-9;?]*[ -/]*[@-~]/g, "")
    .replaceAll(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, "");
}

import type { Event, Stage } from "./events.ts";
import { formatDuration } from "./timings.ts";
import { formatBytes, printable } from "./lines.ts";
import { serviceTitle } from "./titles.ts";

interface Running {
  readonly title: string;
  readonly since: number;
  readonly step: string;
  readonly lastLine: string;
}

/** What the live view shows now. */
export interface LiveState {
  readonly stage: { readonly stage: Stage; readonly since: number; readonly detail: string } | undefined;
  /** By phase and name. */
  readonly services: ReadonlyMap<string, Running>;
  /** How far a copy of files is. */
  readonly copying: string | undefined;
}

export const idle: LiveState = { stage: undefined, services: new Map(), copying: undefined };

/** The state after an event. */
export function nextState(state: LiveState, event: Event): LiveState {
  const change = (key: string, running: Running | undefined): LiveState => {
    const services = new Map(state.services);
    if (running === undefined) services.delete(key);
    else services.set(key, running);
    return { ...state, services };
  };
  switch (event.type) {
    case "stage-started":
      return { ...state, stage: { stage: event.stage, since: event.at, detail: event.detail ?? "" } };
    case "stage-finished":
      return state.stage?.stage === event.stage ? { ...state, stage: undefined, copying: undefined } : state;
    case "copying":
      return {
        ...state,
        copying: `${formatBytes(event.bytes)} of ${formatBytes(event.total)}  ${printable(event.path).replaceAll("\n", "?")}`,
      };
    case "service-started":
      return change(`${event.phase} ${event.service}`, {
        title: serviceTitle(event.service),
        since: event.at,
        step: "",
        lastLine: "",
      });
    case "service-finished":
      return change(`${event.phase} ${event.service}`, undefined);
    case "step-started":
    case "output": {
      const key = `${event.phase} ${event.service}`;
      const running = state.services.get(key);
      if (running === undefined) return state;
      return change(
        key,
        event.type === "output"
          ? { ...running, lastLine: printable(event.line).trim() || running.lastLine }
          : { ...running, step: event.step },
      );
    }
    default:
      return state;
  }
}

/** The state as lines of at most `width` columns and `height` rows. */
export function frameOf(state: LiveState, now: number, width: number, height: number): string[] {
  const lines: string[] = [];
  if (state.stage !== undefined) {
    const { stage, since, detail } = state.stage;
    lines.push(cut(`${formatDuration(now - since).padStart(9)}  ${stage} ${detail}`.trimEnd(), width));
  }
  if (state.copying !== undefined) lines.push(cut(`${" ".repeat(11)}${state.copying}`, width));
  const running = [...state.services.values()].sort((a, b) => a.since - b.since);
  const room = Math.max(1, height - 3);
  for (const { title, since, step, lastLine } of running.slice(0, room)) {
    const line = lastLine === "" ? "" : `: ${lastLine}`;
    lines.push(cut(`${formatDuration(now - since).padStart(9)}    ${title} ${step}${line}`, width));
  }
  if (running.length > room) lines.push(`             and ${running.length - room} more`);
  return lines;
}

function cut(line: string, width: number): string {
  return line.length <= width ? line : `${line.slice(0, Math.max(0, width - 1))}…`;
}

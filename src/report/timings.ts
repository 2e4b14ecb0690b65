import type { Event, Stage } from "./events.ts";
import { serviceTitle } from "./titles.ts";

export interface ServiceTiming {
  readonly phase: string;
  readonly service: string;
  readonly durationMs: number;
}

export interface StageTiming {
  readonly stage: Stage;
  readonly durationMs: number;
  /** Those that ended in this stage: a bake with a pause has the same stage twice. */
  readonly services: readonly ServiceTiming[];
}

/** Where the time went. */
export interface Timings {
  readonly totalMs: number;
  readonly stages: readonly StageTiming[];
  /** Time during which at least one step ran, by the machine's clock. */
  readonly stepsMs: number;
  /** From asking for the machine until its SSH server answered. */
  readonly bootMs: number;
  /** What is neither the boot nor the steps: our own share, and the cloud's. */
  readonly restMs: number;
}

/** Collects events and works out where the time went. */
export class TimingCollector {
  readonly #startedAt: number;
  readonly #stages: StageTiming[] = [];
  readonly #serviceStart = new Map<string, number>();
  #services: ServiceTiming[] = [];
  readonly #stepStart = new Map<string, number>();
  readonly #steps: { from: number; to: number }[] = [];

  /** @param startedAt milliseconds since the epoch */
  constructor(startedAt: number) {
    this.#startedAt = startedAt;
  }

  readonly listen = (event: Event): void => {
    switch (event.type) {
      case "stage-finished":
        this.#stages.push({ stage: event.stage, durationMs: event.durationMs, services: this.#services });
        this.#services = [];
        break;
      case "service-started":
        this.#serviceStart.set(`${event.phase} ${event.service}`, event.machineAt);
        break;
      case "service-finished": {
        const key = `${event.phase} ${event.service}`;
        const start = this.#serviceStart.get(key);
        // What was done before has an end without a beginning.
        if (start === undefined) break;
        this.#serviceStart.delete(key);
        this.#services.push({
          phase: event.phase,
          service: event.service,
          durationMs: event.machineAt - start,
        });
        break;
      }
      case "step-started":
        this.#stepStart.set(`${event.phase} ${event.service}`, event.machineAt);
        break;
      case "step-finished": {
        const from = this.#stepStart.get(`${event.phase} ${event.service}`);
        if (from !== undefined) this.#steps.push({ from, to: event.machineAt });
        break;
      }
      default:
        break;
    }
  };

  /** @param endedAt milliseconds since the epoch */
  timings(endedAt: number): Timings {
    const totalMs = endedAt - this.#startedAt;
    const stepsMs = unionLength(this.#steps);
    const bootMs = this.#stages.find(({ stage }) => stage === "boot")?.durationMs ?? 0;
    return {
      totalMs,
      stages: this.#stages,
      stepsMs,
      bootMs,
      restMs: totalMs - stepsMs - bootMs,
    };
  }
}

/** The length that intervals cover together, counting what overlaps once. */
export function unionLength(intervals: readonly { from: number; to: number }[]): number {
  let covered = 0;
  let end = -Infinity;
  for (const { from, to } of [...intervals].sort((a, b) => a.from - b.from)) {
    covered += Math.max(0, to - Math.max(from, end));
    end = Math.max(end, to);
  }
  return covered;
}

/** `4.2 s`, `3 min 20 s`. */
export function formatDuration(milliseconds: number): string {
  const seconds = milliseconds / 1000;
  if (seconds < 100) return `${seconds.toFixed(1)} s`;
  return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
}

/** The timings as lines for a person. */
export function formatTimings(timings: Timings): string[] {
  const lines = ["where the time went:"];
  const row = (indent: number, name: string, ms: number): void => {
    lines.push(`${" ".repeat(indent)}${name.padEnd(26 - indent)}${formatDuration(ms).padStart(12)}`);
  };
  for (const { stage, durationMs, services } of timings.stages) {
    row(2, stage, durationMs);
    for (const service of services) row(4, serviceTitle(service.service), service.durationMs);
  }
  row(2, "total", timings.totalMs);
  if (timings.bootMs > 0) {
    lines.push(
      `  boot ${formatDuration(timings.bootMs)}, steps ${formatDuration(timings.stepsMs)}, ` +
        `everything else ${formatDuration(timings.restMs)}`,
    );
  }
  return lines;
}

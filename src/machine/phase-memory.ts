import { BakeError } from "../base/errors.ts";
import type { Event, Listener } from "../report/events.ts";
import { serviceTitle } from "../report/titles.ts";
import type { PhaseEnd } from "./journal-events.ts";

/** How many of a service's last lines are kept for the message about its failure. */
const keptLines = 40;

interface FailedStep {
  readonly step: string;
  readonly status: number;
  readonly reason: "timeout" | "reboot" | undefined;
}

/** Listens on a phase and remembers what its failure message will need. */
export class PhaseMemory {
  readonly #lines = new Map<string, string[]>();
  readonly #failedSteps = new Map<string, FailedStep>();
  readonly #next: Listener;

  /** @param next gets every event, unchanged */
  constructor(next: Listener) {
    this.#next = next;
  }

  readonly listen: Listener = (event: Event) => {
    if (event.type === "output") {
      const lines = this.#lines.get(event.service) ?? [];
      lines.push(event.line);
      if (lines.length > keptLines) lines.shift();
      this.#lines.set(event.service, lines);
    } else if (event.type === "step-finished") {
      if (event.status === 0) this.#failedSteps.delete(event.service);
      else {
        this.#failedSteps.set(event.service, {
          step: event.step,
          status: event.status,
          reason: event.reason,
        });
      }
    }
    this.#next(event);
  };

  /** The error for a phase that failed: which service, which step, how, and its last lines. */
  failure(end: PhaseEnd): BakeError {
    const details: string[] = [];
    for (const service of end.failed) {
      details.push(`${this.#describe(service)}; its last lines:`);
      const lines = this.#lines.get(service) ?? ["(it printed nothing)"];
      details.push(...lines.map((line) => `  ${line}`));
    }
    if (end.notStarted.length > 0) details.push(`not started because of that: ${end.notStarted.join(", ")}`);
    const [first] = end.failed;
    const message =
      first === undefined
        ? `the ${end.phase} phase failed`
        : `${end.phase} failed: ${this.#describe(first)}${end.failed.length > 1 ? `, and ${end.failed.length - 1} more` : ""}`;
    return new BakeError("phase-failed", message, { details });
  }

  #describe(service: string): string {
    const name = serviceTitle(service);
    const failed = this.#failedSteps.get(service);
    if (failed === undefined) return `${name} failed`;
    if (failed.reason === "timeout") return `step ${failed.step} of ${name} took too long and was ended`;
    return `step ${failed.step} of ${name} ended with status ${failed.status}`;
  }
}

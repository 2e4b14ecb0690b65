import { createLogUpdate } from "log-update";
import type { Event, Listener } from "./events.ts";
import { lineOf } from "./lines.ts";
import { frameOf, idle, nextState } from "./live-state.ts";

/** How often the elapsed times move, in milliseconds. */
const refreshMs = 200;

/**
 * The view on a terminal: what has happened scrolls by, what is happening stands below it and moves.
 * Dispose it before anything else is written to the terminal.
 */
export class TerminalReport implements Disposable {
  readonly #stream: NodeJS.WriteStream;
  readonly #keepOutput: boolean;
  readonly #update: ReturnType<typeof createLogUpdate>;
  readonly #timer: NodeJS.Timeout;
  #state = idle;
  /** While a person types, nothing else is written. */
  #silent = false;

  /** @param keepOutput whether what steps print scrolls by too */
  constructor(stream: NodeJS.WriteStream, keepOutput = false) {
    this.#stream = stream;
    this.#keepOutput = keepOutput;
    this.#update = createLogUpdate(stream, { showCursor: true });
    this.#timer = setInterval(() => {
      this.#draw();
    }, refreshMs);
    // The view alone is no reason for the program to stay.
    this.#timer.unref();
  }

  readonly listen: Listener = (event) => {
    this.#state = nextState(this.#state, event);
    if (event.type === "answered") this.#silent = false;
    if (!staysOnScreen(event) && !(this.#keepOutput && event.type === "output")) return;
    const line = lineOf(event);
    if (line === undefined) return;
    this.#update.clear();
    this.#stream.write(`${line}\n`);
    if (event.type === "question") this.#silent = true;
    this.#draw();
  };

  #draw(): void {
    if (this.#silent) return;
    const lines = frameOf(this.#state, Date.now(), this.#stream.columns || 80, this.#stream.rows || 24);
    if (lines.length === 0) this.#update.clear();
    else this.#update(lines.join("\n"));
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#update.clear();
  }
}

/** Output and beginnings show in the moving part; only what is over, or odd, scrolls by. */
function staysOnScreen(event: Event): boolean {
  switch (event.type) {
    case "stage-finished":
    case "service-finished":
    case "note":
    case "question":
    case "warning":
    case "step-finished":
      return true;
    default:
      return false;
  }
}

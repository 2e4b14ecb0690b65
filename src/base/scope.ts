import { messageOf } from "./errors.ts";

export interface UndoFailure {
  readonly what: string;
  readonly message: string;
}

interface Undo {
  readonly what: string;
  readonly run: (signal: AbortSignal) => Promise<void>;
}

/**
 * Holds the undo of everything that was created, newest first. An undo is registered in the same breath as the
 * create call returns, so that nothing created is ever without one.
 *
 * Undoing has a deadline of its own and never sees the signal that interrupted the work: a person who pressed
 * Ctrl-C still wants the cleanup to run.
 */
export class Scope implements AsyncDisposable {
  readonly #undos: Undo[] = [];
  readonly #deadlineSeconds: number;
  readonly #onFailure: (failure: UndoFailure) => void;

  /**
   * @param deadlineSeconds how long the whole undoing may take
   * @param onFailure told of each undo that failed; the others still run
   */
  constructor(deadlineSeconds: number, onFailure: (failure: UndoFailure) => void) {
    this.#deadlineSeconds = deadlineSeconds;
    this.#onFailure = onFailure;
  }

  /** Registers an undo; returns a function that takes it back because the thing was handed over or is gone. */
  defer(what: string, run: (signal: AbortSignal) => Promise<void>): () => void {
    const undo: Undo = { what, run };
    this.#undos.push(undo);
    return () => {
      const index = this.#undos.indexOf(undo);
      if (index >= 0) this.#undos.splice(index, 1);
    };
  }

  /** Takes every undo back: all that was created is handed over to whoever looks after it from here on. */
  keepAll(): void {
    this.#undos.length = 0;
  }

  /** Runs every undo, newest first; a failing one is reported and does not stop the others. */
  async [Symbol.asyncDispose](): Promise<void> {
    const signal = AbortSignal.timeout(this.#deadlineSeconds * 1000);
    for (let undo = this.#undos.pop(); undo !== undefined; undo = this.#undos.pop()) {
      try {
        await undo.run(signal);
      } catch (error) {
        this.#onFailure({ what: undo.what, message: messageOf(error) });
      }
    }
  }
}

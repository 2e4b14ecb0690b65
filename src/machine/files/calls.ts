/** What ssh2 calls when an answer has come. */
export type Done<T> = (error: Error | null | undefined, value: T) => void;

/**
 * Calls with a callback as promises. When the connection is gone ssh2 calls nobody back, so all that wait are told here.
 */
export class Calls {
  readonly #waiting = new Set<(error: Error) => void>();
  #lost: Error | undefined;

  constructor(closed: Promise<void>) {
    void closed.then(() => {
      const lost = new Error("the SSH connection was lost");
      this.#lost = lost;
      for (const reject of this.#waiting) reject(lost);
    });
  }

  async make<T>(call: (done: Done<T>) => void): Promise<T> {
    if (this.#lost !== undefined) throw this.#lost;
    return await new Promise<T>((resolve, reject) => {
      this.#waiting.add(reject);
      call((error, value) => {
        this.#waiting.delete(reject);
        if (error === null || error === undefined) resolve(value);
        else reject(error);
      });
    });
  }
}

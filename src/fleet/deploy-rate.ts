/** What became of one of many pieces of work. */
export type Piece<T> =
  | { readonly kind: "done"; readonly value: T; readonly seconds: number }
  | { readonly kind: "failed"; readonly error: unknown; readonly seconds: number }
  /** Others had failed before its turn, or there was an interruption. */
  | { readonly kind: "not-started" };

export interface Rate {
  /** How many at once. */
  readonly max: number;
  /** After so many failures no further one is begun; those under way go on to their end. */
  readonly maxErrors: number;
  readonly signal: AbortSignal;
}

/**
 * Does the same to many things, some at a time. A failure is no error here, and neither is an interruption: what is under way
 * ends by the signal as it does, and nothing further is begun.
 * @returns what became of each, in their order
 */
export async function atRate<Thing, T>(
  things: readonly Thing[],
  { max, maxErrors, signal }: Rate,
  work: (thing: Thing) => Promise<T>,
): Promise<Piece<T>[]> {
  const pieces = things.map((): Piece<T> => ({ kind: "not-started" }));
  const queue = [...things.entries()];
  let errors = 0;
  const worker = async (): Promise<void> => {
    while (errors < maxErrors && !signal.aborted) {
      const next = queue.shift();
      if (next === undefined) return;
      const [index, thing] = next;
      const began = Date.now();
      const seconds = (): number => (Date.now() - began) / 1000;
      try {
        const value = await work(thing);
        pieces[index] = { kind: "done", value, seconds: seconds() };
      } catch (error) {
        errors += 1;
        pieces[index] = { kind: "failed", error, seconds: seconds() };
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(max, things.length) }, worker));
  return pieces;
}

/**
 * A source of whole numbers below a limit that is the same for the same seed, so that a failure can be repeated
 * (a linear congruential generator; its upper bits are good enough here).
 */
export function randomNumbers(seed: number): (limit: number) => number {
  let state = seed * 2654435761 + 1;
  return (limit) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * limit);
  };
}

/** The same entries in another order. */
export function shuffled<T>(entries: readonly T[], random: (limit: number) => number): T[] {
  const rest = [...entries];
  const result: T[] = [];
  while (rest.length > 0) result.push(...rest.splice(random(rest.length), 1));
  return result;
}

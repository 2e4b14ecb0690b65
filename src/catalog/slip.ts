import { closestMatch } from "leven";

/**
 * The known name that `word` is a slip of: another case, two letters swapped, or one letter too many, too few or
 * wrong after the first. Narrower than a suggestion has to be, because an entry that is one is refused: `unit/` and
 * `units/` are fine names beside `init/`.
 */
export function slipOf(word: string, known: readonly string[]): string | undefined {
  const lower = word.toLowerCase();
  return known.find(
    (name) =>
      (lower.startsWith(name.charAt(0)) && closestMatch(lower, [name], { maxDistance: 1 }) !== undefined) ||
      (sorted(lower) === sorted(name) && closestMatch(lower, [name], { maxDistance: 2 }) !== undefined),
  );
}

function sorted(word: string): string {
  return Array.from(word).sort().join("");
}

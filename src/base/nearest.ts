import { closestMatch } from "leven";

/** The candidate that `word` was probably meant to be, or undefined when none is near enough to suggest. */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  const [longer, other] = candidates.filter((candidate) => candidate.startsWith(word));
  if (word.length > 2 && longer !== undefined && other === undefined) return longer;
  // Two letters changed places is a distance of two.
  const maxDistance = word.length < 4 ? 1 : Math.max(2, Math.floor(word.length / 3));
  return closestMatch(word, candidates, { maxDistance });
}

/** `, did you mean "x"?` or nothing. */
export function didYouMean(word: string, candidates: readonly string[]): string {
  const match = nearest(word, candidates);
  return match === undefined ? "" : `did you mean "${match}"?`;
}

import { verbOf } from "./usage-errors.ts";

/** Verbs whose `--spot` may have a value; that of a bake has none. */
const launching = ["launch", "run"];

/**
 * The words of a command line with the value of `--spot` spelled out: `--spot web` asks for spot capacity and for the service
 * web, and the parser would take web for the value.
 */
export function spellOutSpot(words: readonly string[]): string[] {
  if (!launching.includes(verbOf(words))) return [...words];
  const end = words.indexOf("--");
  return words.map((word, index) => {
    const isOurs = word === "--spot" && (end < 0 || index < end);
    const next = words[index + 1] ?? "";
    return isOurs && next !== "one-time" && next !== "persistent" ? "--spot=one-time" : word;
  });
}

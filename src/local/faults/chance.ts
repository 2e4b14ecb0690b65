import { createHash } from "node:crypto";

/** A time in milliseconds, or the bounds between which it is drawn. */
export type Span = number | readonly [least: number, most: number];

/** To which of a row of cases something happens: to these, to this part of them, or (with neither) to all. */
export interface When {
  /** Numbers of the cases, from 1. */
  readonly on?: readonly number[] | undefined;
  /** The part of the cases that is hit, 0 to 1. */
  readonly rate?: number | undefined;
}

/**
 * A number from 0 up to 1 that depends on the seed and the names and on nothing else: whatever was drawn before, the
 * tenth call that a rule is for is hit in a replay when it was hit the first time. Pure.
 */
export function chance(seed: number, ...names: readonly (string | number)[]): number {
  const digest = createHash("sha256")
    .update(JSON.stringify([seed, ...names]))
    .digest();
  return digest.readUIntBE(0, 6) / 2 ** 48;
}

/** Whether the case with this number (from 1) is hit. Pure. */
export function isHit(when: When, seed: number, name: string, number: number): boolean {
  const { on, rate } = when;
  if (on === undefined && rate === undefined) return true;
  return on?.includes(number) === true || (rate !== undefined && chance(seed, name, number) < rate);
}

/** A whole number of milliseconds within the span. Pure. */
export function spanOf(span: Span, seed: number, name: string, number: number): number {
  if (typeof span === "number") return span;
  const [least, most] = span;
  return Math.round(least + (most - least) * chance(seed, name, number));
}

/** Counts cases by name. */
export class Counters {
  readonly #counts = new Map<string, number>();

  /** The number of the next case with this name; the first is 1. */
  next(name: string): number {
    const number = (this.#counts.get(name) ?? 0) + 1;
    this.#counts.set(name, number);
    return number;
  }
}

import type { Clock } from "../base/clock.ts";
import { systemClock } from "../base/clock.ts";
import { withDeadline } from "../base/wait.ts";
import { problemOf, type Problem } from "./problem.ts";

/** One after the other until this many milliseconds have passed since the first look: a pause of so many. */
type Schedule = readonly (readonly [untilMs: number, pauseMs: number])[];

const forever = Number.POSITIVE_INFINITY;

/** A few quick looks: a local cloud is done at once. */
const quickly: Schedule = [
  [100, 200],
  [1_000, 1_300],
];

/**
 * When to look. What changes at a time between two bounds is seen with the least delay for a number of looks when they
 * are sparse before the bounds, dense between them, and the denser the nearer the end is, because few waits last so long
 * (the best pause is in proportion to the root of the time that is left). The bounds are those of EC2: instance 6 to 25 s,
 * stop 15 to 60 s, image 1 to 5 minutes, sometimes hours. test/faults/waiting.ts measures the delays.
 */
const schedules = {
  quick: [...quickly, [10_000, 1_000], [60_000, 2_000], [forever, 5_000]],
  instance: [...quickly, [14_000, 2_400], [26_000, 1_600], [60_000, 3_000], [forever, 8_000]],
  stop: [
    ...quickly,
    [3_000, 2_000],
    [14_000, 5_700],
    [36_000, 3_200],
    [61_000, 2_500],
    [180_000, 5_000],
    [forever, 12_000],
  ],
  image: [
    ...quickly,
    [58_000, 20_000],
    [180_000, 7_600],
    [302_000, 5_200],
    [900_000, 15_000],
    [forever, 30_000],
  ],
} satisfies Record<string, Schedule>;

export type ScheduleName = keyof typeof schedules;

/** How fast to look, and by which clock. */
export interface Pace {
  readonly clock?: Clock;
  readonly schedule?: ScheduleName;
}

/**
 * How long the cloud may be out of reach while somebody waits, in milliseconds. What is waited for goes on without us: an
 * image of an hour must not be given up for a minute without a network.
 */
const outageMs = 600_000;

const passes: ReadonlySet<Problem> = new Set(["unavailable", "throttled"]);

/**
 * Looks again and again until `look` gives a value.
 * @param what for the message when the deadline passes
 * @throws BakeError `timeout`, `interrupted`, or whatever `look` throws; but that there is no answer only after a while.
 */
export async function poll<T>(
  what: string,
  deadlineSeconds: number,
  signal: AbortSignal,
  look: (signal: AbortSignal) => Promise<T | undefined>,
  { clock = systemClock, schedule = "quick" }: Pace = {},
): Promise<T> {
  return await withDeadline(
    what,
    deadlineSeconds,
    signal,
    async (inner) => {
      const began = clock.now();
      let answered = began;
      for (;;) {
        try {
          const found = await look(inner);
          if (found !== undefined) return found;
          answered = clock.now();
        } catch (error) {
          if (!passes.has(problemOf(error)) || clock.now() - answered > outageMs) throw error;
        }
        await clock.sleep(pauseMs(schedule, clock.now() - began), inner);
      }
    },
    undefined,
    clock,
  );
}

/** How long to wait before the next look, in milliseconds. */
export function pauseMs(schedule: ScheduleName, elapsedMs: number): number {
  return schedules[schedule].find(([untilMs]) => elapsedMs < untilMs)?.[1] ?? 30_000;
}

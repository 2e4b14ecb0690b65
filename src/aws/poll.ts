import type { Clock } from "../base/clock.ts";
import { systemClock } from "../base/clock.ts";
import { withDeadline } from "../base/wait.ts";

/** One after the other until this many milliseconds have passed since the first look: a pause of so many. */
type Schedule = readonly (readonly [untilMs: number, pauseMs: number])[];

const forever = Number.POSITIVE_INFINITY;

/** A few quick looks: a local cloud is done at once. */
const quickly: Schedule = [
  [300, 150],
  [2_000, 800],
];

/**
 * When to look. What changes at a time between two bounds is seen with the least delay for a number of looks when they
 * are dense between the bounds and sparse before; the bounds are those of EC2 (instance 6 to 25 s, stop 15 to 60 s,
 * image 1 to 5 minutes, sometimes hours).
 */
const schedules = {
  quick: [...quickly, [10_000, 1_000], [60_000, 2_000], [forever, 5_000]],
  instance: [...quickly, [5_000, 2_000], [40_000, 1_600], [120_000, 4_000], [forever, 8_000]],
  stop: [...quickly, [14_000, 6_000], [75_000, 2_800], [180_000, 6_000], [forever, 12_000]],
  image: [
    ...quickly,
    [10_000, 4_000],
    [58_000, 12_000],
    [320_000, 6_000],
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
 * Looks again and again until `look` gives a value.
 * @param what for the message when the deadline passes
 * @throws BakeError `timeout`, `interrupted`, or whatever `look` throws.
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
      for (;;) {
        const found = await look(inner);
        if (found !== undefined) return found;
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

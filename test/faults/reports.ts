import * as z from "zod";

/* What the program seeds.ts prints, a line for each seed. */

/** What came of a bake under one random plan. */
export const planReport = z.object({
  seed: z.number(),
  /** What must not be. */
  problems: z.array(z.string()),
  outcome: z.enum(["image", "warned", "error", "uncertain", "interrupted"]),
  /** Whether something was left that only a cleanup ended. */
  neededCleanup: z.boolean(),
  /** By the cloud's clock. */
  hours: z.number(),
});

export type PlanReport = z.output<typeof planReport>;

/** What the waits of one bake came to. */
export const waitReport = z.object({
  seed: z.number(),
  /** How late the bake noticed what it waited for, summed over its waits, in milliseconds. */
  slackMs: z.number(),
  /** How many calls only asked. */
  describes: z.number(),
});

export type WaitReport = z.output<typeof waitReport>;

/** What a bake did while many of its calls were throttled. */
export const throttleReport = z.object({
  seed: z.number(),
  /** Of the failure, when the bake failed or left something. */
  problem: z.string().optional(),
  calls: z.number(),
  /** Calls that were made although the action's bucket was empty: more than EC2 takes from one account. */
  beyondBucket: z.number(),
  /** The most calls of one action. */
  mostOfOne: z.object({ action: z.string(), calls: z.number() }),
});

export type ThrottleReport = z.output<typeof throttleReport>;

import { bootCommands, deadlineCommand } from "../machine/boot-commands.ts";

export interface JobTimes {
  /** When the machine ends itself if nobody has started a job on it, in milliseconds since the epoch. */
  readonly idle: number;
  /** When it ends itself whatever it does. */
  readonly deadline: number;
}

/** How long after the update's time the job's files may still be under way. */
const uploadSeconds = 15 * 60;

/** What a job may need beyond its own time: to be ended, to send its log, to wait for a caller. */
const endingSeconds = 30 * 60;

/**
 * By when a job's machine must be gone, whoever started it.
 * @param now in milliseconds since the epoch
 * @param updateSeconds how long the update is waited for
 * @param maxSeconds how long the job may take
 */
export function jobTimes(now: number, updateSeconds: number, maxSeconds: number): JobTimes {
  const idle = now + (updateSeconds + uploadSeconds) * 1000;
  return { idle, deadline: idle + (maxSeconds + endingSeconds) * 1000 };
}

/** The part of the user data that makes the machine keep to these times. */
export function jobBootCommands({ idle, deadline }: JobTimes): string {
  return bootCommands([
    deadlineCommand(deadline / 1000),
    { program: "lib/job-idle.sh", variables: { idle: idle / 1000 } },
  ]).join("\n");
}

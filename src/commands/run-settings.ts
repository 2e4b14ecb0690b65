import { BakeError } from "../base/errors.ts";
import type { JobOptions } from "../jobs/options.ts";
import { readEnvironment } from "../jobs/order.ts";
import { planUploads } from "../jobs/uploads.ts";
import type { Context } from "./context.ts";
import type { LaunchSettings } from "./launch-settings.ts";
import { readDuration } from "./options.ts";

/** The options that `run` has beside those of a launch. */
export interface JobArguments {
  readonly command: readonly string[];
  readonly upload: readonly string[];
  readonly env: readonly string[];
  readonly maxTime: string;
  readonly timeout: string;
  readonly keep: boolean;
  readonly detach: boolean;
  readonly output: string | undefined;
  readonly knownHosts: string | undefined;
}

export type JobSettings = Pick<
  JobOptions,
  "command" | "uploads" | "environment" | "maxSeconds" | "updateSeconds" | "keep"
>;

/** The words after `--`, as the parser keeps them. */
export function wordsAfter(rest: unknown): string[] {
  return Array.isArray(rest) ? rest.map(String) : [];
}

/**
 * Reads what a job is to be, and finds what is to be uploaded.
 * @throws BakeError `usage` for what is malformed, is not there, or does not go together.
 */
export async function jobSettings(
  argv: JobArguments,
  { count, instance }: Pick<LaunchSettings, "count" | "instance">,
  { workingDirectory }: Pick<Context, "workingDirectory">,
): Promise<JobSettings> {
  if (argv.command.length === 0 || argv.command[0] === "") {
    throw new BakeError("usage", "say what to run, after --", {
      hint: "for example `bake-ami run base -- ./bench.sh --size 5`; see `bake-ami run --help`",
    });
  }
  if (count !== 1) {
    throw new BakeError("usage", "a job has one machine, so --count is not for it", {
      hint: "start one job for each machine, with --detach",
    });
  }
  if (instance.spot?.kind === "persistent") {
    throw new BakeError("usage", "a persistent spot request would start the machine of a job again", {
      hint: "say --spot one-time",
    });
  }
  if (instance.protect === true && !argv.keep) {
    throw new BakeError("usage", "--protect keeps anyone from ending the machine, and a job ends it", {
      hint: "add --keep, or leave out --protect",
    });
  }
  if (argv.knownHosts !== undefined) {
    throw new BakeError("usage", "--known-hosts is for machines that stay", {
      hint: "leave it out: `bake-ami ssh` knows the host keys of a job's machine by itself",
    });
  }
  if (argv.detach && argv.output !== undefined) {
    throw new BakeError("usage", "--detach follows no output, so there is none for --output", {
      hint: "give --output to `bake-ami attach`, or keep the log with --log",
    });
  }
  return {
    ...(await planUploads(workingDirectory, argv.command, argv.upload)),
    environment: readEnvironment(argv.env),
    maxSeconds: readDuration(argv.maxTime, "--max-time"),
    updateSeconds: readDuration(argv.timeout, "--timeout"),
    keep: argv.keep,
  };
}

import type { Instance } from "../aws/instances.ts";
import type { LaunchOptions } from "../launch/launch.ts";
import type { SshTarget } from "../machine/target.ts";
import type { Sink } from "./sink.ts";
import type { Upload } from "./uploads.ts";

/** What a job's machine is to be. A job decides itself what it is for, when it expires, and that it is one. */
export type JobLaunch = Omit<
  LaunchOptions,
  "role" | "expires" | "bootcmd" | "shutdownBehavior" | "count" | "waitSeconds"
>;

export interface JobOptions {
  readonly launch: JobLaunch;
  /** Program and arguments as the machine finds them; see `planUploads`. */
  readonly command: readonly string[];
  readonly uploads: readonly Upload[];
  readonly environment: ReadonlyMap<string, string>;
  /** How long the job may take. */
  readonly maxSeconds: number;
  /** How long the machine's update may take. */
  readonly updateSeconds: number;
  /** Whether the machine stays when the job is over, whatever became of it. */
  readonly keep: boolean;
  /** How to log in to the machine when it runs. */
  readonly reach: (instance: Instance, signal: AbortSignal) => Promise<SshTarget>;
}

/** Where the output of a job goes while it is followed. */
export interface FollowedJobOptions extends JobOptions {
  readonly sink: Sink;
}

/** A job that runs, whether or not anybody looks. */
export interface StartedJob {
  readonly run: string;
  readonly instance: Instance;
}

/** What became of a job's log. */
export type LogResult =
  | { readonly kind: "none" }
  /** `url` is the prefix that `job.log` and `job.json` are below. */
  | { readonly kind: "ok"; readonly url: string }
  | { readonly kind: "failed"; readonly url: string; readonly why: string };

export interface JobResult {
  readonly run: string;
  readonly instanceId: string;
  /** Exit status of the command; 128 + n when signal n ended it, 124 when it took too long. */
  readonly status: number;
  /** Why it did not end by itself. */
  readonly reason: string | undefined;
  /** Of its output, in bytes. */
  readonly size: number;
  readonly log: LogResult;
  /** Whether the machine is still there. */
  readonly kept: boolean;
}

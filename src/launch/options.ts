import type { OpenPort } from "../aws/access.ts";
import type { Cloud } from "../aws/cloud.ts";
import type { Listener } from "../report/events.ts";
import type { Choice } from "./choose-image.ts";
import type { RequestLine } from "./request-lines.ts";

/** Everything that a launch needs to know. */
export interface LaunchOptions {
  readonly cloud: Cloud;
  readonly choice: Choice;
  readonly run: string;
  readonly owner: string;
  /** What the machines are for; a job ends with its command. Default: `machine`. */
  readonly role?: "machine" | "job";
  /** After this anyone's cleanup may take what carries it. */
  readonly expires?: Date;
  /** Of the user's own or of another room, for everything that is created; ours come first. */
  readonly extraTags?: ReadonlyMap<string, string>;
  /** What the machines are asked beyond their image; it travels in their user data. */
  readonly request?: readonly RequestLine[];
  /** The user's own user data, for cloud-init. */
  readonly userData?: Buffer;
  /** More keys of a cloud-config, such as `bootcmd:` with its value. */
  readonly bootcmd?: string;
  /** What a shutdown from within the machine does. Default: `stop`. */
  readonly shutdownBehavior?: "stop" | "terminate";
  readonly instanceType: string;
  readonly count: number;
  /** Ports to open, SSH's included where it is wanted. */
  readonly ports: readonly OpenPort[];
  /** The public key that may log in. */
  readonly loginKey: string;
  /** The user that it logs in as, where the image does not say or is wrong. */
  readonly login?: string;
  /** Whether to wait for the update of every machine, and how long, in seconds. */
  readonly waitSeconds: number | undefined;
  readonly listener: Listener;
  readonly signal: AbortSignal;
}

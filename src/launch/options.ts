import type { OpenPort } from "../aws/access.ts";
import type { Cloud } from "../aws/cloud.ts";
import type { Interruption, Placement, RootVolume } from "../aws/instances.ts";
import type { Listener } from "../report/events.ts";
import type { Choice } from "./choose-image.ts";
import type { ElasticIp } from "./elastic-ip.ts";
import type { RequestLine } from "./request-lines.ts";
import type { Watch } from "./wait.ts";

/** What the machines are to be like; what is left out is as EC2, the subnet or the image has it. */
export interface InstanceSettings {
  /** Spot capacity; only a persistent request can stop its machine and start it again. */
  readonly spot?: { readonly kind: "one-time" | "persistent"; readonly interruption?: Interruption };
  /** An EC2 key pair that may log in beside the login key. */
  readonly keyName?: string;
  /** Name or ARN. */
  readonly instanceProfile?: string;
  /** Security groups in place of one of the launch's own. */
  readonly groupIds?: readonly string[];
  /** Tried in turn while EC2 has no capacity; all that fit when there are none. */
  readonly subnets?: readonly string[];
  /** Whether to have a public IPv4 address, whatever the subnet says. */
  readonly publicAddress?: boolean;
  readonly placement?: Placement;
  readonly ebsOptimized?: boolean;
  readonly rootVolume?: Omit<RootVolume, "deviceName">;
  /** EC2 refuses to terminate the machines until this is lifted. */
  readonly protect?: boolean;
  /** For one machine alone. */
  readonly elasticIp?: ElasticIp;
}

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
  /** Of the user's own, for everything that is created; ours come first. */
  readonly extraTags?: ReadonlyMap<string, string>;
  /** For the machines alone, which read them: such as the channel. */
  readonly machineTags?: ReadonlyMap<string, string>;
  /** What the machines are asked beyond their image; it travels in their user data. */
  readonly request?: readonly RequestLine[];
  /** The user's own user data, for cloud-init. */
  readonly userData?: Buffer;
  /** More keys of a cloud-config, such as `bootcmd:` with its value. */
  readonly bootcmd?: string;
  /** What a shutdown from within the machine does. Default: `stop`. */
  readonly shutdownBehavior?: "stop" | "terminate";
  readonly instanceType: string;
  readonly instance?: InstanceSettings;
  readonly count: number;
  /** Ports to open in a group of the launch's own, SSH's included where it is wanted. */
  readonly ports: readonly OpenPort[];
  /** The public key that may log in. */
  readonly loginKey: string;
  /** The user that it logs in as, where the image does not say or is wrong. */
  readonly login?: string;
  /** Whether to wait for the update of every machine, and how long, in seconds. */
  readonly waitSeconds: number | undefined;
  /** Shows what each machine does while its update is waited for. */
  readonly watch?: Watch;
  readonly listener: Listener;
  readonly signal: AbortSignal;
}

import type { Cloud } from "../aws/cloud.ts";
import type { RootVolume } from "../aws/instances.ts";
import type { Bundle } from "../bundle/bundle.ts";
import type { Plan } from "../plan/plan.ts";
import type { Listener } from "../report/events.ts";
import type { Reach } from "./connect.ts";
import type { PlaceRequest } from "../aws/placement.ts";
import type { BuilderRecords } from "./records.ts";
import type { Architecture, SourceQuery } from "./source.ts";

/** A key whose owner may sign bundles for the machines of an image. */
export interface TrustedKey {
  /** `ssh-ed25519 AAAA...`, without a comment. */
  readonly publicKey: string;
  /** `SHA256:...` */
  readonly fingerprint: string;
}

/** What becomes of the builder when a bake fails. An interruption is no failure: it always cleans up. */
export type FailureChoice = "cleanup" | "keep";

export interface BakeOptions {
  readonly cloud: Cloud;
  readonly plan: Plan;
  /** Of the whole catalog, so that a machine can initialise services that its image lacks. */
  readonly bundle: Bundle;
  readonly run: string;
  readonly owner: string;
  readonly source: SourceQuery;
  /** In place of the user that the image says it lets in. */
  readonly login: string | undefined;
  /** Start from an image that its owner has deprecated. */
  readonly allowDeprecated: boolean;
  /** Tried in turn while EC2 has no capacity; empty for the default of the image's architecture. */
  readonly types: readonly string[];
  readonly defaultTypes: Readonly<Record<Architecture, string>>;
  /** Ask for spot capacity first, and for on-demand when there is none. */
  readonly spot: boolean;
  readonly place: Omit<PlaceRequest, "sshInterface">;
  readonly reach: Reach;
  /** Who may reach the builder's SSH port; asked when it is needed. */
  readonly allowCidrs: (signal: AbortSignal) => Promise<readonly string[]>;
  readonly rootVolume: Omit<RootVolume, "deviceName"> | undefined;
  readonly instanceProfile: string | undefined;
  /** Whose bundles the machines of the image take from a channel; nobody's when absent or empty. */
  readonly signers?: readonly TrustedKey[];
  /** Of the user's own, for everything that is created. */
  readonly extraTags: ReadonlyMap<string, string>;
  /** After this many seconds the bake gives up, the builder ends itself, and anybody's cleanup may take what is left. */
  readonly maxBakeSeconds: number;
  readonly onError: FailureChoice | ((error: unknown, instanceId: string) => Promise<FailureChoice>);
  /** Stop after the init of this service, and go on when `wait` returns. */
  readonly pauseAfter: { readonly service: string; readonly wait: PauseWait } | undefined;
  /** Go on with a kept builder of the same services. */
  readonly resume: boolean;
  /** Join a bake of the same content that is not finished, in place of starting another. */
  readonly join: boolean;
  readonly records: BuilderRecords;
  /** Of this program, for the image's tags. */
  readonly version: string;
  readonly listener: Listener;
  readonly signal: AbortSignal;
}

export type PauseWait = (instanceId: string, signal: AbortSignal) => Promise<void>;

export interface BakeResult {
  readonly imageId: string;
  readonly imageName: string;
  readonly snapshotIds: readonly string[];
  readonly run: string;
  readonly services: readonly string[];
  readonly planDigest: string;
  readonly sourceImageId: string;
  /** The run of the command that this one joined. */
  readonly joined?: string;
}

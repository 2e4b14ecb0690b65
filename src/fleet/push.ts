import type { Cloud } from "../aws/cloud.ts";
import { cloudCodeOf } from "../aws/cloud-error.ts";
import { checkBucket, putObject, s3Url, type S3Place } from "../aws/s3.ts";
import { BakeError } from "../base/errors.ts";
import type { Bundle } from "../bundle/bundle.ts";
import {
  channelObject,
  checkChannelName,
  findChannel,
  headOf,
  writeChannel,
  type Channel,
  type ChannelHead,
} from "./channel.ts";
import type { Signer } from "./sign.ts";

export interface PushOptions {
  readonly cloud: Cloud;
  /** Where the channels are. */
  readonly place: S3Place;
  readonly channel: string;
  /** Of the whole catalog. */
  readonly bundle: Bundle;
  readonly signer: Signer;
  /** Push what the channel has already, with a new serial. */
  readonly force: boolean;
  /** Only find out what would be done. */
  readonly dryRun: boolean;
  readonly signal: AbortSignal;
}

export interface Pushed extends ChannelHead {
  /** `s3://bucket/prefix/channel.bundle` */
  readonly url: string;
  /** The fingerprint of the key that signed it. */
  readonly signer: string;
  /** `same` when the channel has it already, so that nothing was pushed; `would-push` for a dry run. */
  readonly result: "pushed" | "same" | "would-push";
  /** What the channel had before. */
  readonly previous: ChannelHead | undefined;
}

/**
 * Puts a bundle into a channel, signed, whole or not at all. The machines of the channel take it at their next boot, or when
 * they are told to. What the channel has already is not pushed again.
 * @throws BakeError `usage` for a channel name that cannot be, `usage` for no such bucket, `failed` when the channel has
 *   a later serial or somebody else pushed at the same time, `cloud`.
 */
export async function push(options: PushOptions): Promise<Pushed> {
  const { cloud, place, channel, bundle, signer, signal } = options;
  checkChannelName(channel);
  await checkBucket(cloud, place, signal);
  const previous = await findChannel(cloud, place, channel, signal);
  const object = channelObject(place, channel);
  const head = headOf(channel, cloud.clock.now(), bundle);
  const pushed = { ...head, url: s3Url(object), signer: signer.fingerprint, previous };
  const isSame = previous?.digest === head.digest && previous.signer === signer.fingerprint;
  if (isSame && !options.force) return { ...pushed, serial: previous.serial, result: "same" };
  if (previous !== undefined) checkForward(previous, head);
  if (options.dryRun) return { ...pushed, result: "would-push" };
  try {
    const replaces = previous === undefined ? "none" : { etag: previous.etag };
    await putObject(cloud, object, writeChannel(head, bundle, signer), signal, { replaces });
  } catch (error) {
    if (!meanwhile.has(cloudCodeOf(error) ?? "")) throw error;
    // The answer of an attempt that did it may have been lost.
    const now = await findChannel(cloud, place, channel, signal);
    if (now?.serial !== head.serial || now.sha256 !== head.sha256) throw beaten(channel, now, error);
  }
  return { ...pushed, result: "pushed" };
}

/** What S3 says when the object is not, or is no longer, the one that was to be replaced. */
const meanwhile = new Set(["PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey"]);

/** No machine takes a serial that is lower than its last. */
function checkForward(previous: Channel, head: ChannelHead): void {
  if (previous.serial < head.serial) return;
  throw new BakeError(
    "failed",
    `the channel ${head.channel} has a bundle of ${timeOf(previous.serial)}, and here it is ${timeOf(head.serial)}: no machine would take an older one`,
    { hint: "set the clock of this computer, or of the one that pushed before" },
  );
}

function beaten(channel: string, now: Channel | undefined, cause: unknown): BakeError {
  const what = now === undefined ? "removed its bundle" : `pushed ${now.digest} to it`;
  return new BakeError("failed", `somebody else ${what} at the same time: channel ${channel}`, {
    cause,
    hint: "look at what it has with `bake-ami push --list`, and push again",
  });
}

/** A serial as the time that it is. */
export function timeOf(serial: number): string {
  return `${new Date(serial).toISOString().slice(0, 19).replace("T", " ")} UTC`;
}

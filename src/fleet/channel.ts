import { createHash } from "node:crypto";
import { getObject, listObjects, type S3Object, type S3Place } from "../aws/s3.ts";
import { cloudCodeOf, isNotFound } from "../aws/cloud-error.ts";
import type { Cloud } from "../aws/cloud.ts";
import { BakeError } from "../base/errors.ts";
import type { Bundle } from "../bundle/bundle.ts";
import { signerOf, type Signer } from "./sign.ts";

/*
 * A channel is one object: a few lines about a bundle, a signature over them, and the bundle. One object has one entity tag
 * and one presigned URL, and is replaced whole. `phases/bin/fetch` reads it on the machine.
 */

/** What the signed lines of a channel's object say. */
export interface ChannelHead {
  readonly channel: string;
  /** Milliseconds since the epoch at which it was pushed; a machine takes none that is lower than its last. */
  readonly serial: number;
  /** Of the bundle. */
  readonly digest: string;
  /** Of the archive, in hex. */
  readonly sha256: string;
  /** Of the archive, in bytes. */
  readonly size: number;
}

/** A channel as it is in the bucket. */
export interface Channel extends ChannelHead {
  readonly etag: string;
  /** The fingerprint of the key that it says it was signed with; only a machine verifies that. */
  readonly signer: string;
}

const suffix = ".bundle";

/**
 * Checks a channel's name, which stands in keys, tags and file names.
 * @throws BakeError `usage`.
 */
export function checkChannelName(name: string): void {
  if (/^[a-z0-9][a-z0-9-]{0,62}$/.test(name)) return;
  throw new BakeError("usage", `${JSON.stringify(name)} cannot be the name of a channel`, {
    hint: "use up to 63 lower-case letters, digits and -, for example --channel test",
  });
}

/** The object that a channel is. */
export function channelObject(place: S3Place, channel: string): S3Object {
  return { bucket: place.bucket, key: `${place.prefix}${channel}${suffix}` };
}

/** What a bundle's channel says of it. */
export function headOf(channel: string, serial: number, bundle: Bundle): ChannelHead {
  const { digest, archive } = bundle;
  const sha256 = createHash("sha256").update(archive).digest("hex");
  return { channel, serial, digest, sha256, size: archive.length };
}

/** The bytes of a channel's object. */
export function writeChannel(head: ChannelHead, bundle: Bundle, signer: Signer): Buffer {
  const lines = headLines(head);
  return Buffer.concat([Buffer.from(`${lines}${signer.sign(lines)}\n`), bundle.archive]);
}

function headLines({ channel, serial, digest, sha256, size }: ChannelHead): string {
  return [
    "bake-ami-bundle 1",
    `channel ${channel}`,
    `serial ${serial}`,
    `digest ${digest}`,
    `sha256 ${sha256}`,
    `size ${size}`,
    "",
  ].join("\n");
}

/** More than the lines and the signature of an ed25519 key take. */
const headBytes = 1024;

const format =
  /^bake-ami-bundle 1\nchannel (?<channel>\S+)\nserial (?<serial>\d{1,15})\ndigest (?<digest>[0-9a-f]+)\nsha256 (?<sha256>[0-9a-f]{64})\nsize (?<size>\d{1,12})\n(?<signature>-----BEGIN SSH SIGNATURE-----\n[^-]+-----END SSH SIGNATURE-----\n)\n/;

/**
 * Reads what stands before the archive in a channel's object; nothing is verified.
 * @returns undefined when it is no such object
 */
export function readHead(bytes: Uint8Array): (ChannelHead & { readonly signer: string }) | undefined {
  const groups = format.exec(Buffer.from(bytes.subarray(0, headBytes)).toString("latin1"))?.groups;
  const signer = signerOf(groups?.["signature"] ?? "");
  if (groups === undefined || signer === undefined) return undefined;
  const { channel = "", serial, digest = "", sha256 = "", size } = groups;
  return { channel, serial: Number(serial), digest, sha256, size: Number(size), signer };
}

/**
 * What a channel has at the moment; undefined when nothing was pushed to it yet.
 * @throws BakeError `failed` when something else is in its place, `not-found` for no such bucket, `cloud`.
 */
export async function findChannel(
  cloud: Cloud,
  place: S3Place,
  channel: string,
  signal: AbortSignal,
): Promise<Channel | undefined> {
  const object = channelObject(place, channel);
  let got: { readonly bytes: Uint8Array; readonly etag: string };
  try {
    got = await getObject(cloud, object, signal, headBytes);
  } catch (error) {
    if (isNotFound(error) && cloudCodeOf(error) !== "NoSuchBucket") return undefined;
    throw error;
  }
  const head = readHead(got.bytes);
  if (head !== undefined) return { ...head, etag: got.etag };
  throw new BakeError("failed", `s3://${object.bucket}/${object.key} is no bundle that bake-ami pushed`, {
    hint: "remove it, or choose another prefix or channel",
  });
}

/**
 * Every channel there, in order of its name.
 * @throws BakeError as {@link findChannel} does.
 */
export async function listChannels(cloud: Cloud, place: S3Place, signal: AbortSignal): Promise<Channel[]> {
  const objects = await listObjects(cloud, place, signal);
  const names = objects.flatMap(({ key }) => {
    const name = key.slice(place.prefix.length);
    return name.endsWith(suffix) && !name.includes("/") ? [name.slice(0, -suffix.length)] : [];
  });
  const found: Channel[] = [];
  for (const name of names) {
    const channel = await findChannel(cloud, place, name, signal);
    if (channel !== undefined) found.push(channel);
  }
  return found;
}

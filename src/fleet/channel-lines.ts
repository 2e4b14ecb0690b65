import type { Cloud } from "../aws/cloud.ts";
import { problemOf } from "../aws/cloud-error.ts";
import type { Image } from "../aws/images.ts";
import { checkBucket, longestUrlSeconds, presign, s3Url, urlSeconds, type S3Place } from "../aws/s3.ts";
import { namesIn, tagKeys } from "../aws/tags.ts";
import { messageOf } from "../base/errors.ts";
import { tellOfEnd } from "../launch/log-lines.ts";
import type { RequestLine } from "../launch/request-lines.ts";
import type { Listener } from "../report/events.ts";
import { channelObject, findChannel, type Channel } from "./channel.ts";

export interface ChannelRequest {
  readonly channel: string;
  /** Where the channels are. */
  readonly place: S3Place;
  readonly image: Pick<Image, "id" | "tags">;
  /** Whether the machines have a role, and get the bundle by its rights. */
  readonly byRole: boolean;
}

/** What tells machines of their channel. */
export interface ChannelTold {
  readonly tags: ReadonlyMap<string, string>;
  readonly lines: readonly RequestLine[];
}

/**
 * What machines are told of their channel: its name and where it is in their tags, and, where they have no role, a URL. Warns
 * when their image will not take what is in it.
 * @throws BakeError `usage` when there is no such bucket, `cloud` when the caller may not read it.
 */
export async function channelLines(
  cloud: Cloud,
  request: ChannelRequest,
  listener: Listener,
  signal: AbortSignal,
): Promise<ChannelTold> {
  const { channel, place, byRole, image } = request;
  const { warning, region } = await lookAt(cloud, request, signal);
  if (warning !== undefined) listener({ type: "warning", at: Date.now(), ...warning(image.id) });
  const tags = new Map([
    [tagKeys.channel, channel],
    [tagKeys.bundles, s3Url(place).replace(/\/$/, "")],
  ]);
  if (byRole) return { tags, lines: [] };
  tellOfEnd(await urlSeconds(cloud), "the machines get their bundles", listener);
  const object = channelObject(place, channel);
  const url = await presign(cloud, {
    method: "GET",
    ...object,
    seconds: longestUrlSeconds,
    ...(region === undefined ? {} : { region }),
  });
  return { tags, lines: [{ kind: "channel-url", url }] };
}

type Warning = (imageId: string) => { readonly message: string; readonly hint: string };

/** Where the bucket is, and why the machines might not take a bundle of the channel. */
async function lookAt(
  cloud: Cloud,
  request: ChannelRequest,
  signal: AbortSignal,
): Promise<{ readonly region?: string; readonly warning: Warning | undefined }> {
  const { channel, place, byRole } = request;
  try {
    const { region } = await checkBucket(cloud, place, signal);
    return { region, warning: doubtOf(request, await findChannel(cloud, place, channel, signal)) };
  } catch (error) {
    // The machines' role may read what the caller may not.
    if (!byRole || problemOf(error) !== "denied") throw error;
    const message = `cannot see what is in the channel ${channel}: ${messageOf(error)}`;
    return { warning: () => ({ message, hint: "the machines' role must be allowed to s3:GetObject it" }) };
  }
}

/** Why the machines might not take what the channel has. Pure. */
function doubtOf(
  { channel, place, image }: ChannelRequest,
  found: Pick<Channel, "signer"> | undefined,
): Warning | undefined {
  const trusted = namesIn(image.tags, tagKeys.signer);
  const push = `\`bake-ami push --channel ${channel} ${s3Url(place)}\``;
  if (trusted.length === 0) {
    return (id) => ({
      message: `${id} trusts nobody's signature, so its machines take no bundle from a channel`,
      hint: "bake again; `--signer` says whose bundles its machines take",
    });
  }
  if (found === undefined) {
    return () => ({
      message: `nothing has been pushed to the channel ${channel} yet`,
      hint: `push: ${push}`,
    });
  }
  if (trusted.includes(found.signer)) return undefined;
  return (id) => ({
    message: `the bundle in channel ${channel} is signed by ${found.signer}, and ${id} trusts ${trusted.join(", ")}: its machines will not take it`,
    hint: `push with a key that it trusts: ${push} with --signing-key; or bake again with --signer`,
  });
}

import type { Cloud } from "../aws/cloud.ts";
import { problemOf } from "../aws/cloud-error.ts";
import { namesIn, tagKeys } from "../aws/tags.ts";
import type { Channel } from "../fleet/channel.ts";
import { timeOf, type Pushed } from "../fleet/push.ts";
import { ownImages } from "../launch/choose-image.ts";

/** A channel in a line of `push --list`. */
export function channelLine({ channel, digest, serial, size, signer }: Channel): string {
  return `${channel}  ${digest}  ${timeOf(serial)}  ${sizeText(size)}  ${signer}`;
}

/** What a push did, for a person. */
export function pushNote(pushed: Pushed): string {
  const { channel, digest, serial, size, signer, previous } = pushed;
  const what = `bundle ${digest}, ${sizeText(size)}, signed by ${signer}`;
  switch (pushed.result) {
    case "same":
      return `channel ${channel} has this bundle already, since ${timeOf(serial)}: ${what} (--force pushes it again)`;
    case "would-push":
      return `would push ${what} to channel ${channel}${insteadOf(previous)}`;
    case "pushed":
      return `channel ${channel} has serial ${serial} now: ${what}${insteadOf(previous)}`;
  }
}

function insteadOf(previous: Pushed["previous"]): string {
  return previous === undefined ? "" : `; before: ${previous.digest} of ${timeOf(previous.serial)}`;
}

function sizeText(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  return bytes < 1024 ** 2 ? `${(bytes / 1024).toFixed(1)} KiB` : `${(bytes / 1024 ** 2).toFixed(1)} MiB`;
}

/**
 * Which images' machines take what this key has signed. Whoever pushes need not be allowed to look at images: then there is
 * nothing to say.
 * @throws BakeError `cloud` when the images cannot be listed for another reason.
 */
export async function trustNote(
  cloud: Cloud,
  ownerOf: (signal: AbortSignal) => Promise<string>,
  signer: string,
  signal: AbortSignal,
): Promise<string | undefined> {
  try {
    const images = await ownImages(cloud, await ownerOf(signal), signal);
    const trusting = images.filter(({ tags }) => namesIn(tags, tagKeys.signer).includes(signer));
    const [first] = trusting;
    if (first === undefined)
      return "no image of yours trusts this key yet: bake one, with --signer when it is not your own";
    const more = trusting.length === 1 ? "" : ` and ${trusting.length - 1} more`;
    return `trusted by the machines of ${first.id} (${first.name})${more}`;
  } catch (error) {
    if (problemOf(error) === "denied") return undefined;
    throw error;
  }
}

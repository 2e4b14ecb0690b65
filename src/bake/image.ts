import type { Cloud } from "../aws/cloud.ts";
import {
  createImage,
  deleteImage,
  describeImages,
  removeTag,
  requireImdsV2,
  waitForImage,
  type Image,
} from "../aws/images.ts";
import { tagKeys, type Tags } from "../aws/tags.ts";
import { registered, type Creation } from "../aws/temporary.ts";
import { messageOf } from "../base/errors.ts";
import { throwIfAborted } from "../base/wait.ts";

export interface ImageRequest {
  readonly instanceId: string;
  readonly name: string;
  readonly description: string;
  readonly tags: Tags;
  /** A running machine that cannot be stopped by us, such as a spot one: EC2 stops and starts it. */
  readonly reboot: boolean;
}

/** An AMI takes minutes, at worst many hours. */
export const imageDeadlineSeconds = 24 * 3600;

/**
 * Makes the image; until it is finished its undo is registered.
 * @param meanwhile what can be done while EC2 copies the disk; it must not throw
 * @throws BakeError `failed` when EC2 could not make it.
 */
export async function makeImage(
  creation: Creation,
  request: ImageRequest,
  meanwhile: () => Promise<void>,
): Promise<Image> {
  const { cloud, signal } = creation;
  const id = await createImage(cloud, request, signal);
  const { keep } = registered(creation, "image", id, (undoSignal) => discardImage(cloud, id, undoSignal));
  const [waited] = await Promise.allSettled([
    waitForImage(cloud, id, imageDeadlineSeconds, signal),
    meanwhile(),
  ]);
  if (waited.status === "rejected") throw waited.reason;
  throwIfAborted(signal);
  const image = await finishImage(creation, waited.value);
  keep();
  return image;
}

/** Deletes an image that was begun here, whether EC2 shows it yet or not. */
async function discardImage(cloud: Cloud, id: string, signal: AbortSignal): Promise<void> {
  const filters = [{ Name: "image-id", Values: [id] }];
  const [image] = await describeImages(cloud, [], filters, signal).catch(() => []);
  await deleteImage(cloud, image ?? { id, snapshotIds: [] }, signal);
}

/**
 * Turns an available image into a finished one. The image is good already: what fails here is a warning.
 */
export async function finishImage(
  creation: Pick<Creation, "cloud" | "listener" | "signal">,
  image: Image,
): Promise<Image> {
  const { cloud, listener, signal } = creation;
  if (image.imdsSupport !== "v2.0") {
    try {
      await requireImdsV2(cloud, image.id, signal);
    } catch (error) {
      throwIfAborted(signal);
      listener({
        type: "warning",
        at: Date.now(),
        message: `${image.id} does not ask its machines for IMDSv2: ${messageOf(error)}`,
        hint: `aws ec2 modify-image-attribute --image-id ${image.id} --imds-support v2.0`,
      });
    }
  }
  const ids = [image.id, ...image.snapshotIds];
  try {
    // Without this tag nothing takes the image for a leftover any more: it belongs to its owner from here on.
    await removeTag(cloud, ids, tagKeys.expires, signal);
  } catch (error) {
    throwIfAborted(signal);
    listener({
      type: "warning",
      at: Date.now(),
      message: `${image.id} is good, but looks unfinished to \`bake-ami cleanup\`: ${messageOf(error)}`,
      hint: `aws ec2 delete-tags --resources ${ids.join(" ")} --tags Key=${tagKeys.expires}`,
    });
  }
  return image;
}

/** EC2 allows 3 to 128 characters of letters, digits and a few signs. */
export function imageName(requested: readonly string[], run: string): string {
  const most = 128 - "bake-ami--".length - run.length;
  return `bake-ami-${requested.join("-").slice(0, most)}-${run}`;
}

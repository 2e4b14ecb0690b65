import {
  CreateImageCommand,
  CreateTagsCommand,
  DeleteSnapshotCommand,
  DeleteTagsCommand,
  DeregisterImageCommand,
  DescribeImagesCommand,
  DescribeSnapshotsCommand,
  ModifyImageAttributeCommand,
  type Filter,
  type Image as Ec2Image,
} from "@aws-sdk/client-ec2";
import { BakeError } from "../base/errors.ts";
import { allPages, present, type Cloud } from "./cloud.ts";
import { isInUse, unlessGone } from "./cloud-error.ts";
import { poll } from "./poll.ts";
import { ofSameRun, readTagged, readTags, writeTags, type TaggedResource, type Tags } from "./tags.ts";
import { deletionVisibleSeconds, newVisibleSeconds } from "./visibility.ts";

/** An AMI, as far as bake-ami cares. */
export interface Image {
  readonly id: string;
  readonly name: string;
  readonly state: string;
  readonly stateReason: string | undefined;
  readonly architecture: string;
  readonly createdAt: Date;
  readonly snapshotIds: readonly string[];
  readonly tags: Tags;
  readonly ownerId: string;
  readonly rootDeviceName: string;
  readonly description: string;
  /** From this time on its owner advises against it. */
  readonly deprecatedAt: Date | undefined;
  readonly imdsSupport: string | undefined;
}

/** Images that match all filters; of the given owners, or of anyone whose images the caller may use. */
export async function describeImages(
  cloud: Cloud,
  owners: readonly string[],
  filters: Filter[],
  signal: AbortSignal,
): Promise<Image[]> {
  const pages = await allPages((next) =>
    cloud.ask("DescribeImages", signal, (o) =>
      cloud.ec2.send(
        // Whether a deprecated image will do is not for a listing to decide.
        new DescribeImagesCommand({
          Owners: [...owners],
          Filters: filters,
          IncludeDeprecated: true,
          ...next,
        }),
        o,
      ),
    ),
  );
  return pages.flatMap((page) => (page.Images ?? []).map(readImage));
}

/**
 * The image with this id.
 * @throws BakeError `not-found`.
 */
export async function getImage(cloud: Cloud, id: string, signal: AbortSignal): Promise<Image> {
  const [image] = await describeImages(cloud, [], [{ Name: "image-id", Values: [id] }], signal);
  if (image === undefined) {
    throw new BakeError("not-found", `there is no image ${id} here`, {
      hint: "`bake-ami ls` shows your images",
    });
  }
  return image;
}

/** Newest first; equal times in order of id, so that the answer is always the same. */
export function newestFirst(images: readonly Image[]): Image[] {
  return [...images].sort(
    (a, b) => b.createdAt.getTime() - a.createdAt.getTime() || a.id.localeCompare(b.id),
  );
}

/**
 * Makes an image of a stopped instance, tagged together with its snapshots.
 * @returns the image's id; the image is pending
 */
export async function createImage(
  cloud: Cloud,
  request: { instanceId: string; name: string; description: string; tags: Tags; reboot: boolean },
  signal: AbortSignal,
): Promise<string> {
  const list = writeTags(request.tags);
  return await cloud.create(
    "CreateImage",
    signal,
    async (o) => {
      const command = new CreateImageCommand({
        InstanceId: request.instanceId,
        Name: request.name,
        NoReboot: !request.reboot,
        Description: request.description.slice(0, 255),
        TagSpecifications: [
          { ResourceType: "image", Tags: list },
          { ResourceType: "snapshot", Tags: list },
        ],
      });
      return present((await cloud.ec2.send(command, o)).ImageId, "image id");
    },
    {
      resource: `${request.name} of ${request.instanceId}`,
      appears: { codes: ["InvalidInstanceID.NotFound"], withinSeconds: newVisibleSeconds },
      duplicate: "InvalidAMIName.Duplicate",
      // It has no client token: its name is what tells.
      recover: async (inner) => {
        const filters = [{ Name: "name", Values: [request.name] }];
        return ofSameRun(await describeImages(cloud, ["self"], filters, inner), request.tags)?.id;
      },
    },
  );
}

/**
 * Waits until the image can be launched.
 * @throws BakeError `failed` when its making failed, `timeout`, `interrupted`.
 */
export async function waitForImage(
  cloud: Cloud,
  id: string,
  deadlineSeconds: number,
  signal: AbortSignal,
): Promise<Image> {
  return await poll(
    `image ${id} to be available`,
    deadlineSeconds,
    signal,
    async (inner) => {
      const [image] = await describeImages(cloud, [], [{ Name: "image-id", Values: [id] }], inner);
      if (image?.state === "available") return image;
      if (image !== undefined && image.state !== "pending") {
        throw new BakeError(
          "failed",
          `image ${id} is ${image.state}: ${image.stateReason ?? "no reason given"}`,
        );
      }
      return undefined;
    },
    { clock: cloud.clock, schedule: "image" },
  );
}

/** Makes every machine that is launched from an available image require IMDSv2. EC2 does not take this back. */
export async function requireImdsV2(cloud: Cloud, id: string, signal: AbortSignal): Promise<void> {
  await cloud.ask(
    "ModifyImageAttribute",
    signal,
    (o) =>
      cloud.ec2.send(new ModifyImageAttributeCommand({ ImageId: id, ImdsSupport: { Value: "v2.0" } }), o),
    {
      resource: id,
      appears: {
        codes: ["InvalidAMIID.NotFound", "InvalidAMIID.Unavailable"],
        withinSeconds: newVisibleSeconds,
      },
    },
  );
}

type ImageParts = Pick<Image, "id" | "snapshotIds">;

/** How long a snapshot may still count as its image's after that is gone, in seconds. */
const releaseDeadlineSeconds = 60;

/** Deregisters an image and deletes its snapshots; what is gone already is fine. */
export async function deleteImage(cloud: Cloud, image: ImageParts, signal: AbortSignal): Promise<void> {
  await unlessGone(
    cloud.ask(
      "DeregisterImage",
      signal,
      (o) => cloud.ec2.send(new DeregisterImageCommand({ ImageId: image.id }), o),
      {
        resource: image.id,
        appears: { codes: ["InvalidAMIID.NotFound"], withinSeconds: deletionVisibleSeconds },
      },
    ),
  );
  for (const id of await snapshotsOf(cloud, image, signal)) {
    const look = async (inner: AbortSignal): Promise<true | undefined> => {
      try {
        await deleteSnapshot(cloud, id, inner);
        return true;
      } catch (error) {
        if (isInUse(error)) return undefined;
        throw error;
      }
    };
    await poll(`snapshot ${id} to be free`, releaseDeadlineSeconds, signal, look, { clock: cloud.clock });
  }
}

/** A pending image does not show its snapshots; their descriptions name it. New ones may show themselves late. */
async function snapshotsOf(
  cloud: Cloud,
  { id, snapshotIds }: ImageParts,
  signal: AbortSignal,
): Promise<readonly string[]> {
  if (snapshotIds.length > 0) return snapshotIds;
  const filters = [{ Name: "description", Values: [`*for ${id}*`] }];
  const until = cloud.clock.now() + deletionVisibleSeconds * 1000;
  for (;;) {
    const found = await describeSnapshots(cloud, filters, signal);
    if (found.length > 0 || cloud.clock.now() >= until) return found.map((snapshot) => snapshot.id);
    await cloud.clock.sleep(2_000, signal);
  }
}

/** Snapshots of this account that match all filters. */
export async function describeSnapshots(
  cloud: Cloud,
  filters: Filter[],
  signal: AbortSignal,
): Promise<TaggedResource[]> {
  const pages = await allPages((next) =>
    cloud.ask("DescribeSnapshots", signal, (o) =>
      cloud.ec2.send(new DescribeSnapshotsCommand({ OwnerIds: ["self"], Filters: filters, ...next }), o),
    ),
  );
  return pages.flatMap((page) => readTagged(page.Snapshots, (raw) => raw.SnapshotId));
}

export async function deleteSnapshot(cloud: Cloud, id: string, signal: AbortSignal): Promise<void> {
  await unlessGone(
    cloud.ask(
      "DeleteSnapshot",
      signal,
      (o) => cloud.ec2.send(new DeleteSnapshotCommand({ SnapshotId: id }), o),
      {
        resource: id,
        appears: { codes: ["InvalidSnapshot.NotFound"], withinSeconds: deletionVisibleSeconds },
      },
    ),
  );
}

export async function removeTag(
  cloud: Cloud,
  ids: readonly string[],
  key: string,
  signal: AbortSignal,
): Promise<void> {
  await cloud.ask(
    "DeleteTags",
    signal,
    (o) => cloud.ec2.send(new DeleteTagsCommand({ Resources: [...ids], Tags: [{ Key: key }] }), o),
    { resource: ids.join(" "), appears: { codes: taggable, withinSeconds: newVisibleSeconds } },
  );
}

export async function addTags(
  cloud: Cloud,
  ids: readonly string[],
  tags: Tags,
  signal: AbortSignal,
): Promise<void> {
  await cloud.ask(
    "CreateTags",
    signal,
    (o) => cloud.ec2.send(new CreateTagsCommand({ Resources: [...ids], Tags: writeTags(tags) }), o),
    { resource: ids.join(" "), appears: { codes: taggable, withinSeconds: newVisibleSeconds } },
  );
}

/** What a call about tags says of something that it does not find yet. */
const taggable = [
  "InvalidAMIID.NotFound",
  "InvalidSnapshot.NotFound",
  "InvalidInstanceID.NotFound",
  "InvalidID",
];

function readImage(raw: Ec2Image): Image {
  return {
    id: present(raw.ImageId, "image id"),
    name: raw.Name ?? "",
    state: raw.State ?? "unknown",
    stateReason: raw.StateReason?.Message,
    architecture: raw.Architecture ?? "",
    createdAt: new Date(raw.CreationDate ?? 0),
    snapshotIds: (raw.BlockDeviceMappings ?? []).flatMap((mapping) =>
      mapping.Ebs?.SnapshotId === undefined ? [] : [mapping.Ebs.SnapshotId],
    ),
    tags: readTags(raw.Tags),
    ownerId: raw.OwnerId ?? "",
    rootDeviceName: raw.RootDeviceName ?? "",
    description: raw.Description ?? "",
    deprecatedAt: raw.DeprecationTime === undefined ? undefined : new Date(raw.DeprecationTime),
    imdsSupport: raw.ImdsSupport,
  };
}

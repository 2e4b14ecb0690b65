import { z } from "zod";
import { ApiError, byId, byIds } from "../protocol/errors.ts";
import { filtered, filterParameters, page, pageParameters, type Attributes } from "../protocol/listing.ts";
import { flag, list, text } from "../protocol/query.ts";
import type { XmlObject } from "../protocol/xml.ts";
import { accountId, type Image, type Snapshot, type State } from "../state/schema.ts";
import { action } from "./action.ts";
import { rootDeviceName } from "./root-volume.ts";
import { tagSet } from "./tags.ts";

const imageAttributes: Attributes<Image> = {
  architecture: (it) => [it.architecture],
  "block-device-mapping.snapshot-id": (it) => [it.snapshotId],
  "creation-date": (it) => [new Date(it.createdAt).toISOString()],
  description: (it) => [it.description],
  hypervisor: () => ["xen"],
  "image-id": (it) => [it.id],
  "image-type": () => ["machine"],
  "is-public": (it) => [String(it.public)],
  name: (it) => [it.name],
  "owner-alias": (it) => [it.ownerAlias],
  "owner-id": (it) => [it.ownerId],
  "root-device-name": () => [rootDeviceName],
  "root-device-type": () => ["ebs"],
  "source-instance-id": (it) => [it.sourceInstanceId],
  state: (it) => [it.state],
  "virtualization-type": () => ["hvm"],
  "ena-support": () => ["true"],
};

function ownedBy(image: Pick<Image, "ownerId" | "ownerAlias">, owner: string): boolean {
  return image.ownerId === (owner === "self" ? accountId : owner) || image.ownerAlias === owner;
}

function imageXml(image: Image): XmlObject {
  return {
    imageId: image.id,
    imageLocation: `${image.ownerAlias ?? image.ownerId}/${image.name}`,
    imageState: image.state,
    imageOwnerId: image.ownerId,
    imageOwnerAlias: image.ownerAlias,
    isPublic: image.public,
    architecture: image.architecture,
    imageType: "machine",
    creationDate: new Date(image.createdAt).toISOString(),
    name: image.name,
    description: image.description,
    rootDeviceType: "ebs",
    rootDeviceName,
    blockDeviceMapping: [
      {
        deviceName: rootDeviceName,
        ebs: {
          snapshotId: image.snapshotId,
          volumeSize: image.sizeGiB,
          deleteOnTermination: true,
          volumeType: "gp3",
          encrypted: false,
        },
      },
    ],
    virtualizationType: "hvm",
    hypervisor: "xen",
    enaSupport: true,
    platformDetails: "Linux/UNIX",
    imdsSupport: image.imdsSupport,
    sourceInstanceId: image.sourceInstanceId,
    stateReason: image.stateReason === undefined ? undefined : { ...image.stateReason },
    tagSet: tagSet(image.tags),
  };
}

/** Takes a snapshot out of the state; its disk goes with it when nothing else needs it. */
function removeSnapshot(draft: State, snapshot: Snapshot): void {
  draft.snapshots = draft.snapshots.filter(({ id }) => id !== snapshot.id);
}

export const imageActions = [
  action(
    "DescribeImages",
    z.strictObject({
      ImageId: list(text),
      Owner: list(text),
      ExecutableBy: list(text),
      IncludeDeprecated: flag.optional(),
      ...filterParameters,
      ...pageParameters,
    }),
    async (context, asked) => {
      const { images } = await context.read();
      const known = asked.ImageId.length > 0 ? byIds("image", asked.ImageId, images, ({ id }) => id) : images;
      const allowed = known.filter(
        (image) =>
          (asked.Owner.length === 0 || asked.Owner.some((owner) => ownedBy(image, owner))) &&
          (asked.ExecutableBy.length === 0 ||
            asked.ExecutableBy.some((who) => (who === "all" ? image.public : ownedBy(image, who)))),
      );
      const { items, nextToken } = page(
        filtered(allowed, asked.Filter, imageAttributes, ({ tags }) => tags),
        asked,
        1,
      );
      return { imagesSet: items.map(imageXml), nextToken };
    },
  ),

  action(
    "DeregisterImage",
    z.strictObject({ ImageId: text, DeleteAssociatedSnapshots: flag.optional() }),
    async (context, request) => {
      const results = await context.change((draft) => {
        const image = byId("image", request.ImageId, draft.images, ({ id }) => id);
        if (image.ownerId !== accountId) throw notYours(image.id);
        draft.images = draft.images.filter(({ id }) => id !== image.id);
        if (request.DeleteAssociatedSnapshots !== true) return [];
        const shared = draft.images.some(({ snapshotId }) => snapshotId === image.snapshotId);
        const snapshot = draft.snapshots.find(({ id }) => id === image.snapshotId);
        if (snapshot === undefined) return [];
        if (!shared) removeSnapshot(draft, snapshot);
        return [{ snapshotId: snapshot.id, returnCode: shared ? "skipped" : "success" }];
      });
      return { return: true, deleteSnapshotResultSet: results };
    },
  ),

  action(
    "DescribeSnapshots",
    z.strictObject({
      SnapshotId: list(text),
      Owner: list(text),
      RestorableBy: list(text),
      ...filterParameters,
      ...pageParameters,
    }),
    async (context, asked) => {
      const { snapshots } = await context.read();
      const known =
        asked.SnapshotId.length > 0
          ? byIds("snapshot", asked.SnapshotId, snapshots, ({ id }) => id)
          : snapshots;
      const owned = known.filter((it) =>
        [asked.Owner, asked.RestorableBy].every(
          (owners) => owners.length === 0 || owners.some((owner) => ownedBy(it, owner)),
        ),
      );
      const matching = filtered(
        owned,
        asked.Filter,
        {
          description: (it) => [it.description],
          encrypted: () => ["false"],
          "owner-id": (it) => [it.ownerId],
          progress: () => ["100%"],
          "snapshot-id": (it) => [it.id],
          "start-time": (it) => [new Date(it.startedAt).toISOString()],
          status: () => ["completed"],
          "volume-id": (it) => [it.volumeId],
          "volume-size": (it) => [String(it.sizeGiB)],
        },
        ({ tags }) => tags,
      );
      const { items, nextToken } = page(matching, asked);
      return {
        snapshotSet: items.map((it) => ({
          snapshotId: it.id,
          volumeId: it.volumeId,
          status: "completed",
          startTime: new Date(it.startedAt),
          progress: "100%",
          ownerId: it.ownerId,
          volumeSize: it.sizeGiB,
          description: it.description,
          encrypted: false,
          tagSet: tagSet(it.tags),
        })),
        nextToken,
      };
    },
  ),

  action("DeleteSnapshot", z.strictObject({ SnapshotId: text }), async (context, request) => {
    await context.change((draft) => {
      const snapshot = byId("snapshot", request.SnapshotId, draft.snapshots, ({ id }) => id);
      if (snapshot.ownerId !== accountId) throw notYours(snapshot.id);
      const user = draft.images.find(({ snapshotId }) => snapshotId === snapshot.id);
      if (user !== undefined) {
        throw new ApiError(
          "InvalidSnapshot.InUse",
          `The snapshot ${snapshot.id} is currently in use by ${user.id}`,
        );
      }
      removeSnapshot(draft, snapshot);
    });
    return { return: true };
  }),
];

function notYours(id: string): ApiError {
  return new ApiError("AuthFailure", `Not authorized for ${id}: it belongs to another account`, 403);
}

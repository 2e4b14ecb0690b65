import { z } from "zod";
import { ApiError, byId, byIds, invalidValue } from "../protocol/errors.ts";
import { filtered, filterParameters, page, pageParameters, type Attributes } from "../protocol/listing.ts";
import { flag, list, text } from "../protocol/query.ts";
import type { XmlObject } from "../protocol/xml.ts";
import { accountId, type Image, type State } from "../state/schema.ts";
import { action } from "./action.ts";
import { notYours, ownedBy } from "./owners.ts";
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

function imageXml(image: Image, state: State): XmlObject {
  const snapshot = state.snapshots.find(({ id }) => id === image.snapshotId);
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
          encrypted: snapshot?.kmsKeyId !== undefined,
        },
      },
    ],
    virtualizationType: "hvm",
    hypervisor: "xen",
    enaSupport: true,
    platformDetails: "Linux/UNIX",
    deprecationTime:
      image.deprecatedAt === undefined ? undefined : new Date(image.deprecatedAt).toISOString(),
    imdsSupport: image.imdsSupport,
    sourceInstanceId: image.sourceInstanceId,
    stateReason: image.stateReason === undefined ? undefined : { ...image.stateReason },
    tagSet: tagSet(image.tags),
  };
}

const modifications = z.strictObject({
  ImageId: text,
  Description: z.strictObject({ Value: text }).optional(),
  ImdsSupport: z.strictObject({ Value: text }).optional(),
  /** The older way to say the same. */
  Attribute: z.enum(["description", "imdsSupport"]).optional(),
  Value: text.optional(),
});

/**
 * What a request changes.
 * @throws ApiError unless it is exactly one thing; and for another value of `ImdsSupport` than `v2.0`, because what is
 *   set cannot be taken back
 */
function modificationIn(request: z.output<typeof modifications>): {
  readonly description?: string;
  readonly imdsSupport?: "v2.0";
} {
  const { Attribute, Value } = request;
  const description = request.Description?.Value ?? (Attribute === "description" ? Value : undefined);
  const imdsSupport = request.ImdsSupport?.Value ?? (Attribute === "imdsSupport" ? Value : undefined);
  if ((description === undefined) === (imdsSupport === undefined)) {
    throw new ApiError("InvalidParameterCombination", "Expecting one attribute of the image to modify.");
  }
  if (description !== undefined) {
    if (description.length > 255) {
      throw invalidValue("description", "...", "A description has at most 255 characters.");
    }
    return { description };
  }
  if (imdsSupport !== "v2.0") {
    throw invalidValue("imdsSupport", imdsSupport ?? "", "Expecting v2.0.");
  }
  return { imdsSupport };
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
      const state = await context.read();
      const { images } = state;
      const isShown = (image: Image): boolean =>
        asked.IncludeDeprecated === true ||
        asked.ImageId.length > 0 ||
        image.ownerId === accountId ||
        image.deprecatedAt === undefined ||
        image.deprecatedAt > context.now();
      const known = asked.ImageId.length > 0 ? byIds("image", asked.ImageId, images, ({ id }) => id) : images;
      const allowed = known.filter(
        (image) =>
          isShown(image) &&
          (asked.Owner.length === 0 || asked.Owner.some((owner) => ownedBy(image, owner))) &&
          (asked.ExecutableBy.length === 0 ||
            asked.ExecutableBy.some((who) => (who === "all" ? image.public : ownedBy(image, who)))),
      );
      const { items, nextToken } = page(
        filtered(allowed, asked.Filter, imageAttributes, ({ tags }) => tags),
        asked,
        { smallest: 1 },
      );
      return { imagesSet: items.map((image) => imageXml(image, state)), nextToken };
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
        if (!shared) draft.snapshots = draft.snapshots.filter((each) => each !== snapshot);
        return [{ snapshotId: snapshot.id, returnCode: shared ? "skipped" : "success" }];
      });
      return { return: true, deleteSnapshotResultSet: results };
    },
  ),

  action("ModifyImageAttribute", modifications, async (context, request) => {
    const { description, imdsSupport } = modificationIn(request);
    await context.change((draft) => {
      const image = ownImage(draft, request.ImageId);
      if (image.state !== "available") {
        throw new ApiError("InvalidAMIID.Unavailable", `The image ID '${image.id}' is not available`);
      }
      if (description !== undefined) image.description = description;
      if (imdsSupport !== undefined) image.imdsSupport = imdsSupport;
    });
    return { return: true };
  }),

  action(
    "EnableImageDeprecation",
    z.strictObject({ ImageId: text, DeprecateAt: text }),
    async (context, { ImageId, DeprecateAt }) => {
      const deprecatedAt = deprecationTime(DeprecateAt, context.now());
      await context.change((draft) => {
        ownImage(draft, ImageId).deprecatedAt = deprecatedAt;
      });
      return { return: true };
    },
  ),

  action("DisableImageDeprecation", z.strictObject({ ImageId: text }), async (context, { ImageId }) => {
    await context.change((draft) => {
      delete ownImage(draft, ImageId).deprecatedAt;
    });
    return { return: true };
  }),
];

function ownImage(draft: State, id: string): Image {
  const image = byId("image", id, draft.images, (each) => each.id);
  if (image.ownerId !== accountId) throw notYours(id);
  return image;
}

/** To the minute, as EC2 keeps it. @throws ApiError for what is no time, past, or more than ten years ahead */
function deprecationTime(text: string, now: number): number {
  const asked = /^\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|\+00:00)$/.test(text)
    ? Date.parse(text)
    : NaN;
  const rounded = Math.round(asked / 60_000) * 60_000;
  const latest = new Date(now);
  latest.setUTCFullYear(latest.getUTCFullYear() + 10);
  if (rounded >= now && rounded <= latest.getTime()) return rounded;
  throw invalidValue("DeprecateAt", text, "Expecting a UTC time from now to ten years from now.");
}

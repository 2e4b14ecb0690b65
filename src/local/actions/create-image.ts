import { z } from "zod";
import { BakeError } from "../../base/errors.ts";
import { ownIdentity } from "../../base/process-identity.ts";
import { overlayOn } from "../engine/supervisor.ts";
import { ApiError, byId, invalidValue } from "../protocol/errors.ts";
import { flag, text } from "../protocol/query.ts";
import { newId } from "../state/ids.ts";
import { accountId, type Image, type Instance, type State } from "../state/schema.ts";
import { action, type Context } from "./action.ts";
import { tagsFor, tagSpecificationParameters } from "./tags.ts";

const parameters = z.strictObject({
  InstanceId: text,
  Name: text,
  Description: text.default(""),
  NoReboot: flag.default(false),
  ...tagSpecificationParameters,
});

type Request = z.output<typeof parameters>;

/**
 * An image is the disk that its instance had, frozen: the instance goes on with a new one on top of it. Nothing is
 * copied.
 */
export const createImage = action("CreateImage", parameters, async (context, request) => {
  const { image, instance, wasRunning } = await context.change(async (draft) => {
    const source = byId("instance", request.InstanceId, draft.instances, ({ id }) => id);
    check(draft, source, request);
    const fresh = pendingImage(context, source, request);
    draft.images.push(fresh);
    if (source.state === "running") {
      fresh.maker = { ...(await ownIdentity()) };
      source.imagedBy = fresh.maker;
      if (request.NoReboot) await addOverlay(context, draft, source, newId("disk"), "nextDisk");
    } else {
      await freeze(context, draft, source, fresh, request);
    }
    return { image: fresh, instance: structuredClone(source), wasRunning: source.state === "running" };
  });
  if (wasRunning) {
    try {
      if (request.NoReboot) await imageLive(context, instance, image.id, request);
      else await imageWithReboot(context, instance, image.id, request);
    } catch (error) {
      await giveUp(context, instance.id, image.id);
      throw error;
    }
  }
  return { imageId: image.id };
});

function check(draft: State, source: Instance, { Name }: Request): void {
  if (Name.length < 3 || Name.length > 128 || !/^[\w()[\] ./'@-]+$/.test(Name)) {
    throw new ApiError(
      "InvalidAMIName.Malformed",
      "AMI names must be between 3 and 128 characters long, and may contain letters, numbers, '(', ')', '.', '-', '/' and '_'",
    );
  }
  const other = draft.images.find((image) => image.ownerId === accountId && image.name === Name);
  if (other !== undefined) {
    throw new ApiError("InvalidAMIName.Duplicate", `AMI name ${Name} is already in use by AMI ${other.id}`);
  }
  if (source.state !== "stopped" && source.state !== "running") {
    throw new ApiError(
      "IncorrectState",
      `Instance '${source.id}' is not in state 'running' or 'stopped' but '${source.state}'`,
    );
  }
  if (source.imagedBy !== undefined) {
    throw new ApiError("IncorrectState", `Another image of instance '${source.id}' is being made`);
  }
}

function pendingImage(context: Context, source: Instance, request: Request): Image {
  if (request.Description.length > 255) {
    throw invalidValue("Description", "...", "A description has at most 255 characters.");
  }
  const tags = tagsFor(request.TagSpecification, ["image", "snapshot"]);
  return {
    id: newId("ami"),
    name: request.Name,
    description: request.Description,
    ownerId: accountId,
    public: false,
    architecture: source.architecture,
    state: "pending",
    createdAt: context.now(),
    snapshotId: newId("snap"),
    sizeGiB: source.volume.sizeGiB,
    boot: source.boot,
    sourceInstanceId: source.id,
    tags: tags("image"),
  };
}

async function addOverlay(
  context: Context,
  draft: State,
  source: Instance,
  id: string,
  place: "disk" | "nextDisk",
): Promise<void> {
  const disk = overlayOn(source.volume.disk, id);
  await context.machines.engineOf(source).createDisk(disk, source.volume.sizeGiB);
  draft.disks.push(disk);
  source.volume[place] = id;
}

/** The disk of an instance that does not run becomes the image's. */
async function freeze(
  context: Context,
  draft: State,
  source: Instance,
  image: Image,
  request: Request,
): Promise<void> {
  const frozen = source.volume.disk;
  await addOverlay(context, draft, source, newId("disk"), "disk");
  finish(context, draft, source, image, frozen, request);
}

function finish(
  context: Context,
  draft: State,
  source: Instance,
  image: Image,
  frozen: string,
  request: Request,
): void {
  draft.snapshots.push({
    id: image.snapshotId,
    ownerId: accountId,
    volumeId: source.volume.id,
    description: `Created by CreateImage(${source.id}) for ${image.id}`,
    sizeGiB: source.volume.sizeGiB,
    disk: frozen,
    startedAt: context.now(),
    ...(source.volume.kmsKeyId === undefined ? {} : { kmsKeyId: source.volume.kmsKeyId }),
    tags: tagsFor(request.TagSpecification, ["image", "snapshot"])("snapshot"),
  });
  image.state = "available";
  delete image.maker;
}

/** The instance and the image as they are now; both may have been ended by someone else meanwhile. */
function both(draft: State, instanceId: string, imageId: string): { source: Instance; image: Image } {
  const source = draft.instances.find(({ id }) => id === instanceId);
  const image = draft.images.find(({ id }) => id === imageId);
  if (source?.state !== "running" || image === undefined) {
    throw new ApiError("IncorrectState", `Instance '${instanceId}' ended while its image was made`);
  }
  return { source, image };
}

async function imageLive(
  context: Context,
  instance: Instance,
  imageId: string,
  request: Request,
): Promise<void> {
  const { nextDisk, disk: frozen } = instance.volume;
  if (nextDisk === undefined) throw new BakeError("failed", "the next disk was not made");
  await context.machines.engineOf(instance).switchDisk(instance, { id: nextDisk, backing: frozen });
  await context.change((draft) => {
    const { source, image } = both(draft, instance.id, imageId);
    source.volume.disk = nextDisk;
    delete source.volume.nextDisk;
    delete source.imagedBy;
    finish(context, draft, source, image, frozen, request);
  });
}

async function imageWithReboot(
  context: Context,
  instance: Instance,
  imageId: string,
  request: Request,
): Promise<void> {
  await context.machines.powerOff(instance);
  const again = await context.change(async (draft) => {
    const { source, image } = both(draft, instance.id, imageId);
    await freeze(context, draft, source, image, request);
    source.state = "pending";
    source.changedAt = context.now();
    source.starter = { ...(await ownIdentity()) };
    delete source.imagedBy;
    return structuredClone(source);
  });
  await context.machines.start(again);
}

async function giveUp(context: Context, instanceId: string, imageId: string): Promise<void> {
  await context.change(async (draft) => {
    draft.images = draft.images.filter(({ id, state }) => id !== imageId || state === "available");
    const source = draft.instances.find(({ id }) => id === instanceId);
    if (source === undefined) return;
    await context.machines.settleDisk(source);
    delete source.imagedBy;
  });
}

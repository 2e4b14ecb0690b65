import { createHash, randomBytes } from "node:crypto";
import { z } from "zod";
import { overlayOn } from "../engine/supervisor.ts";
import { instanceTypeNamed, type InstanceType } from "../instance-types.ts";
import { openPorts } from "../open-ports.ts";
import { ApiError, byId, invalidValue } from "../protocol/errors.ts";
import { flag, integer, list, text } from "../protocol/query.ts";
import { newId } from "../state/ids.ts";
import { ownIdentity } from "../state/processes.ts";
import type { Image, Instance, State } from "../state/schema.ts";
import { action, type Context } from "./action.ts";
import { reservationXml } from "./instance-xml.ts";
import { chooseNetwork, freePrivateAddress, macFor } from "./network.ts";
import { portTags } from "./port-tags.ts";
import { checkMetadataTags, tagsFor, tagSpecificationParameters } from "./tags.ts";

const parameters = z.strictObject({
  ImageId: text,
  MinCount: integer,
  MaxCount: integer,
  InstanceType: text.default("t3.micro"),
  KeyName: text.optional(),
  SecurityGroupId: list(text),
  SecurityGroup: list(text),
  SubnetId: text.optional(),
  NetworkInterface: list(
    z.strictObject({
      DeviceIndex: integer,
      SubnetId: text.optional(),
      SecurityGroupId: list(text),
      AssociatePublicIpAddress: flag.optional(),
      DeleteOnTermination: flag.optional(),
    }),
  ),
  UserData: text.optional(),
  ClientToken: text.optional(),
  InstanceInitiatedShutdownBehavior: z.enum(["stop", "terminate"]).default("stop"),
  Placement: z.strictObject({ AvailabilityZone: text.optional() }).optional(),
  MetadataOptions: z
    .strictObject({
      HttpTokens: z.enum(["optional", "required"]).optional(),
      HttpEndpoint: z.enum(["enabled", "disabled"]).optional(),
      HttpPutResponseHopLimit: integer.optional(),
      InstanceMetadataTags: z.enum(["enabled", "disabled"]).optional(),
    })
    .optional(),
  BlockDeviceMapping: list(
    z.strictObject({
      DeviceName: text,
      Ebs: z.strictObject({
        VolumeSize: integer.optional(),
        VolumeType: z.enum(["gp2", "gp3"]).optional(),
        DeleteOnTermination: flag.optional(),
      }),
    }),
  ),
  ...tagSpecificationParameters,
});

type Request = z.output<typeof parameters>;

export const runInstances = action("RunInstances", parameters, async (context, request) => {
  const started = await context.change(async (draft) => {
    const repeated = repeatedRequest(draft, request);
    if (repeated !== undefined) return { reservation: reservationXml(draft, repeated), fresh: [] };
    const fresh = await prepare(context, draft, request);
    return { reservation: reservationXml(draft, fresh), fresh: structuredClone(fresh) };
  });
  await Promise.all(started.fresh.map(async (instance) => context.machines.start(instance)));
  return started.reservation;
});

function digestOf(request: Request): string {
  return createHash("sha256").update(JSON.stringify(request)).digest("hex");
}

/** The instances that an earlier request with the same client token made. */
function repeatedRequest(state: State, request: Request): Instance[] | undefined {
  const token = request.ClientToken;
  if (token === undefined) return undefined;
  if (!/^[\x21-\x7e]{1,64}$/.test(token)) {
    throw invalidValue("ClientToken", token, "Expecting at most 64 ASCII characters.");
  }
  const existing = state.instances.filter(({ clientToken }) => clientToken === token);
  if (existing.length === 0) return undefined;
  if (existing.some(({ requestDigest }) => requestDigest !== digestOf(request))) {
    throw new ApiError(
      "IdempotentParameterMismatch",
      "Arguments on this idempotent request are inconsistent with arguments used in previous request(s).",
    );
  }
  return existing;
}

async function prepare(context: Context, draft: State, request: Request): Promise<Instance[]> {
  const count = countOf(request);
  const image = byId("image", request.ImageId, draft.images, ({ id }) => id);
  if (image.state !== "available") {
    throw new ApiError("InvalidAMIID.Unavailable", `The image ID '${image.id}' is not available`);
  }
  const type = typeFor(request, image);
  const network = chooseNetwork(draft, context.region, {
    subnetId: request.SubnetId,
    groupIds: request.SecurityGroupId,
    groupNames: request.SecurityGroup,
    zone: request.Placement?.AvailabilityZone,
    interfaces: request.NetworkInterface,
  });
  const ports = openPorts(draft, network.groupIds);
  const sizeGiB = rootSize(request, image);
  const userData = checkedUserData(request.UserData);
  const tags = tagsFor(request.TagSpecification, ["instance", "volume"]);
  const metadata = metadataFor(request, image);
  if (metadata.tags) checkMetadataTags(tags("instance"));
  const key = keyNamed(draft, request.KeyName);
  const engine = context.machines.engineForNew();
  await engine.check();

  const now = context.now();
  const reservationId = newId("r");
  const starter = await ownIdentity();
  const fresh: Instance[] = [];
  for (let launchIndex = 0; launchIndex < count; launchIndex += 1) {
    const id = newId("i");
    const disk = overlayOn(diskOf(draft, image), newId("disk"));
    const taken = new Set(draft.instances.flatMap(({ publicAddress }) => publicAddress ?? []));
    const instance: Instance = {
      id,
      engine: engine.name,
      reservationId,
      launchIndex,
      ...(request.ClientToken === undefined ? {} : { clientToken: request.ClientToken }),
      requestDigest: digestOf(request),
      imageId: image.id,
      boot: image.boot,
      type: type.name,
      architecture: image.architecture,
      ...(key === undefined ? {} : { key }),
      groupIds: network.groupIds,
      region: context.region,
      zone: network.zone,
      subnetId: network.subnetId,
      privateAddress: freePrivateAddress(draft),
      ...(network.hasPublicAddress ? { publicAddress: engine.publicAddress(taken) } : {}),
      mac: macFor(id),
      forwards: [],
      ...(userData === undefined ? {} : { userData }),
      metadata,
      shutdownBehavior: request.InstanceInitiatedShutdownBehavior,
      state: "pending",
      transitionReason: "",
      changedAt: now,
      launchedAt: now,
      starter,
      started: false,
      volume: {
        id: newId("vol"),
        sizeGiB,
        disk: disk.id,
        snapshotId: image.snapshotId,
        type: request.BlockDeviceMapping[0]?.Ebs.VolumeType ?? "gp3",
        deviceName: rootDeviceName,
        deleteOnTermination: true,
        createdAt: now,
        tags: tags("volume"),
      },
      tags: { ...tags("instance") },
    };
    await context.machines.place(draft, instance, ports);
    Object.assign(instance.tags, portTags(instance));
    await engine.createDisk(disk, sizeGiB);
    draft.disks.push(disk);
    draft.instances.push(instance);
    fresh.push(instance);
  }
  return fresh;
}

export const rootDeviceName = "/dev/xvda";

function countOf(request: Request): number {
  const { MinCount, MaxCount } = request;
  if (MinCount < 1 || MaxCount < MinCount) {
    throw new ApiError(
      "InvalidParameterValue",
      `Value (${MinCount}) for parameter minCount is invalid. Expecting 1 <= minCount <= maxCount.`,
    );
  }
  if (MinCount > 50) {
    throw new ApiError(
      "InstanceLimitExceeded",
      `You have requested more instances (${MinCount}) than the local cloud starts at once (50).`,
    );
  }
  return Math.min(MaxCount, 50);
}

function typeFor(request: Request, image: Image): InstanceType {
  const type = instanceTypeNamed(request.InstanceType);
  if (type === undefined) {
    throw new ApiError(
      "InvalidParameterValue",
      `Invalid value '${request.InstanceType}' for InstanceType. The local cloud's types are shown by DescribeInstanceTypes.`,
    );
  }
  if (type.architecture !== image.architecture) {
    throw new ApiError(
      "InvalidParameterValue",
      `The architecture '${type.architecture}' of the specified instance type does not match the architecture '${image.architecture}' of the specified AMI. Specify an instance type and an AMI that have matching architectures, and try again.`,
    );
  }
  return type;
}

function diskOf(draft: State, image: Image): string {
  return byId("snapshot", image.snapshotId, draft.snapshots, ({ id }) => id).disk;
}

function rootSize(request: Request, image: Image): number {
  const [mapping, second] = request.BlockDeviceMapping;
  if (mapping === undefined) return image.sizeGiB;
  if (second !== undefined || mapping.DeviceName !== rootDeviceName) {
    throw invalidValue(
      "BlockDeviceMapping",
      (second ?? mapping).DeviceName,
      `A local instance has its root device ${rootDeviceName} and no other.`,
    );
  }
  if (mapping.Ebs.DeleteOnTermination === false) {
    throw invalidValue(
      "BlockDeviceMapping.1.Ebs.DeleteOnTermination",
      "false",
      "The local cloud has no volumes without an instance.",
    );
  }
  const size = mapping.Ebs.VolumeSize ?? image.sizeGiB;
  if (size < image.sizeGiB || size > 1024) {
    throw new ApiError(
      "InvalidBlockDeviceMapping",
      `Volume of size ${size}GB is smaller than snapshot '${image.snapshotId}', expect size >= ${image.sizeGiB}GB (and at most 1024GB)`,
    );
  }
  return size;
}

function checkedUserData(encoded: string | undefined): string | undefined {
  if (encoded === undefined || encoded === "") return undefined;
  if (!/^[A-Za-z0-9+/\s]*={0,2}\s*$/.test(encoded)) {
    throw new ApiError("InvalidParameterValue", "Invalid BASE64 encoding of user data.");
  }
  if (Buffer.from(encoded, "base64").length > 16384) {
    throw new ApiError("InvalidParameterValue", "User data is limited to 16384 bytes");
  }
  return encoded;
}

function metadataFor(request: Request, image: Image): Instance["metadata"] {
  const options = request.MetadataOptions ?? {};
  const strict = image.imdsSupport === "v2.0";
  const hopLimit = options.HttpPutResponseHopLimit ?? (strict ? 2 : 1);
  if (hopLimit < 1 || hopLimit > 64) {
    throw invalidValue("MetadataOptions.HttpPutResponseHopLimit", String(hopLimit), "Expecting 1 to 64.");
  }
  return {
    enabled: options.HttpEndpoint !== "disabled",
    tokensRequired: (options.HttpTokens ?? (strict ? "required" : "optional")) === "required",
    hopLimit,
    tags: options.InstanceMetadataTags === "enabled",
    key: randomBytes(32).toString("base64url"),
  };
}

function keyNamed(draft: State, name: string | undefined): Instance["key"] {
  if (name === undefined) return undefined;
  const pair = draft.keyPairs.find((each) => each.name === name);
  if (pair === undefined) {
    throw new ApiError("InvalidKeyPair.NotFound", `The key pair '${name}' does not exist`);
  }
  return { name, publicKey: pair.publicKey };
}

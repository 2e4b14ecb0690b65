import { randomBytes } from "node:crypto";
import { ownIdentity } from "../../base/process-identity.ts";
import { overlayOn } from "../engine/supervisor.ts";
import { openPorts } from "../open-ports.ts";
import { ApiError, byId, invalidValue } from "../protocol/errors.ts";
import { newId } from "../state/ids.ts";
import { accountId, type Image, type Instance, type State } from "../state/schema.ts";
import { action, type Context } from "./action.ts";
import { reservationXml } from "./instance-xml.ts";
import { checkedUserData, typeFor } from "./launch-checks.ts";
import { chooseNetwork, freePrivateAddress, macFor } from "./network.ts";
import { portTags } from "./port-tags.ts";
import { resolvedImageId } from "./parameters.ts";
import { rootVolume } from "./root-volume.ts";
import { digestOf, runParameters, type RunRequest } from "./run-parameters.ts";
import { checkMetadataTags, tagsFor } from "./tags.ts";

export const runInstances = action("RunInstances", runParameters, async (context, request) => {
  const started = await context.change(async (draft) => {
    const repeated = repeatedRequest(draft, request);
    if (repeated !== undefined) return { reservation: reservationXml(draft, repeated), fresh: [] };
    const fresh = await prepare(context, draft, request);
    return { reservation: reservationXml(draft, fresh), fresh: structuredClone(fresh) };
  });
  await Promise.all(started.fresh.map(async (instance) => context.machines.start(instance)));
  return started.reservation;
});

/** The instances that an earlier request with the same client token made. */
function repeatedRequest(state: State, request: RunRequest): Instance[] | undefined {
  const token = request.ClientToken;
  if (token === undefined) return undefined;
  if (!/^[\x21-\x7e]{1,64}$/.test(token)) {
    throw invalidValue("ClientToken", token, "Expecting at most 64 ASCII characters.");
  }
  const existing = state.instances.filter(({ clientToken }) => clientToken === token);
  if (existing.length === 0) return undefined;
  if (existing.every(({ state }) => state === "terminated")) {
    throw new ApiError(
      "IdempotentInstanceTerminated",
      "The client token is that of an earlier request whose instances have been terminated.",
    );
  }
  if (existing.some(({ requestDigest }) => requestDigest !== digestOf(request))) {
    throw new ApiError(
      "IdempotentParameterMismatch",
      "Arguments on this idempotent request are inconsistent with arguments used in previous request(s).",
    );
  }
  return existing;
}

async function prepare(context: Context, draft: State, request: RunRequest): Promise<Instance[]> {
  const count = countOf(request);
  const image = byId("image", resolvedImageId(draft, request.ImageId), draft.images, ({ id }) => id);
  if (image.state !== "available") {
    throw new ApiError("InvalidAMIID.Unavailable", `The image ID '${image.id}' is not available`);
  }
  const type = typeFor(request.InstanceType, image.architecture);
  const network = chooseNetwork(draft, context.region, {
    subnetId: request.SubnetId,
    groupIds: request.SecurityGroupId,
    groupNames: request.SecurityGroup,
    zone: request.Placement?.AvailabilityZone,
    ipv6Count: request.Ipv6AddressCount,
    interfaces: request.NetworkInterface,
  });
  const ports = openPorts(draft, network.groupIds);
  const snapshot = byId("snapshot", image.snapshotId, draft.snapshots, ({ id }) => id);
  const root = rootVolume(request.BlockDeviceMapping, image, snapshot, context.region);
  const profileArn = profileFor(request);
  const spot = request.InstanceMarketOptions !== undefined;
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
    const disk = overlayOn(snapshot.disk, newId("disk"));
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
      privateAddress: freePrivateAddress(draft, network.subnetId),
      ...(network.hasPublicAddress ? { publicAddress: engine.publicAddress(taken) } : {}),
      mac: macFor(id),
      forwards: [],
      ...(userData === undefined ? {} : { userData }),
      metadata,
      shutdownBehavior: request.InstanceInitiatedShutdownBehavior ?? (spot ? "terminate" : "stop"),
      ...(spot ? { spot } : {}),
      ...(profileArn === undefined ? {} : { profileArn }),
      state: "pending",
      transitionReason: "",
      changedAt: now,
      launchedAt: now,
      starter,
      started: false,
      volume: {
        id: newId("vol"),
        ...root,
        disk: disk.id,
        snapshotId: snapshot.id,
        createdAt: now,
        tags: tags("volume"),
      },
      tags: { ...tags("instance") },
    };
    await context.machines.place(draft, instance, ports);
    Object.assign(instance.tags, portTags(instance));
    await engine.createDisk(disk, root.sizeGiB);
    draft.disks.push(disk);
    draft.instances.push(instance);
    fresh.push(instance);
  }
  return fresh;
}

function countOf(request: RunRequest): number {
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

function metadataFor(request: RunRequest, image: Image): Instance["metadata"] {
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

/** @throws ApiError for what cannot be a profile; whether it exists only IAM could tell, which is not here. */
function profileFor({ IamInstanceProfile: profile = {} }: RunRequest): string | undefined {
  const { Arn, Name } = profile;
  if (Arn !== undefined && Name !== undefined) {
    throw new ApiError(
      "InvalidParameterCombination",
      "The parameter 'iamInstanceProfile.name' may not be used in combination with 'iamInstanceProfile.arn'",
    );
  }
  if (Arn !== undefined && !/^arn:aws[a-z-]*:iam::\d{12}:instance-profile\/[\w+=,.@/-]+$/.test(Arn)) {
    throw new ApiError("InvalidIamInstanceProfileArn.Malformed", `Invalid IAM Instance Profile ARN: ${Arn}`);
  }
  if (Name !== undefined && !/^[\w+=,.@-]{1,128}$/.test(Name)) {
    throw invalidValue("iamInstanceProfile.name", Name, "Invalid IAM Instance Profile name");
  }
  return Arn ?? (Name === undefined ? undefined : `arn:aws:iam::${accountId}:instance-profile/${Name}`);
}

function keyNamed(draft: State, name: string | undefined): Instance["key"] {
  if (name === undefined) return undefined;
  const pair = draft.keyPairs.find((each) => each.name === name);
  if (pair === undefined) {
    throw new ApiError("InvalidKeyPair.NotFound", `The key pair '${name}' does not exist`);
  }
  return { name, publicKey: pair.publicKey };
}

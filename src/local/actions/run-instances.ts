import { randomBytes } from "node:crypto";
import { ownIdentity } from "../../base/process-identity.ts";
import { overlayOn } from "../engine/supervisor.ts";
import { openPorts } from "../open-ports.ts";
import { ApiError, byId, invalidValue } from "../protocol/errors.ts";
import { parseParameters } from "../protocol/query.ts";
import { newId } from "../state/ids.ts";
import {
  accountId,
  type Image,
  type Instance,
  type SpotRequest,
  type State,
  type Tags,
} from "../state/schema.ts";
import { action, type Context } from "./action.ts";
import { templateFor, versionFor } from "./choose-template.ts";
import { reservationXml } from "./instance-xml.ts";
import { checkedUserData, ebsOptimizedFor, typeFor } from "./launch-checks.ts";
import { spotFields, spotRequestIdOf, spotTerms, type SpotTerms } from "./market.ts";
import { chooseNetwork, freePrivateAddress, macFor, takenPublicAddresses } from "./network.ts";
import { placementFor } from "./placement.ts";
import { portTags } from "./port-tags.ts";
import { resolvedImageId } from "./parameters.ts";
import { rootVolume } from "./root-volume.ts";
import { digestOf, runParameters, type RunRequest } from "./run-parameters.ts";
import { checkMetadataTags, tagsFor } from "./tags.ts";
import { launchedTypes, overridden, type LaunchQuery } from "./template-data.ts";

export const runInstances = action("RunInstances", runParameters, async (context, asked, query) => {
  const started = await context.change(async (draft) => {
    const repeated = repeatedRequest(draft, asked);
    if (repeated !== undefined) return { reservation: reservationXml(draft, repeated), fresh: [] };
    const fresh = await prepare(context, draft, launchOf(draft, query, asked));
    return { reservation: reservationXml(draft, fresh), fresh: structuredClone(fresh) };
  });
  await Promise.all(started.fresh.map(async (instance) => context.machines.start(instance)));
  return started.reservation;
});

/** A request with all that its template adds. */
interface Launch {
  readonly request: RunRequest;
  readonly imageId: string;
  /** Of the request as it came: a repeated one is the same even when the template's default has changed. */
  readonly digest: string;
  /** What EC2 tags the instances with that a template made. */
  readonly templateTags: Tags;
}

/** @throws ApiError when there is no such template or version, or nothing names an image */
function launchOf(state: State, query: LaunchQuery, asked: RunRequest): Launch {
  const { LaunchTemplate: name } = asked;
  const template = name === undefined ? undefined : templateFor(state, name);
  const version = template === undefined ? undefined : versionFor(template, name?.Version ?? "$Default");
  const request =
    version === undefined ? asked : parseParameters(runParameters, overridden(version.data, query));
  if (request.ImageId === undefined) {
    throw new ApiError("MissingParameter", "The request must contain the parameter ImageId");
  }
  return {
    request,
    imageId: request.ImageId,
    digest: digestOf(asked),
    templateTags:
      template === undefined || version === undefined
        ? {}
        : {
            "aws:ec2launchtemplate:id": template.id,
            "aws:ec2launchtemplate:version": String(version.number),
          },
  };
}

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

async function prepare(context: Context, draft: State, launch: Launch): Promise<Instance[]> {
  const { request } = launch;
  const count = countOf(request);
  const image = byId("image", resolvedImageId(draft, launch.imageId), draft.images, ({ id }) => id);
  if (image.state !== "available") {
    throw new ApiError("InvalidAMIID.Unavailable", `The image ID '${image.id}' is not available`);
  }
  const type = typeFor(request.InstanceType ?? "t3.micro", image.architecture);
  const ebsOptimized = ebsOptimizedFor(request.EbsOptimized, type);
  const spot = spotTerms(request);
  const placement = placementFor(draft, request.Placement, type);
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
  const userData = checkedUserData(request.UserData);
  const tags = tagsFor(request.TagSpecification, launchedTypes);
  if (spot === undefined && Object.keys(tags("spot-instances-request")).length > 0) {
    throw invalidValue(
      "TagSpecification",
      "spot-instances-request",
      "The request is not for the spot market.",
    );
  }
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
    const placed = placement(launchIndex);
    const instance: Instance = {
      id,
      engine: engine.name,
      reservationId,
      launchIndex,
      ...(request.ClientToken === undefined ? {} : { clientToken: request.ClientToken }),
      requestDigest: launch.digest,
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
      ...(network.hasPublicAddress
        ? { publicAddress: engine.publicAddress(takenPublicAddresses(draft)) }
        : {}),
      mac: macFor(id),
      forwards: [],
      ...(userData === undefined ? {} : { userData }),
      metadata,
      shutdownBehavior:
        request.InstanceInitiatedShutdownBehavior ?? (spot?.type === "one-time" ? "terminate" : "stop"),
      ...(spot === undefined ? {} : spotFields(spot)),
      ...(profileArn === undefined ? {} : { profileArn }),
      ...(placed === undefined ? {} : { placement: placed }),
      ...(ebsOptimized ? { ebsOptimized } : {}),
      ...(request.DisableApiTermination === true ? { isProtected: true } : {}),
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
      tags: { ...tags("instance"), ...launch.templateTags },
    };
    await context.machines.place(draft, instance, ports);
    Object.assign(instance.tags, portTags(instance));
    await engine.createDisk(disk, root.sizeGiB);
    draft.disks.push(disk);
    draft.instances.push(instance);
    if (spot !== undefined) draft.spotRequests.push(spotRequestOf(instance, spot, tags));
    fresh.push(instance);
  }
  return fresh;
}

function spotRequestOf(
  instance: Instance,
  terms: SpotTerms,
  tags: (type: "spot-instances-request") => Tags,
): SpotRequest {
  return {
    ...terms,
    id: spotRequestIdOf(instance) ?? "",
    instanceId: instance.id,
    instanceType: instance.type,
    imageId: instance.imageId,
    zone: instance.zone,
    createdAt: instance.launchedAt,
    tags: tags("spot-instances-request"),
  };
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

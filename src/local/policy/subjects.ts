import { templateFor, versionFor } from "../actions/choose-template.ts";
import { resolvedImageId } from "../actions/parameters.ts";
import { overridden } from "../actions/template-data.ts";
import { ApiError, idKinds } from "../protocol/errors.ts";
import { accountId, subnets, vpcId, type Instance, type State, type Tags } from "../state/schema.ts";
import type { Keys } from "./evaluate.ts";
import { textAt, type Query, type RequestTag } from "./request.ts";

/** A resource as a policy sees it. */
export interface Subject {
  readonly arn: string;
  readonly keys: Keys;
  /** As in a question. */
  readonly missing?: boolean;
}

/** Images and snapshots have no account in their ARNs. (Service Authorization Reference, "Resource types") */
const withoutAccount = new Set(["image", "snapshot"]);

type Value = string | number | boolean | readonly string[] | undefined;

/** Keys by name; what is undefined is not there. */
export function keysOf(values: Readonly<Record<string, Value>>): Keys {
  const keys = new Map<string, readonly string[]>();
  for (const [name, value] of Object.entries(values)) {
    if (value === undefined) continue;
    keys.set(name.toLowerCase(), typeof value === "object" ? value : [String(value)]);
  }
  return keys;
}

export function joinKeys(...all: readonly Keys[]): Keys {
  return new Map(all.flatMap((keys) => [...keys]));
}

function resourceTags(tags: Tags): Keys {
  return keysOf(
    Object.fromEntries(
      Object.entries(tags).flatMap(([key, value]) => [
        [`aws:ResourceTag/${key}`, value],
        [`ec2:ResourceTag/${key}`, value],
      ]),
    ),
  );
}

/** What a request says about tags; a request without tags has neither key. */
export function requestTags(tags: readonly RequestTag[]): Keys {
  if (tags.length === 0) return new Map();
  return keysOf({
    "aws:TagKeys": tags.map(({ key }) => key),
    ...Object.fromEntries(tags.map(({ key, value }) => [`aws:RequestTag/${key}`, value])),
  });
}

/**
 * A parameter of Systems Manager. AWS's own public ones belong to no account.
 * @param nameOrArn may have a version or label after a colon
 */
export function parameter(nameOrArn: string, region: string): Subject {
  const name = nameOrArn.replace(/^arn:[^:]*:ssm:[^:]*:[^:]*:parameter/, "").replace(/:[^:/]*$/, "");
  const account = name.startsWith("/aws/service/") ? "" : accountId;
  return { arn: `arn:aws:ssm:${region}:${account}:parameter/${name.replace(/^\//, "")}`, keys: new Map() };
}

/** The resources of the cloud as policies see them. */
export class Subjects {
  readonly #state: State;
  readonly #region: string;

  constructor(state: State, region: string) {
    this.#state = state;
    this.#region = region;
  }

  arn(type: string, id: string): string {
    const account = withoutAccount.has(type) ? "" : accountId;
    return `arn:aws:ec2:${this.#region}:${account}:${type}/${id}`;
  }

  /** A resource that the request is about to create; it has no id yet. */
  created(type: string, keys: Keys, id = "*"): Subject {
    return { arn: this.arn(type, id), keys };
  }

  #existing(type: string, id: string, tags: Tags | undefined, values: Record<string, Value> = {}): Subject {
    if (tags === undefined) return { arn: this.arn(type, id), keys: new Map(), missing: true };
    return { arn: this.arn(type, id), keys: joinKeys(resourceTags(tags), keysOf(values)) };
  }

  instance(id: string): Subject {
    const found = this.#state.instances.find((each) => each.id === id);
    return this.#existing(
      "instance",
      id,
      found?.tags,
      found === undefined ? {} : this.#instanceValues(found),
    );
  }

  #instanceValues(instance: Instance): Record<string, Value> {
    const { metadata, placement } = instance;
    const group = this.#state.placementGroups.find(({ id }) => id === placement?.groupId);
    return {
      "ec2:AvailabilityZone": instance.zone,
      "ec2:EbsOptimized": instance.ebsOptimized ?? false,
      "ec2:InstanceMarketType": instance.spot === true ? "spot" : "on-demand",
      "ec2:InstanceProfile": instance.profileArn,
      "ec2:InstanceType": instance.type,
      "ec2:MetadataHttpEndpoint": metadata.enabled ? "enabled" : "disabled",
      "ec2:MetadataHttpPutResponseHopLimit": metadata.hopLimit,
      "ec2:MetadataHttpTokens": metadata.tokensRequired ? "required" : "optional",
      "ec2:PlacementGroup": group === undefined ? undefined : this.arn("placement-group", group.name),
      "ec2:Tenancy": placement?.tenancy ?? "default",
    };
  }

  volume(id: string): Subject {
    const found = this.#state.instances.find(({ volume }) => volume.id === id);
    if (found === undefined) return this.#existing("volume", id, undefined);
    const { volume } = found;
    return this.#existing("volume", id, volume.tags, {
      "ec2:AvailabilityZone": found.zone,
      "ec2:Encrypted": volume.kmsKeyId !== undefined,
      "ec2:VolumeInitializationRate": volume.initializationRate,
      "ec2:VolumeIops": volume.iops,
      "ec2:VolumeSize": volume.sizeGiB,
      "ec2:VolumeThroughput": volume.throughput,
      "ec2:VolumeType": volume.type,
    });
  }

  /** @param asked its id, or `resolve:ssm:` and the parameter that holds it */
  image(asked: string): Subject {
    const id = imageIdOf(this.#state, asked);
    const found = this.#state.images.find((each) => each.id === id);
    return this.#existing("image", id, found?.tags, {
      "ec2:Owner": found?.ownerAlias ?? found?.ownerId,
      "ec2:Public": found?.public,
    });
  }

  /** The snapshots that an image consists of. */
  snapshotsOf(imageId: string): Subject[] {
    const found = this.#state.images.find((each) => each.id === imageId);
    return found === undefined ? [] : [this.snapshot(found.snapshotId)];
  }

  snapshot(id: string): Subject {
    const found = this.#state.snapshots.find((each) => each.id === id);
    return this.#existing("snapshot", id, found?.tags, {
      "ec2:Owner": found?.ownerId,
      "ec2:VolumeSize": found?.sizeGiB,
    });
  }

  /** @param name the id of a security group, or its name */
  group(name: string): Subject {
    const found = this.#state.securityGroups.find((each) => each.id === name || each.name === name);
    return this.#existing("security-group", found?.id ?? name, found?.tags, { "ec2:Vpc": this.vpcArn });
  }

  /** @param name the id of a key pair, or its name, which is what its ARN has */
  keyPair(name: string): Subject {
    const found = this.#state.keyPairs.find((each) => each.id === name || each.name === name);
    return this.#existing("key-pair", found?.name ?? name, found?.tags);
  }

  /** @param id absent for the default one of a zone */
  subnet(id: string | undefined, zone: string | undefined): Subject & { readonly zone: string } {
    const nameOf = (letter: string): string => `${this.#region}${letter}`;
    const found = subnets.find((each) =>
      id === undefined ? zone === undefined || nameOf(each.letter) === zone : each.id === id,
    );
    const place = nameOf(found?.letter ?? "a");
    const values = { "ec2:AvailabilityZone": place, "ec2:Vpc": this.vpcArn };
    const tags = found === undefined ? undefined : {};
    return { ...this.#existing("subnet", found?.id ?? id ?? "*", tags, values), zone: place };
  }

  /** @param name the id of a launch template, or its name */
  launchTemplate(name: string): Subject {
    const found = this.#state.launchTemplates.find((each) => each.id === name || each.name === name);
    return this.#existing("launch-template", found?.id ?? name, found?.tags);
  }

  /** A launch with what its template adds, and the template's ARN; what is wrong with it, the launch itself says. */
  launch(query: Query): { readonly query: Query; readonly template?: string } {
    const asked = (path: string): string | undefined => textAt(query, `LaunchTemplate.${path}`);
    const [id, name] = [asked("LaunchTemplateId"), asked("LaunchTemplateName")];
    if (id === undefined && name === undefined) return { query };
    const subject = this.launchTemplate(id ?? name ?? "");
    try {
      const template = templateFor(this.#state, { LaunchTemplateId: id, LaunchTemplateName: name });
      const { data } = versionFor(template, asked("Version") ?? "$Default");
      return { query: overridden(data, query), template: subject.arn };
    } catch (error) {
      if (error instanceof ApiError) return { query, template: subject.arn };
      throw error;
    }
  }

  /** @param name the id of a placement group, or its name, which is what its ARN has */
  placementGroup(name: string): Subject {
    const found = this.#state.placementGroups.find((each) => each.id === name || each.name === name);
    return this.#existing("placement-group", found?.name ?? name, found?.tags, {
      "ec2:PlacementGroupName": found?.name,
      "ec2:PlacementGroupStrategy": found?.strategy,
    });
  }

  /** @param name the id of an Elastic IP address, of its association, or the address itself */
  address(name: string): Subject {
    const found = this.#state.addresses.find(
      ({ id, address, association }) => id === name || address === name || association?.id === name,
    );
    return this.#existing("elastic-ip", found?.id ?? name, found?.tags, {
      "ec2:AllocationId": found?.id,
      "ec2:Domain": found === undefined ? undefined : "vpc",
      "ec2:PublicIpAddress": found?.address,
    });
  }

  spotRequest(id: string): Subject {
    const found = this.#state.spotRequests.find((each) => each.id === id);
    return this.#existing("spot-instances-request", id, found?.tags);
  }

  vpc(id = vpcId): Subject {
    return this.#existing("vpc", id, id === vpcId ? {} : undefined);
  }

  get vpcArn(): string {
    return this.arn("vpc", vpcId);
  }

  /** Whatever has this id, for the actions that take ids of all kinds. */
  any(id: string): Subject {
    const kind = Object.entries(idKinds).find(([, { prefix }]) => id.startsWith(prefix))?.[0] ?? "instance";
    switch (kind) {
      case "image":
        return this.image(id);
      case "snapshot":
        return this.snapshot(id);
      case "volume":
        return this.volume(id);
      case "group":
        return this.group(id);
      case "keyPair":
        return this.keyPair(id);
      case "vpc":
        return this.vpc(id);
      case "subnet":
        return this.subnet(id, undefined);
      case "launchTemplate":
        return this.launchTemplate(id);
      case "placementGroup":
        return this.placementGroup(id);
      case "address":
        return this.address(id);
      case "spotRequest":
        return this.spotRequest(id);
      default:
        return this.instance(id);
    }
  }
}

function imageIdOf(state: State, asked: string): string {
  try {
    return resolvedImageId(state, asked);
  } catch (error) {
    // The launch itself says what is wrong with the parameter.
    if (error instanceof ApiError) return asked;
    throw error;
  }
}

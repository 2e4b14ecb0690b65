import { BakeError } from "../base/errors.ts";

/** The tag keys of bake-ami. They are the only state there is, and they never change. */
export const tagKeys = {
  run: "bake-ami:run",
  owner: "bake-ami:owner",
  role: "bake-ami:role",
  expires: "bake-ami:expires",
  services: "bake-ami:services",
  init: "bake-ami:init",
  catalog: "bake-ami:catalog",
  base: "bake-ami:base",
  version: "bake-ami:version",
  login: "bake-ami:login",
  with: "bake-ami:with",
  digest: "bake-ami:digest",
  kept: "bake-ami:kept",
  /** Of a machine: the Elastic IP that was allocated for it and goes with it. */
  address: "bake-ami:address",
  /** Which channel's bundle the machine fetches at boot, and where the channels are: `s3://bucket/prefix`. */
  channel: "bake-ami:channel",
  bundles: "bake-ami:bundles",
  /** Of an image: the fingerprints of the keys that may sign bundles for its machines. */
  signer: "bake-ami:signer",
  /** Of a key pair and a security group: the launch template that they are for. */
  template: "bake-ami:template",
  sshPort: "bake-ami:ssh-port",
} as const;

/**
 * What a tagged resource is for. Everything but `image`, `snapshot`, `machine` and its group, address and spot request is
 * temporary. A job is a machine that ends with its command; what belongs to it has the roles of a machine's. A launch template,
 * its key and its group stay; a trial is a machine that shows whether a version of it works.
 */
export type Role =
  | "builder"
  | "builder-key"
  | "builder-group"
  | "image"
  | "machine"
  | "job"
  | "machine-key"
  | "machine-group"
  | "machine-address"
  | "machine-spot-request"
  | "template"
  | "template-key"
  | "template-group"
  | "trial";

export type Tags = ReadonlyMap<string, string>;

/** EC2's limits. */
const longestValue = 256;
export const mostTags = 50;

/** Run, owner, role, expires, name, base, version, login and a few for later come on top. */
const mostPairTags = mostTags - 14;

export interface RunTags {
  readonly run: string;
  readonly owner: string;
  readonly role: Role;
  /** After this anyone's cleanup may take the resource. */
  readonly expires?: Date;
}

/** The tags that every resource gets in the call that creates it. */
export function runTags(options: RunTags): Map<string, string> {
  const tags = new Map<string, string>([
    [tagKeys.run, options.run],
    [tagKeys.owner, options.owner],
    [tagKeys.role, options.role],
    ["Name", `bake-ami ${options.role} ${options.run}`],
  ]);
  if (options.expires !== undefined) tags.set(tagKeys.expires, options.expires.toISOString());
  return tags;
}

/**
 * What an image carries about its content: the services that were asked for, the digest of every service whose init it
 * has, and of every service that its machines could run, each list spread over as many tags as it takes. The last one
 * is left out where there is no room for it.
 * @param catalog of every service in its bundle, the digest of all that it is
 * @param reserved how many tags of the user's own the image gets
 * @throws BakeError `usage` when EC2's limits on tags do not allow it.
 */
export function imageTags(
  requested: readonly string[],
  init: ReadonlyMap<string, string>,
  catalog: ReadonlyMap<string, string> = new Map(),
  reserved = 0,
): Map<string, string> {
  const services = requested.join(" ");
  if (services.length > longestValue) {
    throw new BakeError(
      "usage",
      `the names of the requested services take ${services.length} characters, and a tag ${longestValue}`,
      {
        hint: "make one service that requires them all, and bake that",
      },
    );
  }
  const initTags = pairTags(tagKeys.init, init);
  if (initTags.length > mostPairTags) {
    throw new BakeError(
      "usage",
      `${init.size} services do not fit into the ${mostTags} tags that an image may have`,
      {
        hint: "bake fewer services into one image, or join small ones",
      },
    );
  }
  const catalogTags = pairTags(tagKeys.catalog, catalog);
  const fits = initTags.length + catalogTags.length + reserved <= mostPairTags;
  return new Map([[tagKeys.services, services], ...initTags, ...(fits ? catalogTags : [])]);
}

/** `name=digest` pairs in tags `key.1`, `key.2` ..., each as full as it may be. */
function pairTags(key: string, pairs: ReadonlyMap<string, string>): [string, string][] {
  const values: string[] = [];
  for (const [name, digest] of pairs) {
    const pair = `${name}=${digest}`;
    const last = values.at(-1);
    if (last === undefined || last.length + 1 + pair.length > longestValue) values.push(pair);
    else values[values.length - 1] = `${last} ${pair}`;
  }
  return values.map((value, index) => [`${key}.${index + 1}`, value]);
}

/** The services whose init an image or machine has, with their digests, from its tags. */
export function initOf(tags: Tags): Map<string, string> {
  return pairsIn(tags, tagKeys.init);
}

/**
 * The services that an image's machines could run, with the digest of all that each is; undefined when the image does not
 * say, because they were too many or it is older than this tag.
 */
export function catalogOf(tags: Tags): Map<string, string> | undefined {
  const catalog = pairsIn(tags, tagKeys.catalog);
  return catalog.size === 0 ? undefined : catalog;
}

function pairsIn(tags: Tags, key: string): Map<string, string> {
  const pairs = new Map<string, string>();
  for (let n = 1; ; n += 1) {
    const value = tags.get(`${key}.${n}`);
    if (value === undefined) return pairs;
    for (const pair of value.split(" ")) {
      const [name, digest] = pair.split("=");
      if (name !== undefined && digest !== undefined) pairs.set(name, digest);
    }
  }
}

/** The space-separated names in a tag. */
export function namesIn(tags: Tags, key: string): string[] {
  return (tags.get(key) ?? "").split(" ").filter((name) => name !== "");
}

/** EC2's list of tags as a map. */
export function readTags(
  list: readonly { Key?: string | undefined; Value?: string | undefined }[] | undefined,
): Tags {
  const tags = new Map<string, string>();
  for (const { Key, Value } of list ?? []) if (Key !== undefined) tags.set(Key, Value ?? "");
  return tags;
}

/** A map as EC2's list of tags. */
export function writeTags(tags: Tags): { Key: string; Value: string }[] {
  return [...tags].map(([Key, Value]) => ({ Key, Value }));
}

/** Something with tags that cleanup can name and delete. */
export interface TaggedResource {
  readonly id: string;
  readonly tags: Tags;
}

/** The resources of a listing that have an id. */
export function readTagged<
  Raw extends { Tags?: { Key?: string | undefined; Value?: string | undefined }[] | undefined },
>(list: readonly Raw[] | undefined, idOf: (raw: Raw) => string | undefined): TaggedResource[] {
  return (list ?? []).flatMap((raw) => {
    const id = idOf(raw);
    return id === undefined ? [] : [{ id, tags: readTags(raw.Tags) }];
  });
}

/** What an earlier attempt of the same run made, and nobody else. */
export function ofSameRun<Resource extends TaggedResource>(
  found: readonly Resource[],
  tags: Tags,
): Resource | undefined {
  return found.find((each) => each.tags.get(tagKeys.run) === tags.get(tagKeys.run));
}

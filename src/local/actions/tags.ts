import { z } from "zod";
import { ApiError, idKinds, invalidValue } from "../protocol/errors.ts";
import { filtered, filterParameters, page, pageParameters } from "../protocol/listing.ts";
import { list, text } from "../protocol/query.ts";
import type { XmlObject } from "../protocol/xml.ts";
import type { State, Tags } from "../state/schema.ts";
import { action } from "./action.ts";

const pair = z.strictObject({ Key: text, Value: text.optional() });

/** The parameter table of tags given when something is created, to be spread into an action's table. */
export const tagSpecificationParameters = {
  TagSpecification: list(z.strictObject({ ResourceType: text, Tag: list(pair) })),
};

interface Pair {
  readonly Key: string;
  readonly Value?: string | undefined;
}

interface TagSpecification {
  readonly ResourceType: string;
  readonly Tag: readonly Pair[];
}

/**
 * The tags for each type of resource that an action creates.
 * @throws ApiError for a type that it does not create, and for tags that EC2 would refuse.
 */
export function tagsFor<Type extends string>(
  specifications: readonly TagSpecification[],
  types: readonly Type[],
): (type: Type) => Tags {
  const known: readonly string[] = types;
  for (const { ResourceType } of specifications) {
    if (!known.includes(ResourceType)) {
      throw new ApiError(
        "InvalidParameterValue",
        `'${ResourceType}' is not a valid taggable resource type for this operation.`,
      );
    }
  }
  const checked = new Map(
    types.map((type) => {
      const pairs = specifications.flatMap((each) => (each.ResourceType === type ? each.Tag : []));
      const keys = pairs.map(({ Key }) => Key);
      const twice = keys.find((key, index) => keys.indexOf(key) !== index);
      if (twice !== undefined) {
        throw new ApiError("InvalidParameterValue", `Duplicate tag key '${twice}' specified.`);
      }
      return [type, withTags({}, pairs)];
    }),
  );
  return (type) => checked.get(type) ?? {};
}

function isReserved(key: string): boolean {
  return /^aws:/i.test(key);
}

function withTags(existing: Tags, pairs: readonly Pair[]): Tags {
  const result = { ...existing };
  for (const { Key, Value = "" } of pairs) {
    if (Key === "" || Key.length > 127 || isReserved(Key)) {
      throw invalidValue("Tag.Key", Key, "A tag key has 1 to 127 characters and does not start with aws:.");
    }
    if (Value.length > 256) {
      throw new ApiError(
        "InvalidParameterValue",
        `Tag value exceeds the maximum length of 256 characters (key '${Key}')`,
      );
    }
    result[Key] = Value;
  }
  // EC2's own do not count.
  if (Object.keys(result).filter((key) => !isReserved(key)).length > 50) {
    throw new ApiError("TagLimitExceeded", "The maximum number of tags (50) for this resource is reached");
  }
  return result;
}

/** @throws ApiError when a key cannot be read through the metadata service though it should be. */
export function checkMetadataTags(tags: Tags): void {
  for (const key of Object.keys(tags)) {
    if (!/^[\w\-+=,.@:]{1,255}$/.test(key) || [".", "..", "_index"].includes(key)) {
      throw new ApiError(
        "InvalidParameterValue",
        `'${key}' is not a valid tag key. Tag keys must match pattern ([0-9a-zA-Z\\-_+=,.@:]{1,255}), and must not be a reserved name ('.', '..', '_index')`,
      );
    }
  }
}

/** Tags as the responses write them; absent when there are none. */
export function tagSet(tags: Tags): XmlObject[] | undefined {
  const entries = Object.entries(tags);
  if (entries.length === 0) return undefined;
  return entries.sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, value]) => ({ key, value }));
}

interface Tagged {
  readonly id: string;
  readonly type: string;
  /** The owner of the tags: replacing its `tags` changes the resource. */
  readonly holder: { tags: Tags };
  readonly readByMachine: boolean;
}

function everythingTagged(state: State): Tagged[] {
  const plain = (type: string, items: readonly { id: string; tags: Tags }[]): Tagged[] =>
    items.map((holder) => ({ id: holder.id, type, holder, readByMachine: false }));
  return [
    ...state.instances.flatMap((holder) => [
      { id: holder.id, type: "instance", holder, readByMachine: holder.metadata.tags },
      ...(holder.state === "terminated" ? [] : plain("volume", [holder.volume])),
    ]),
    ...plain("image", state.images),
    ...plain("snapshot", state.snapshots),
    ...plain("key-pair", state.keyPairs),
    ...plain("security-group", state.securityGroups),
    ...plain("launch-template", state.launchTemplates),
    ...plain("placement-group", state.placementGroups),
    ...plain("elastic-ip", state.addresses),
    ...plain("spot-instances-request", state.spotRequests),
  ];
}

function taggedById(state: State, ids: readonly string[]): Tagged[] {
  if (ids.length === 0)
    throw new ApiError("MissingParameter", "The request must contain the parameter resourceIdSet");
  const all = new Map(everythingTagged(state).map((each) => [each.id, each]));
  return ids.map((id) => {
    const found = all.get(id);
    if (found !== undefined) return found;
    const kind = Object.values(idKinds).find(({ prefix }) => id.startsWith(prefix));
    if (kind === undefined) throw new ApiError("InvalidID", `The ID '${id}' is not valid`);
    throw new ApiError(kind.notFound, `The ${kind.noun} '${id}' does not exist`);
  });
}

export const tagActions = [
  action(
    "CreateTags",
    z.strictObject({ ResourceId: list(text), Tag: list(pair) }),
    async (context, { ResourceId, Tag }) => {
      if (Tag.length === 0)
        throw new ApiError("MissingParameter", "The request must contain the parameter Tag");
      await context.change((draft) => {
        for (const { holder, readByMachine } of taggedById(draft, ResourceId)) {
          const tags = withTags(holder.tags, Tag);
          if (readByMachine) checkMetadataTags(tags);
          holder.tags = tags;
        }
      });
      return { return: true };
    },
  ),

  action(
    "DeleteTags",
    z.strictObject({ ResourceId: list(text), Tag: list(pair) }),
    async (context, { ResourceId, Tag }) => {
      const reserved = Tag.find(({ Key }) => isReserved(Key));
      if (reserved !== undefined) {
        throw invalidValue("Tag.Key", reserved.Key, "Tags whose keys start with aws: cannot be deleted.");
      }
      await context.change((draft) => {
        for (const { holder } of taggedById(draft, ResourceId)) {
          // Without a list all tags go; with a value only where the value is that.
          const goes = ([key, value]: [string, string]): boolean =>
            (Tag.length === 0 && !isReserved(key)) ||
            Tag.some((each) => each.Key === key && (each.Value === undefined || each.Value === value));
          holder.tags = Object.fromEntries(Object.entries(holder.tags).filter((entry) => !goes(entry)));
        }
      });
      return { return: true };
    },
  ),

  action(
    "DescribeTags",
    z.strictObject({ ...filterParameters, ...pageParameters }),
    async (context, request) => {
      const rows = everythingTagged(await context.read()).flatMap(({ id, type, holder }) =>
        Object.entries(holder.tags).map(([key, value]) => ({ id, type, key, value })),
      );
      const matching = filtered(
        rows,
        request.Filter,
        {
          key: (row) => [row.key],
          "resource-id": (row) => [row.id],
          "resource-type": (row) => [row.type],
          value: (row) => [row.value],
        },
        (row) => ({ [row.key]: row.value }),
      );
      const { items, nextToken } = page(matching, request);
      return {
        tagSet: items.map((row) => ({
          resourceId: row.id,
          resourceType: row.type,
          key: row.key,
          value: row.value,
        })),
        nextToken,
      };
    },
  ),
];

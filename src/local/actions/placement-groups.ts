import { z } from "zod";
import { ApiError, byIds, invalidValue } from "../protocol/errors.ts";
import { filtered, filterParameters } from "../protocol/listing.ts";
import { integer, list, text } from "../protocol/query.ts";
import type { XmlObject } from "../protocol/xml.ts";
import { newId } from "../state/ids.ts";
import { accountId, type PlacementGroup } from "../state/schema.ts";
import { action } from "./action.ts";
import { membersOf, placementGroupNamed } from "./placement.ts";
import { tagSet, tagsFor, tagSpecificationParameters } from "./tags.ts";

const newGroup = z.strictObject({
  GroupName: text.optional(),
  Strategy: z.enum(["cluster", "spread", "partition"]).default("cluster"),
  PartitionCount: integer.optional(),
  // By host is for Outposts.
  SpreadLevel: z.literal("rack").optional(),
  ...tagSpecificationParameters,
});

/** How many partitions a group has: "at most seven per Availability Zone". @throws ApiError */
function partitionsOf({ Strategy, PartitionCount }: z.output<typeof newGroup>): number | undefined {
  if (Strategy !== "partition") {
    if (PartitionCount === undefined) return undefined;
    throw new ApiError(
      "InvalidParameterCombination",
      `The parameter PartitionCount is not supported for the strategy '${Strategy}'.`,
    );
  }
  const count = PartitionCount ?? 2;
  if (count >= 1 && count <= 7) return count;
  throw invalidValue("PartitionCount", String(count), "Expecting 1 to 7.");
}

function groupXml(group: PlacementGroup, region: string): XmlObject {
  return {
    groupName: group.name,
    state: "available",
    strategy: group.strategy,
    partitionCount: group.partitionCount,
    groupId: group.id,
    tagSet: tagSet(group.tags),
    groupArn: `arn:aws:ec2:${region}:${accountId}:placement-group/${group.name}`,
    spreadLevel: group.strategy === "spread" ? "rack" : undefined,
  };
}

export const placementGroupActions = [
  action("CreatePlacementGroup", newGroup, async (context, request) => {
    const { GroupName: name = "", Strategy: strategy } = request;
    if (!/^[\x20-\x7e]{1,255}$/.test(name)) {
      throw invalidValue("GroupName", name, "Expecting 1 to 255 ASCII characters.");
    }
    const partitionCount = partitionsOf(request);
    const tags = tagsFor(request.TagSpecification, ["placement-group"])("placement-group");
    const group = await context.change((draft) => {
      if (draft.placementGroups.some((each) => each.name === name)) {
        throw new ApiError(
          "InvalidPlacementGroup.Duplicate",
          `The Placement Group '${name}' already exists.`,
        );
      }
      const made: PlacementGroup = {
        ...{ id: newId("pg"), name, strategy, createdAt: context.now(), tags },
        ...(partitionCount === undefined ? {} : { partitionCount }),
      };
      draft.placementGroups.push(made);
      return structuredClone(made);
    });
    return { placementGroup: groupXml(group, context.region) };
  }),

  action(
    "DescribePlacementGroups",
    z.strictObject({ GroupName: list(text), GroupId: list(text), ...filterParameters }),
    async (context, request) => {
      const state = await context.read();
      const asked = [
        ...request.GroupName.map((name) => placementGroupNamed(state, name)),
        ...byIds("placementGroup", request.GroupId, state.placementGroups, ({ id }) => id),
      ];
      const wasAsked = request.GroupName.length + request.GroupId.length > 0;
      const matching = filtered(
        wasAsked ? asked : state.placementGroups,
        request.Filter,
        {
          "group-arn": (group) => [
            `arn:aws:ec2:${context.region}:${accountId}:placement-group/${group.name}`,
          ],
          "group-name": ({ name }) => [name],
          "spread-level": ({ strategy }) => (strategy === "spread" ? ["rack"] : []),
          state: () => ["available"],
          strategy: ({ strategy }) => [strategy],
        },
        ({ tags }) => tags,
      );
      return { placementGroupSet: matching.map((group) => groupXml(group, context.region)) };
    },
  ),

  action(
    "DeletePlacementGroup",
    z.strictObject({ GroupName: text }),
    async (context, { GroupName: name }) => {
      await context.change((draft) => {
        const group = placementGroupNamed(draft, name);
        if (membersOf(draft, group.id).length > 0) {
          throw new ApiError(
            "InvalidPlacementGroup.InUse",
            `The placement group '${name}' is in use and may not be deleted.`,
          );
        }
        draft.placementGroups = draft.placementGroups.filter((each) => each !== group);
      });
      return { return: true };
    },
  ),
];

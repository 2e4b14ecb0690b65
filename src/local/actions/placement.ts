import { strategiesOf, type InstanceType } from "../instance-types.ts";
import { ApiError, byId, invalidValue } from "../protocol/errors.ts";
import type { XmlObject } from "../protocol/xml.ts";
import type { Instance, PlacementGroup, State } from "../state/schema.ts";
import type { RunRequest } from "./run-parameters.ts";

type Placement = NonNullable<RunRequest["Placement"]>;

/**
 * Where each instance of a launch is put, beside its zone, by its launch index.
 * @throws ApiError for a group or host that does not exist, and for what does not go together
 */
export function placementFor(
  state: State,
  placement: Placement = {},
  type: InstanceType,
): (index: number) => Instance["placement"] {
  checkHost(placement);
  const { Tenancy: tenancy, PartitionNumber: partition } = placement;
  const group = groupFor(state, placement);
  if (group !== undefined && !strategiesOf(type).includes(group.strategy)) {
    throw combination(`Placement groups may not be used with instances of type '${type.name}'.`);
  }
  if (partition !== undefined && group?.strategy !== "partition") {
    throw combination("A partition number may only be specified with a partition placement group.");
  }
  const count = group?.partitionCount;
  if (partition !== undefined && (partition < 1 || partition > (count ?? 0))) {
    throw invalidValue("Placement.PartitionNumber", String(partition), `Expecting 1 to ${count ?? 0}.`);
  }
  const before = group === undefined ? 0 : membersOf(state, group.id).length;
  if (group === undefined && tenancy !== "dedicated") return () => undefined;
  return (index) => ({
    ...(group === undefined ? {} : { groupId: group.id }),
    // As EC2 does, evenly.
    ...(count === undefined ? {} : { partition: partition ?? ((before + index) % count) + 1 }),
    ...(tenancy === "dedicated" ? { tenancy } : {}),
  });
}

/** There are no hosts here: none can be named, and none is there to be had. */
function checkHost({ Tenancy, HostId }: Placement): void {
  if (HostId !== undefined) {
    if (Tenancy !== undefined && Tenancy !== "host") {
      throw combination(`A host ID may not be specified with the tenancy '${Tenancy}'.`);
    }
    if (!/^h-[0-9a-f]{8}(?:[0-9a-f]{9})?$/.test(HostId)) {
      throw new ApiError("InvalidHostID.Malformed", `Invalid id: "${HostId}" (expecting "h-...")`);
    }
    throw new ApiError("InvalidHostID.NotFound", `The host ID '${HostId}' does not exist`);
  }
  if (Tenancy === "host") {
    throw new ApiError(
      "InsufficientHostCapacity",
      "There is no Dedicated Host with capacity for the request: the local cloud has none.",
    );
  }
}

function groupFor(state: State, { GroupName, GroupId }: Placement): PlacementGroup | undefined {
  if (GroupName !== undefined && GroupId !== undefined) {
    throw combination("Specify either a placement group name or a placement group ID, not both.");
  }
  if (GroupId !== undefined) return byId("placementGroup", GroupId, state.placementGroups, ({ id }) => id);
  return GroupName === undefined || GroupName === "" ? undefined : placementGroupNamed(state, GroupName);
}

/** @throws ApiError `InvalidPlacementGroup.Unknown` */
export function placementGroupNamed(state: State, name: string): PlacementGroup {
  const group = state.placementGroups.find((each) => each.name === name);
  if (group !== undefined) return group;
  throw new ApiError("InvalidPlacementGroup.Unknown", `The Placement Group '${name}' is unknown.`);
}

/** The instances that are in a group and not terminated. */
export function membersOf(state: State, groupId: string): Instance[] {
  return state.instances.filter((it) => it.state !== "terminated" && it.placement?.groupId === groupId);
}

/** The group that an instance is in, as long as that exists. */
export function groupOf(state: State, { placement }: Instance): PlacementGroup | undefined {
  return state.placementGroups.find(({ id }) => id === placement?.groupId);
}

export function placementXml(state: State, instance: Instance): XmlObject {
  const group = groupOf(state, instance);
  return {
    availabilityZone: instance.zone,
    groupName: group?.name ?? "",
    groupId: group?.id,
    partitionNumber: instance.placement?.partition,
    tenancy: instance.placement?.tenancy ?? "default",
  };
}

function combination(message: string): ApiError {
  return new ApiError("InvalidParameterCombination", message);
}

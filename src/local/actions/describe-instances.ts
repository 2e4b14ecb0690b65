import { z } from "zod";
import { ApiError, byIds } from "../protocol/errors.ts";
import { filtered, filterParameters, page, pageParameters, type Attributes } from "../protocol/listing.ts";
import { flag, list, text } from "../protocol/query.ts";
import { accountId, vpcId, type Instance, type State } from "../state/schema.ts";
import { action } from "./action.ts";
import { groupOf } from "./placement.ts";
import { spotRequestIdOf } from "./market.ts";
import { privateDnsName, reservationXml, stateCodes, stateXml } from "./instance-xml.ts";

function attributes(state: State): Attributes<Instance> {
  const groupNames = ({ groupIds }: Instance): string[] =>
    state.securityGroups.flatMap(({ id, name }) => (groupIds.includes(id) ? [name] : []));
  return {
    architecture: (it) => [it.architecture],
    "availability-zone": (it) => [it.zone],
    "client-token": (it) => [it.clientToken],
    "dns-name": (it) => [it.publicAddress],
    hypervisor: () => ["xen"],
    "iam-instance-profile.arn": (it) => [it.profileArn],
    "image-id": (it) => [it.imageId],
    "instance-id": (it) => [it.id],
    "instance-lifecycle": (it) => (it.spot === true ? ["spot"] : []),
    "instance-state-code": (it) => [String(stateCodes[it.state])],
    "instance-state-name": (it) => [it.state],
    "instance-type": (it) => [it.type],
    "instance.group-id": (it) => it.groupIds,
    "instance.group-name": groupNames,
    "ip-address": (it) => [it.publicAddress],
    "key-name": (it) => [it.key?.name],
    "launch-index": (it) => [String(it.launchIndex)],
    "launch-time": (it) => [new Date(it.launchedAt).toISOString()],
    "network-interface.group-id": (it) => it.groupIds,
    "network-interface.subnet-id": (it) => [it.subnetId],
    "network-interface.vpc-id": () => [vpcId],
    "owner-id": () => [accountId],
    "placement-group-name": (it) => [groupOf(state, it)?.name],
    "placement-partition-number": (it) => [it.placement?.partition?.toString()],
    "private-dns-name": (it) => [privateDnsName(it)],
    "private-ip-address": (it) => [it.privateAddress],
    reason: (it) => [it.transitionReason],
    "reservation-id": (it) => [it.reservationId],
    "root-device-name": (it) => [it.volume.deviceName],
    "root-device-type": () => ["ebs"],
    "spot-instance-request-id": (it) => [spotRequestIdOf(it)],
    "state-reason-code": (it) => [it.stateReason?.code],
    "subnet-id": (it) => [it.subnetId],
    tenancy: (it) => [it.placement?.tenancy ?? "default"],
    "virtualization-type": () => ["hvm"],
    "vpc-id": () => [vpcId],
    "block-device-mapping.volume-id": (it) => [it.volume.id],
    "metadata-options.http-tokens": (it) => [it.metadata.tokensRequired ? "required" : "optional"],
  };
}

const request = z.strictObject({ InstanceId: list(text), ...filterParameters, ...pageParameters });

/** @throws ApiError */
function select(
  state: State,
  asked: z.output<typeof request>,
): { items: readonly Instance[]; nextToken?: string } {
  if (asked.InstanceId.length > 0 && asked.MaxResults !== undefined) {
    throw new ApiError(
      "InvalidParameterCombination",
      "The parameter instancesSet cannot be used with the parameter maxResults",
    );
  }
  const known =
    asked.InstanceId.length > 0
      ? byIds("instance", [...new Set(asked.InstanceId)], state.instances, ({ id }) => id)
      : state.instances;
  const { items, nextToken } = page(
    filtered(known, asked.Filter, attributes(state), ({ tags }) => tags),
    asked,
  );
  return { items, ...(nextToken === undefined ? {} : { nextToken }) };
}

export const describeInstanceActions = [
  action("DescribeInstances", request, async (context, asked) => {
    const state = await context.read();
    const { items, nextToken } = select(state, asked);
    const ids = [...new Set(items.map(({ reservationId }) => reservationId))];
    return {
      reservationSet: ids.map((id) =>
        reservationXml(
          state,
          items.filter(({ reservationId }) => reservationId === id),
        ),
      ),
      nextToken,
    };
  }),

  action(
    "DescribeInstanceStatus",
    request.extend({ IncludeAllInstances: flag.optional() }),
    async (context, { IncludeAllInstances, ...asked }) => {
      const state = await context.read();
      const shown = (instance: Instance): boolean =>
        IncludeAllInstances === true || instance.state === "running";
      const { items, nextToken } = select(state, asked);
      return {
        instanceStatusSet: items.filter(shown).map((instance) => {
          const status = instance.state === "running" ? "ok" : "not-applicable";
          const summary = {
            status,
            details: status === "ok" ? [{ name: "reachability", status: "passed" }] : [],
          };
          return {
            instanceId: instance.id,
            availabilityZone: instance.zone,
            instanceState: stateXml(instance.state),
            systemStatus: summary,
            instanceStatus: summary,
          };
        }),
        nextToken,
      };
    },
  ),
];

import { z } from "zod";
import { ApiError, byId, byIds } from "../protocol/errors.ts";
import { filtered, filterParameters } from "../protocol/listing.ts";
import { flag, list, text } from "../protocol/query.ts";
import type { XmlObject } from "../protocol/xml.ts";
import { newId } from "../state/ids.ts";
import { accountId, type ElasticAddress, type Instance, type State } from "../state/schema.ts";
import { action, type Context } from "./action.ts";
import { takenPublicAddresses } from "./network.ts";
import { carryOut, moveAddress, type Move } from "./port-moves.ts";
import { tagSet, tagsFor, tagSpecificationParameters } from "./tags.ts";

/** "By default, all AWS accounts are limited to five Elastic IP addresses per Region." (EC2 User Guide) */
const mostAddresses = 5;

function instanceOf(state: State, { association }: ElasticAddress): Instance | undefined {
  return state.instances.find(({ id }) => id === association?.instanceId);
}

function addressXml(state: State, address: ElasticAddress, region: string): XmlObject {
  const instance = instanceOf(state, address);
  return {
    ...(instance === undefined
      ? {}
      : {
          instanceId: instance.id,
          associationId: address.association?.id,
          networkInterfaceId: instance.id.replace(/^i-/, "eni-"),
          networkInterfaceOwnerId: accountId,
          privateIpAddress: instance.privateAddress,
        }),
    publicIp: address.address,
    allocationId: address.id,
    domain: "vpc",
    tagSet: tagSet(address.tags),
    publicIpv4Pool: "amazon",
    networkBorderGroup: region,
  };
}

/** @throws ApiError `InvalidAddress.NotFound` */
function addressesWith(state: State, publicIps: readonly string[]): ElasticAddress[] {
  return publicIps.map((publicIp) => {
    const found = state.addresses.find(({ address }) => address === publicIp);
    if (found !== undefined) return found;
    throw new ApiError("InvalidAddress.NotFound", `Address '${publicIp}' not found.`);
  });
}

function addressWithId(state: State, id: string | undefined): ElasticAddress {
  if (id === undefined) {
    throw new ApiError("MissingParameter", "The request must contain the parameter AllocationId");
  }
  return byId("address", id, state.addresses, (each) => each.id);
}

/** Takes an address off its instance, which gets another when it came with one. */
async function release(context: Context, draft: State, address: ElasticAddress): Promise<Move[]> {
  const instance = instanceOf(draft, address);
  const hadAddress = address.association?.hadAddress === true;
  delete address.association;
  if (instance === undefined) return [];
  const engine = context.machines.engineOf(instance);
  const next = hadAddress ? engine.publicAddress(takenPublicAddresses(draft)) : undefined;
  return await moveAddress(context, draft, instance, next);
}

/** @throws ApiError for an instance that cannot have an address now */
function takerOf(draft: State, { InstanceId, NetworkInterfaceId }: z.output<typeof association>): Instance {
  const id = InstanceId ?? NetworkInterfaceId?.replace(/^eni-/, "i-");
  if (id === undefined) {
    throw new ApiError("MissingParameter", "The request must contain the parameter InstanceId");
  }
  const instance = byId("instance", id, draft.instances, (each) => each.id);
  if (["running", "stopping", "stopped"].includes(instance.state)) return instance;
  throw new ApiError(
    "InvalidInstanceID",
    `The ${instance.state} instance '${id}' is not in a valid state for this operation.`,
  );
}

const association = z.strictObject({
  AllocationId: text.optional(),
  InstanceId: text.optional(),
  NetworkInterfaceId: text.optional(),
  AllowReassociation: flag.optional(),
});

export const addressActions = [
  action(
    "AllocateAddress",
    z.strictObject({ Domain: z.literal("vpc").optional(), ...tagSpecificationParameters }),
    async (context, request) => {
      const tags = tagsFor(request.TagSpecification, ["elastic-ip"])("elastic-ip");
      const made = await context.change((draft) => {
        if (draft.addresses.length >= mostAddresses) {
          throw new ApiError(
            "AddressLimitExceeded",
            `The maximum number of addresses has been reached: ${mostAddresses}.`,
          );
        }
        const engine = context.machines.engineForNew();
        const address: ElasticAddress = {
          id: newId("eipalloc"),
          address: engine.publicAddress(takenPublicAddresses(draft)),
          createdAt: context.now(),
          tags,
        };
        draft.addresses.push(address);
        return structuredClone(address);
      });
      return {
        publicIp: made.address,
        allocationId: made.id,
        publicIpv4Pool: "amazon",
        networkBorderGroup: context.region,
        domain: "vpc",
      };
    },
  ),

  action("AssociateAddress", association, async (context, request) => {
    const { id, moves } = await context.change(async (draft) => {
      const address = addressWithId(draft, request.AllocationId);
      const instance = takerOf(draft, request);
      const before = instanceOf(draft, address);
      if (before === instance) return { id: address.association?.id, moves: [] };
      if (before !== undefined && request.AllowReassociation !== true) {
        throw new ApiError(
          "Resource.AlreadyAssociated",
          `resource ${address.id} is already associated with associate-id ${address.association?.id ?? ""}`,
        );
      }
      const away = before === undefined ? [] : await release(context, draft, address);
      // An instance has one address: what it had goes.
      const other = draft.addresses.find((each) => each.association?.instanceId === instance.id);
      const hadAddress = other?.association?.hadAddress ?? instance.publicAddress !== undefined;
      if (other !== undefined) delete other.association;
      address.association = { id: newId("eipassoc"), instanceId: instance.id, hadAddress };
      const here = await moveAddress(context, draft, instance, address.address);
      return { id: address.association.id, moves: [...away, ...here] };
    });
    await carryOut(context, moves);
    return { associationId: id };
  }),

  action(
    "DisassociateAddress",
    z.strictObject({ AssociationId: text.optional() }),
    async (context, { AssociationId: id }) => {
      if (id === undefined) {
        throw new ApiError("MissingParameter", "The request must contain the parameter AssociationId");
      }
      const moves = await context.change(async (draft) => {
        const address = draft.addresses.find((each) => each.association?.id === id);
        if (address !== undefined) return await release(context, draft, address);
        throw new ApiError("InvalidAssociationID.NotFound", `The association ID '${id}' does not exist`);
      });
      await carryOut(context, moves);
      return { return: true };
    },
  ),

  action(
    "DescribeAddresses",
    z.strictObject({ PublicIp: list(text), AllocationId: list(text), ...filterParameters }),
    async (context, request) => {
      const state = await context.read();
      const asked = [
        ...addressesWith(state, request.PublicIp),
        ...byIds("address", request.AllocationId, state.addresses, ({ id }) => id),
      ];
      const wasAsked = request.PublicIp.length + request.AllocationId.length > 0;
      const matching = filtered(
        wasAsked ? asked : state.addresses,
        request.Filter,
        {
          "allocation-id": ({ id }) => [id],
          "association-id": (it) => [it.association?.id],
          domain: () => ["vpc"],
          "instance-id": (it) => [it.association?.instanceId],
          "network-border-group": () => [context.region],
          "network-interface-id": (it) => [it.association?.instanceId.replace(/^i-/, "eni-")],
          "private-ip-address": (it) => [instanceOf(state, it)?.privateAddress],
          "public-ip": ({ address }) => [address],
        },
        ({ tags }) => tags,
      );
      return { addressesSet: matching.map((address) => addressXml(state, address, context.region)) };
    },
  ),

  action(
    "ReleaseAddress",
    z.strictObject({ AllocationId: text.optional() }),
    async (context, { AllocationId }) => {
      await context.change((draft) => {
        const address = addressWithId(draft, AllocationId);
        if (address.association !== undefined) {
          throw new ApiError("InvalidIPAddress.InUse", `Address ${address.address} is in use.`);
        }
        draft.addresses = draft.addresses.filter((each) => each !== address);
      });
      return { return: true };
    },
  ),
];

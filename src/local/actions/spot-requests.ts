import { z } from "zod";
import { ApiError, byIds } from "../protocol/errors.ts";
import { filtered, filterParameters, page, pageParameters } from "../protocol/listing.ts";
import { list, text } from "../protocol/query.ts";
import type { XmlObject } from "../protocol/xml.ts";
import type { Instance, SpotRequest, State } from "../state/schema.ts";
import { action } from "./action.ts";
import { spotRequestIdOf } from "./market.ts";
import { tagSet } from "./tags.ts";

/** The request that started a spot instance. */
export function spotRequestFor(state: State, instance: Instance): SpotRequest | undefined {
  const id = spotRequestIdOf(instance);
  return state.spotRequests.find((each) => each.id === id);
}

/** All requests, also those of instances from a state that was written before there were any. */
function allRequests(state: State): SpotRequest[] {
  const older = state.instances.flatMap((it): SpotRequest[] => {
    const id = spotRequestIdOf(it);
    if (id === undefined || it.spotRequestId !== undefined) return [];
    const known = state.spotRequests.some((each) => each.id === id);
    const { type: instanceType, imageId, zone, launchedAt: createdAt } = it;
    const made = { instanceId: it.id, instanceType, imageId, zone, createdAt, tags: {} };
    return known ? [] : [{ ...made, id, type: "one-time", interruptionBehavior: "terminate" }];
  });
  return [...state.spotRequests, ...older];
}

interface Standing {
  readonly state: "open" | "active" | "closed" | "cancelled" | "disabled";
  /** Code and message of EC2's status. (EC2 User Guide, "Get the status of a Spot Instance request") */
  readonly code: string;
  readonly message: string;
}

/** How a request stands, which follows from its instance. Pure. */
export function standingOf(request: SpotRequest, instance: Instance | undefined): Standing {
  const state = instance?.state ?? "terminated";
  const isOver = state === "terminated" || state === "shutting-down";
  const wasTaken = instance?.stateReason?.code.startsWith("Server.SpotInstance") === true;
  if (isOver) {
    const by = wasTaken ? "no-capacity" : "by-user";
    const ended = { code: `instance-terminated-${by}`, message: "The Spot Instance has been terminated." };
    if (request.cancelledAt !== undefined) return { state: "cancelled", ...ended };
    if (request.type === "one-time") return { state: "closed", ...ended };
    return {
      state: "open",
      code: "pending-evaluation",
      message:
        "A persistent request starts an instance again until it is cancelled; the local cloud leaves that out.",
    };
  }
  if (request.cancelledAt !== undefined) {
    const message = "Your Spot request is canceled, but your instance is still running.";
    return { state: "cancelled", code: "request-canceled-and-instance-running", message };
  }
  if (state === "stopping" || state === "stopped") {
    const message = "The Spot Instance has been stopped.";
    return wasTaken
      ? { state: "open", code: "instance-stopped-no-capacity", message }
      : { state: "disabled", code: "instance-stopped-by-user", message };
  }
  return { state: "active", code: "fulfilled", message: "Your Spot request is fulfilled." };
}

/** A request with how it stands. */
interface Row {
  readonly request: SpotRequest;
  readonly standing: Standing;
  readonly changedAt: number;
}

function rowOf(state: State, request: SpotRequest): Row {
  const instance = state.instances.find(({ id }) => id === request.instanceId);
  const changedAt = Math.max(request.createdAt, request.cancelledAt ?? 0, instance?.changedAt ?? 0);
  return { request, standing: standingOf(request, instance), changedAt };
}

function requestXml({ request, standing, changedAt }: Row): XmlObject {
  const { code, message } = standing;
  return {
    spotInstanceRequestId: request.id,
    spotPrice: request.maxPrice,
    type: request.type,
    state: standing.state,
    status: { code, message, updateTime: new Date(changedAt) },
    launchSpecification: {
      imageId: request.imageId,
      instanceType: request.instanceType,
      placement: { availabilityZone: request.zone },
    },
    instanceId: request.instanceId,
    createTime: new Date(request.createdAt),
    productDescription: "Linux/UNIX",
    launchedAvailabilityZone: request.zone,
    instanceInterruptionBehavior: request.interruptionBehavior,
    tagSet: tagSet(request.tags),
  };
}

export const spotRequestActions = [
  action(
    "DescribeSpotInstanceRequests",
    z.strictObject({ SpotInstanceRequestId: list(text), ...filterParameters, ...pageParameters }),
    async (context, asked) => {
      const state = await context.read();
      const all = allRequests(state);
      const known =
        asked.SpotInstanceRequestId.length > 0
          ? byIds("spotRequest", asked.SpotInstanceRequestId, all, ({ id }) => id)
          : all;
      const matching = filtered(
        known.map((request) => rowOf(state, request)),
        asked.Filter,
        {
          "create-time": ({ request }) => [new Date(request.createdAt).toISOString()],
          "instance-id": ({ request }) => [request.instanceId],
          "launch.image-id": ({ request }) => [request.imageId],
          "launch.instance-type": ({ request }) => [request.instanceType],
          "launched-availability-zone": ({ request }) => [request.zone],
          "spot-instance-request-id": ({ request }) => [request.id],
          state: ({ standing }) => [standing.state],
          "status-code": ({ standing }) => [standing.code],
          type: ({ request }) => [request.type],
        },
        ({ request }) => request.tags,
      );
      const { items, nextToken } = page(matching, asked);
      return { spotInstanceRequestSet: items.map(requestXml), nextToken };
    },
  ),

  action(
    "CancelSpotInstanceRequests",
    z.strictObject({ SpotInstanceRequestId: list(text) }),
    async (context, { SpotInstanceRequestId: ids }) => {
      if (ids.length === 0) {
        throw new ApiError(
          "MissingParameter",
          "The request must contain the parameter SpotInstanceRequestId",
        );
      }
      await context.change((draft) => {
        for (const request of byIds("spotRequest", ids, allRequests(draft), ({ id }) => id)) {
          if (!draft.spotRequests.includes(request)) draft.spotRequests.push(request);
          // The instance goes on.
          request.cancelledAt ??= context.now();
        }
      });
      return {
        spotInstanceRequestSet: ids.map((id) => ({ spotInstanceRequestId: id, state: "cancelled" })),
      };
    },
  ),
];

import { randomBytes } from "node:crypto";
import { ApiError, invalidValue } from "../protocol/errors.ts";
import type { Instance, SpotRequest } from "../state/schema.ts";
import type { RunRequest } from "./run-parameters.ts";

/** How a launch asks for capacity on the spot market. */
export type SpotTerms = Pick<SpotRequest, "type" | "interruptionBehavior" | "maxPrice">;

/**
 * What a launch asks of the spot market; undefined for one on demand.
 * The rules are those of EC2's reference of SpotMarketOptions: a persistent request goes with `stop` and `hibernate`, a
 * one-time one with `terminate`.
 * @throws ApiError for what does not go together
 */
export function spotTerms(request: RunRequest): SpotTerms | undefined {
  if (request.InstanceMarketOptions === undefined) return undefined;
  const {
    SpotInstanceType: type = "one-time",
    InstanceInterruptionBehavior: interruptionBehavior = "terminate",
    MaxPrice: maxPrice,
  } = request.InstanceMarketOptions.SpotOptions ?? {};
  if (type === "persistent" && interruptionBehavior === "terminate") {
    throw combination(
      "The terminate InstanceInterruptionBehavior is not supported when requestType is set to persistent.",
    );
  }
  if (type === "one-time" && interruptionBehavior !== "terminate") {
    throw combination(
      `The request with type 'one-time' is not supported when instanceInterruptionBehavior is set to '${interruptionBehavior}'.`,
    );
  }
  if (maxPrice !== undefined && !/^\d{1,6}(?:\.\d{1,6})?$/.test(maxPrice)) {
    throw invalidValue("MaxPrice", maxPrice, "Expecting a price by the hour, such as 0.05.");
  }
  if (request.DisableApiTermination === true) {
    throw combination("Spot Instances cannot be protected from termination: disableApiTermination.");
  }
  if (request.Placement?.Tenancy === "host") {
    throw combination("Spot Instances cannot be launched on a Dedicated Host.");
  }
  return { type, interruptionBehavior, ...(maxPrice === undefined ? {} : { maxPrice }) };
}

function combination(message: string): ApiError {
  return new ApiError("InvalidParameterCombination", message);
}

/** What an instance itself has of its spot request. */
export function spotFields(
  terms: SpotTerms,
): Pick<Instance, "spot" | "spotRequestId" | "interruptedBy"> & { readonly spotRequestId: string } {
  const { interruptionBehavior } = terms;
  return {
    spot: true,
    spotRequestId: `sir-${randomBytes(4).toString("hex")}`,
    ...(interruptionBehavior === "terminate" ? {} : { interruptedBy: interruptionBehavior }),
  };
}

/** The id of an instance's spot request. */
export function spotRequestIdOf({ id, spot, spotRequestId }: Instance): string | undefined {
  if (spot !== true) return undefined;
  return spotRequestId ?? `sir-${id.slice(-8)}`;
}

import { BakeError } from "../base/errors.ts";
import { didYouMean } from "../base/nearest.ts";
import { byText } from "../catalog/names.ts";
import type { Catalog, Service } from "../catalog/service.ts";
import { planDigest, serviceDigest } from "./digest.ts";
import { closureOf, inOrder } from "./order.ts";
import type { Plan, PlannedService, PlanRequest } from "./plan.ts";

/**
 * Decides what has to be done for the services that are asked for. Pure; the same catalog and request give the
 * same plan, whatever the order on disk.
 * @throws BakeError `usage` for an unknown service or parameter, with every one of them and the nearest names.
 */
export function makePlan(catalog: Catalog, request: PlanRequest): Plan {
  const requested = [...new Set(request.services)].sort(byText);
  refuse(unknownServices(catalog, requested));
  const services = inOrder(closureOf(catalog, requested));
  refuse(unfitParameters(catalog, services, request.parameters));

  const requiredBy = new Map<string, string[]>(services.map(({ name }) => [name, []]));
  for (const { name, requires } of services) {
    for (const required of requires) requiredBy.get(required)?.push(name);
  }
  const digests = new Map<string, string>();
  const planned = services.map((service): PlannedService => {
    const parameters = valuesOf(service, request.parameters.get(service.name));
    // Requirements come first in the order, so their digests are there.
    const required = service.requires.map((name) => digests.get(name) ?? "");
    const digest = serviceDigest(service, parameters, required);
    digests.set(service.name, digest);
    return {
      service,
      requested: requested.includes(service.name),
      requiredBy: (requiredBy.get(service.name) ?? []).sort(byText),
      parameters,
      digest,
    };
  });
  return {
    requested,
    services: planned,
    globalSteps: catalog.globalSteps,
    digest: planDigest(digests, catalog.globalSteps),
  };
}

/** Something that was asked for and cannot be had. */
interface Refusal {
  readonly message: string;
  readonly hint: string;
}

function refuse(refusals: readonly Refusal[]): void {
  const [first, ...others] = refusals;
  if (first === undefined) return;
  throw new BakeError("usage", first.message, {
    hint: first.hint,
    details: others.map(({ message, hint }) => `${message} (${hint})`),
  });
}

function unknownServices(catalog: Catalog, names: readonly string[]): Refusal[] {
  const known = [...catalog.services.keys()];
  return names
    .filter((name) => !catalog.services.has(name))
    .map((name) => ({
      message: `there is no service ${JSON.stringify(name)}`,
      hint: didYouMean(name, known) || "bake-ami services lists them all",
    }));
}

function unfitParameters(
  catalog: Catalog,
  planned: readonly Service[],
  given: PlanRequest["parameters"],
): Refusal[] {
  const names = planned.map(({ name }) => name);
  return [...given].flatMap(([name, values]) => {
    const service = catalog.services.get(name);
    if (service === undefined) return unknownServices(catalog, [name]);
    const known = [...service.parameters.keys()];
    const refusals: Refusal[] = [];
    if (!names.includes(name)) {
      const hint = `leave it out, or ask for ${name} too`;
      refusals.push({ message: `parameters are given for ${name}, which is not in the plan`, hint });
    }
    for (const [parameter, value] of values) {
      if (!service.parameters.has(parameter)) {
        refusals.push({
          message: `the service ${name} has no parameter ${JSON.stringify(parameter)}`,
          hint:
            didYouMean(parameter, known) ||
            (known.length === 0 ? "it has none at all" : `it has ${known.join(", ")}`),
        });
      } else if (value.includes("\0")) {
        const message = `the value of ${name}.${parameter} contains a NUL character`;
        refusals.push({ message, hint: "no environment variable can hold one" });
      }
    }
    return refusals;
  });
}

function valuesOf(service: Service, given: ReadonlyMap<string, string> | undefined): Map<string, string> {
  const values = new Map<string, string>();
  for (const [name, parameter] of service.parameters) {
    const value = given?.get(name) ?? parameter.default;
    if (value !== undefined) values.set(name, value);
  }
  return values;
}

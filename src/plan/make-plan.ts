import { BakeError } from "../base/errors.ts";
import { didYouMean } from "../base/nearest.ts";
import { byText } from "../catalog/names.ts";
import { readValue, type GivenValue, type Misfit } from "../catalog/parameter-value.ts";
import type { Catalog, Parameter, Service } from "../catalog/service.ts";
import { planDigest, serviceDigest } from "./digest.ts";
import { closureOf, inOrder } from "./order.ts";
import type { Plan, PlannedService, PlanRequest } from "./plan.ts";

/**
 * Decides what has to be done for the services that are asked for. Pure; the same catalog and request give the
 * same plan, whatever the order on disk.
 * @throws BakeError `usage` for an unknown service or parameter, a value that does not fit or is missing: with every one
 * of them and the nearest names.
 */
export function makePlan(catalog: Catalog, request: PlanRequest): Plan {
  const requested = [...new Set(request.services)].sort(byText);
  refuse(unknownServices(catalog, requested));
  const services = inOrder(closureOf(catalog, requested));
  refuse([
    ...unfitParameters(catalog, services, request.parameters),
    ...missingParameters(services, request.parameters, request.required ?? "init"),
  ]);

  const requiredBy = new Map<string, string[]>(services.map(({ name }) => [name, []]));
  for (const { name, requires } of services) {
    for (const required of requires) requiredBy.get(required)?.push(name);
  }
  const digests = new Map<string, string>();
  const planned = services.map((service): PlannedService => {
    const { parameters, references } = valuesOf(service, request.parameters.get(service.name));
    // Requirements come first in the order, so their digests are there.
    const required = service.requires.map((name) => digests.get(name) ?? "");
    const digest = serviceDigest(service, valuesOfInit(service, parameters), required);
    digests.set(service.name, digest);
    return {
      service,
      requested: requested.includes(service.name),
      requiredBy: (requiredBy.get(service.name) ?? []).sort(byText),
      parameters,
      references,
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

function refuse(refusals: readonly Misfit[]): void {
  const [first, ...others] = refusals;
  if (first === undefined) return;
  throw new BakeError("usage", first.message, {
    hint: first.hint,
    details: others.map(({ message, hint }) => `${message} (${hint})`),
  });
}

function unknownServices(catalog: Catalog, names: readonly string[]): Misfit[] {
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
): Misfit[] {
  const names = planned.map(({ name }) => name);
  return [...given].flatMap(([name, values]) => {
    const service = catalog.services.get(name);
    if (service === undefined) return unknownServices(catalog, [name]);
    const known = [...service.parameters.keys()];
    const refusals: Misfit[] = [];
    if (!names.includes(name)) {
      const hint = `leave it out, or ask for ${name} too`;
      refusals.push({ message: `parameters are given for ${name}, which is not in the plan`, hint });
    }
    for (const [parameter, text] of values) {
      const declared = service.parameters.get(parameter);
      if (declared === undefined) {
        refusals.push({
          message: `the service ${name} has no parameter ${JSON.stringify(parameter)}`,
          hint:
            didYouMean(parameter, known) ||
            (known.length === 0 ? "it has none at all" : `it has ${known.join(", ")}`),
        });
        continue;
      }
      const read = readValue(`${name}.${parameter}`, declared, text);
      if (!("kind" in read)) refusals.push(read);
    }
    return refusals;
  });
}

function missingParameters(
  planned: readonly Service[],
  given: PlanRequest["parameters"],
  required: "init" | "all" | "none",
): Misfit[] {
  if (required === "none") return [];
  return planned.flatMap(({ name, parameters }) =>
    [...parameters].flatMap(([parameter, declared]) => {
      const matters = declared.required && (required === "all" || declared.phase === "init");
      if (!matters || declared.from !== undefined || given.get(name)?.has(parameter) === true) return [];
      const about = declared.description === undefined ? "" : ` (${declared.description})`;
      const value = declared.secret ? "ssm:/path/of/it" : "...";
      return {
        message: `the service ${name} needs a value for ${parameter}${about}`,
        hint: `give it: --set ${name}.${parameter}=${value}`,
      };
    }),
  );
}

interface Values {
  readonly parameters: ReadonlyMap<string, string>;
  readonly references: ReadonlyMap<string, string>;
}

function valuesOf(service: Service, given: ReadonlyMap<string, string> | undefined): Values {
  const parameters = new Map<string, string>();
  const references = new Map<string, string>();
  for (const [name, parameter] of service.parameters) {
    const value = valueOf(`${service.name}.${name}`, parameter, given?.get(name));
    if (value?.kind === "value") parameters.set(name, value.value);
    if (value?.kind === "reference") references.set(name, value.name);
  }
  return { parameters, references };
}

/** What does not fit was refused before. */
function valueOf(what: string, parameter: Parameter, text: string | undefined): GivenValue | undefined {
  if (text !== undefined) {
    const read = readValue(what, parameter, text);
    return "kind" in read ? read : undefined;
  }
  if (parameter.from !== undefined) return { kind: "reference", name: parameter.from };
  return parameter.default === undefined ? undefined : { kind: "value", value: parameter.default };
}

/** What a machine is given at its launch is no part of what was baked. */
function valuesOfInit(service: Service, values: ReadonlyMap<string, string>): Map<string, string> {
  return new Map([...values].filter(([name]) => service.parameters.get(name)?.phase === "init"));
}

import { catalogOf, initOf } from "../aws/tags.ts";
import { BakeError } from "../base/errors.ts";
import { didYouMean } from "../base/nearest.ts";
import { checkValue, referenceIn } from "../catalog/parameter-value.ts";
import type { Catalog, Parameter } from "../catalog/service.ts";
import type { Listener } from "../report/events.ts";
import type { Choice } from "./choose-image.ts";
import { noSuchService } from "./known-services.ts";
import type { RequestLine } from "./request-lines.ts";

/** Values for parameters as a person gave them: service -> parameter -> text. */
export type GivenParameters = ReadonlyMap<string, ReadonlyMap<string, string>>;

/**
 * What the machines of a launch are told of their parameters: values as the catalog here checks them, and of secrets where they
 * are. What only the image knows is passed on as it is, and said to be.
 * @param catalog undefined when the one on this computer cannot be read
 * @throws BakeError `usage` for a service that the machines do not have, for what the catalog refuses, and for what is baked in
 */
export function parameterLines(
  given: GivenParameters,
  choice: Choice,
  catalog: Catalog | undefined,
  listener: Listener,
): RequestLine[] {
  const lines: RequestLine[] = [];
  const unchecked: string[] = [];
  for (const [service, values] of given) {
    checkOnMachine(service, choice, catalog);
    const known = catalog?.services.get(service);
    for (const [name, text] of values) {
      if (known === undefined) {
        unchecked.push(`${service}.${name}`);
        lines.push(asItIs(service, name, text));
        continue;
      }
      const parameter = known.parameters.get(name);
      if (parameter === undefined) throw noSuchParameter(service, name, known.parameters);
      checkNotBaked(service, name, parameter, choice);
      const value = checkValue(service, name, parameter, text);
      lines.push(
        value.kind === "reference"
          ? { kind: "secret", service, parameter: name, name: value.name }
          : { kind: "set", service, parameter: name, value: value.value },
      );
    }
  }
  if (unchecked.length > 0) {
    const message = `not checked, because the catalog here does not have them: ${unchecked.join(", ")}`;
    listener({ type: "note", at: Date.now(), message });
  }
  return lines;
}

/**
 * What the machines of a launch will look for in Parameter Store, as `service.parameter`: what the launch says, and else the
 * catalog here. Sorted.
 */
export function referencesOf(
  lines: readonly RequestLine[],
  { image, late }: Choice,
  catalog: Catalog | undefined,
): string[] {
  const services = catalog?.services ?? new Map<string, never>();
  const onMachine = [...initOf(image.tags).keys(), ...required(late, services)];
  const set = lines.flatMap((line) => (line.kind === "set" ? [`${line.service}.${line.parameter}`] : []));
  const declared = onMachine.flatMap((name) =>
    [...(services.get(name)?.parameters ?? [])].flatMap(([parameter, { from }]) =>
      from === undefined || set.includes(`${name}.${parameter}`) ? [] : [`${name}.${parameter}`],
    ),
  );
  const given = lines.flatMap((line) =>
    line.kind === "secret" ? [`${line.service}.${line.parameter}`] : [],
  );
  return [...new Set([...declared, ...given])].sort();
}

function asItIs(service: string, parameter: string, text: string): RequestLine {
  const name = referenceIn(text);
  return name === undefined
    ? { kind: "set", service, parameter, value: text }
    : { kind: "secret", service, parameter, name };
}

/** @throws BakeError `usage` for a service that the machines will not run. */
function checkOnMachine(service: string, { image, late }: Choice, catalog: Catalog | undefined): void {
  const baked = initOf(image.tags);
  const known = catalogOf(image.tags);
  if (baked.has(service)) return;
  const { services } = catalog ?? {};
  if (services?.has(service) !== true && known?.has(service) !== true) {
    // An image that was not baked, or does not say what it knows, may have anything, unless the catalog here says otherwise.
    if (services === undefined && known === undefined) return;
    throw noSuchService([service], [...(services?.keys() ?? []), ...(known?.keys() ?? []), ...baked.keys()]);
  }
  if (services === undefined || required(late, services).has(service)) return;
  throw new BakeError("usage", `no machine of this launch has the service ${service}`, {
    hint: `add it with --with ${service}, or bake it into the image`,
  });
}

/** These services and all that they require. */
function required(names: readonly string[], services: Catalog["services"]): Set<string> {
  const found = new Set<string>();
  const open = [...names];
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    if (found.has(name)) continue;
    found.add(name);
    open.push(...(services.get(name)?.requires ?? []));
  }
  return found;
}

/** @throws BakeError `usage` for what init has used already. */
function checkNotBaked(service: string, name: string, { phase }: Parameter, { image }: Choice): void {
  if (phase !== "init" || !initOf(image.tags).has(service)) return;
  throw new BakeError("usage", `${service}.${name} is used by init, which ${image.id} has behind it`, {
    hint: `bake again: \`bake-ami ${service} --set ${service}.${name}=...\`; or declare it with \`phase: update\``,
  });
}

function noSuchParameter(
  service: string,
  name: string,
  parameters: ReadonlyMap<string, Parameter>,
): BakeError {
  const known = [...parameters.keys()];
  return new BakeError("usage", `the service ${service} has no parameter ${name}`, {
    hint:
      didYouMean(name, known) || (known.length === 0 ? "it has none at all" : `it has ${known.join(", ")}`),
  });
}

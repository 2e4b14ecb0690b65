import { hash } from "node:crypto";
import { byText } from "../catalog/names.ts";
import { declarationFile } from "../catalog/parse-service.ts";
import type { Resource } from "../catalog/resources/resource.ts";
import type { GlobalSteps, Parameter, Service, ServiceFile, Unit } from "../catalog/service.ts";

// Part of every digest. To be raised when the meaning of a service directory changes in such a way that what an
// older version baked is no longer what this one would bake.
const format = "bake-ami init 1";

/**
 * The digest of what the init of a service does. It covers what init can see: the service's name, its init steps
 * and every file that they may use with run bits, packages, units, the values of its parameters, and the digests of
 * what it requires. It leaves out what works only later (update, verify) and what only steers (description,
 * timeout, retries).
 * @param parameters values of those that init uses
 * @returns 16 hex characters
 */
export function serviceDigest(
  service: Service,
  parameters: ReadonlyMap<string, string>,
  required: readonly string[],
): string {
  return digestOf([
    format,
    service.name,
    service.files.filter(({ path }) => isSeenByInit(path)).map(contentOf),
    [...service.packages.dnf].sort(byText),
    [...service.packages.apt].sort(byText),
    service.units.map(unitContent),
    [...parameters].sort(([a], [b]) => byText(a, b)),
    [...required].sort(byText),
    ...resourceContent(service.resources.filter(({ phase }) => phase === "init")),
  ]);
}

/**
 * The digest of everything that init does: the services' own, and the global steps around them.
 * @param services digests by name
 * @returns 16 hex characters
 */
export function planDigest(
  services: ReadonlyMap<string, string>,
  globalSteps: GlobalSteps | undefined,
): string {
  return digestOf([
    format,
    [...services].sort(([a], [b]) => byText(a, b)),
    (globalSteps?.files ?? []).filter(({ path }) => path.startsWith("init/")).map(contentOf),
  ]);
}

/**
 * The digest of all that a service is, in every phase and whatever values its parameters are given: two of them tell
 * whether a service has changed since.
 * @returns 8 hex characters: it goes into a tag, and nothing but a note hangs on it
 */
export function contentDigest(service: Service): string {
  return digestOf([
    service.files.map(contentOf),
    service.requires,
    service.packages.dnf,
    service.packages.apt,
    service.units.map(unitContent),
    [...service.parameters].map(([name, parameter]) => [
      name,
      parameter.default ?? null,
      // A parameter that says nothing of these has the digest that it had before there were such keys.
      ...(isPlain(parameter) ? [] : [{ ...parameter, description: undefined }]),
    ]),
    service.timeoutSeconds,
    service.retries,
    ...resourceContent(service.resources),
  ]).slice(0, 8);
}

/** Nothing for a service without any, which keeps the digest that it had before there were any. */
function resourceContent(resources: readonly Resource[]): unknown[] {
  if (resources.length === 0) return [];
  return [
    resources.map(({ kind, phase, fields }) => [
      kind,
      phase,
      Object.entries(fields).sort(([a], [b]) => byText(a, b)),
    ]),
  ];
}

// What a unit has beyond its name is left out where it says nothing more.
function unitContent({ name, enabled, started, masked, restartOn }: Unit): unknown {
  const more = started === enabled && !masked && restartOn.length === 0 ? [] : [started, masked, restartOn];
  return [name, enabled, ...more];
}

function isPlain({ type, phase, required, secret, from }: Parameter): boolean {
  return type === "string" && phase === "init" && !required && !secret && from === undefined;
}

// Not only init/ and files/: a step may also read a script of its own kept elsewhere in the directory.
const unseen = /^(?:update|verify)(?:\.sh$|\/)|^(?:README|LICEN[CS]E|CHANGELOG)(?:\.[a-z]+)?$/;

function isSeenByInit(path: string): boolean {
  return path !== declarationFile && !unseen.test(path);
}

// Modes are 0755 or 0644 on the machine, whatever else they are here.
function contentOf({ path, executable, sha256 }: ServiceFile): readonly [string, boolean, string] {
  return [path, executable, sha256];
}

// JSON keeps the borders between the parts, so that no two different values give the same text.
function digestOf(value: unknown): string {
  return hash("sha256", JSON.stringify(value), "hex").slice(0, 16);
}

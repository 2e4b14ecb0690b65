import { createHash } from "node:crypto";
import { architectureOf } from "../aws/instance-types.ts";
import { imageTags } from "../aws/tags.ts";
import { BakeError } from "../base/errors.ts";
import type { BakeOptions } from "./options.ts";
import { findSource, type Architecture, type Source } from "./source.ts";

/** What is known before anything is started. */
export interface Prepared {
  readonly source: Source;
  readonly types: readonly string[];
  /** Of everything that makes the image what it is: two bakes with the same digest make the same image. */
  readonly digest: string;
  /** What the image's tags say of its content. */
  readonly contentTags: ReadonlyMap<string, string>;
}

/**
 * Finds the source, and checks whatever can be checked before anything is started.
 * @throws BakeError `usage` or `not-found`.
 */
export async function prepare(options: BakeOptions): Promise<Prepared> {
  const { cloud, plan, signal } = options;
  const contentTags = imageTags(
    plan.requested,
    new Map(plan.services.map((s) => [s.service.name, s.digest])),
    options.bundle.services,
    options.extraTags.size,
  );
  checkPause(options);
  checkSigners(options);
  const source = await findSource(
    cloud,
    {
      query: options.source,
      login: options.login,
      architecture: await commonArchitecture(options),
      allowDeprecated: options.allowDeprecated,
    },
    signal,
  );
  const types = options.types.length > 0 ? options.types : [options.defaultTypes[source.architecture]];
  return { source, types, digest: digestOf(options, source), contentTags };
}

/** What the chosen types have in common; undefined when none was chosen. @throws BakeError `usage` when they differ. */
async function commonArchitecture(options: BakeOptions): Promise<Architecture | undefined> {
  if (options.types.length === 0) return undefined;
  const found = await architectureOf(options.cloud, options.types, options.signal);
  const [first, second] = new Set(found.values());
  if (second === undefined) return first;
  throw new BakeError("usage", "the instance types are of different architectures", {
    details: [...found].map(([type, architecture]) => `${type} is ${architecture}`),
    hint: "one bake makes one image: name types of one architecture with --type",
  });
}

function checkPause({ pauseAfter, plan }: BakeOptions): void {
  if (pauseAfter === undefined) return;
  const names = plan.services.map(({ service }) => service.name);
  if (names.includes(pauseAfter.service)) return;
  throw new BakeError("usage", `the bake has no service ${pauseAfter.service} to pause after`, {
    hint: `it has: ${names.join(", ")}`,
  });
}

/** Their fingerprints go into one tag of 256 characters. */
const mostSigners = 5;

function checkSigners({ signers = [] }: BakeOptions): void {
  if (signers.length <= mostSigners) return;
  throw new BakeError("usage", `an image can trust ${mostSigners} keys, and these are ${signers.length}`, {
    hint: "give fewer with --signer",
  });
}

function digestOf(options: BakeOptions, source: Source): string {
  const content = [
    options.owner,
    options.plan.digest,
    options.plan.requested,
    source.image.id,
    source.login,
    options.rootVolume ?? null,
    [...options.extraTags].sort(),
    (options.signers ?? []).map(({ publicKey }) => publicKey).sort(),
  ];
  return createHash("sha256").update(JSON.stringify(content)).digest("hex").slice(0, 32);
}

/** A line of at most 255 characters that says what is in the image. */
export function describeImage(options: Pick<BakeOptions, "plan">, source: Source): string {
  const names = options.plan.services.map((planned) => planned.service.name).join(" ");
  const rest = `; on ${source.image.name}; plan ${options.plan.digest.slice(0, 16)}`;
  const most = 255 - rest.length;
  return `${names.length > most ? `${names.slice(0, most - 3)}...` : names}${rest}`;
}

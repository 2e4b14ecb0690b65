import { describeImages, getImage, type Image } from "../aws/images.ts";
import type { Cloud } from "../aws/cloud.ts";
import type { Architecture } from "../aws/instance-types.ts";
import { readParameter } from "../aws/parameters.ts";
import { tagKeys } from "../aws/tags.ts";
import { BakeError, nothingStarted } from "../base/errors.ts";

export type { Architecture };

/** Which image a builder starts from. */
export type SourceQuery =
  /** Exactly this one. */
  | { readonly kind: "id"; readonly id: string }
  /** The one whose id is in a parameter of Systems Manager. */
  | { readonly kind: "parameter"; readonly name: string }
  /** The newest of its owner whose name matches. */
  | {
      readonly kind: "newest";
      /** Account id or alias; a name without an owner could be anybody's. */
      readonly owner: string;
      /** With `*` and `?`; `{arch}` becomes the architecture. */
      readonly name: string;
      /** When the instance types do not say; absent means any. */
      readonly architecture: Architecture | undefined;
      /** The user that such images let in, where they do not say it themselves. */
      readonly login: string | undefined;
      /** What to do when there is none. */
      readonly hint: string;
    };

export interface SourceRequest {
  readonly query: SourceQuery;
  /** In place of what the image or the query says. */
  readonly login: string | undefined;
  /** What the instance types want; undefined when none was chosen. */
  readonly architecture: Architecture | undefined;
  readonly allowDeprecated: boolean;
}

export interface Source {
  readonly image: Image;
  readonly architecture: Architecture;
  /** The user that the image lets in over SSH. */
  readonly login: string;
}

/** Amazon's images of Linux, and most others, let this user in. */
const usualLogin = "ec2-user";

/**
 * Finds the image to start from.
 * @throws BakeError `usage` with the remedy: nothing was started.
 */
export async function findSource(cloud: Cloud, request: SourceRequest, signal: AbortSignal): Promise<Source> {
  const { query } = request;
  const image = await findImage(cloud, request, signal).catch((error: unknown) => {
    throw nothingStarted(error);
  });
  const architecture = architectureOf(image);
  if (request.architecture !== undefined && request.architecture !== architecture) {
    throw new BakeError(
      "usage",
      `image ${image.id} is for ${architecture}, and the instance types are ${request.architecture}`,
      { hint: "choose types of the image's architecture with --type, or another image" },
    );
  }
  checkFit(image, request.allowDeprecated, new Date(cloud.clock.now()));
  const fallback = query.kind === "newest" ? query.login : undefined;
  return {
    image,
    architecture,
    login: request.login ?? image.tags.get(tagKeys.login) ?? fallback ?? usualLogin,
  };
}

async function findImage(cloud: Cloud, request: SourceRequest, signal: AbortSignal): Promise<Image> {
  const { query } = request;
  if (query.kind === "id") return await getImage(cloud, query.id, signal);
  if (query.kind === "parameter") {
    return await getImage(cloud, await readParameter(cloud, query.name, signal), signal);
  }
  const architecture = request.architecture ?? query.architecture;
  const name = query.name.replaceAll("{arch}", architecture ?? "*");
  const filters = [
    { Name: "name", Values: [name] },
    { Name: "state", Values: ["available"] },
    ...(architecture === undefined ? [] : [{ Name: "architecture", Values: [architecture] }]),
  ];
  const found = newestRelease(await describeImages(cloud, [query.owner], filters, signal));
  const now = new Date(cloud.clock.now());
  // Where all are deprecated, the newest is refused by its name.
  const image =
    (request.allowDeprecated ? undefined : found.find((each) => !isDeprecated(each, now))) ?? found[0];
  if (image !== undefined) return image;
  throw new BakeError("usage", `no image of owner ${query.owner} is named ${name}`, { hint: query.hint });
}

function architectureOf(image: Image): Architecture {
  if (image.architecture === "x86_64" || image.architecture === "arm64") return image.architecture;
  throw new BakeError("usage", `image ${image.id} is for ${image.architecture}`, {
    hint: "bake-ami bakes on x86_64 and arm64",
  });
}

/** @throws BakeError `usage` for an image that is not available, or that its owner gave up. */
function checkFit(image: Image, allowDeprecated: boolean, now: Date): void {
  if (image.state !== "available") {
    throw new BakeError("usage", `image ${image.id} is ${image.state}, so nothing can start from it`, {
      hint: "wait until it is available, or choose another",
    });
  }
  if (allowDeprecated || image.deprecatedAt === undefined || !isDeprecated(image, now)) return;
  const day = image.deprecatedAt.toISOString().slice(0, 10);
  throw new BakeError("usage", `image ${image.id} (${image.name}) is deprecated since ${day}`, {
    hint: "choose a newer one, or say --allow-deprecated",
  });
}

function isDeprecated(image: Image, now: Date): boolean {
  return image.deprecatedAt !== undefined && image.deprecatedAt <= now;
}

/**
 * Newest first: by the release in the name, as Amazon Linux writes it (`al2023-ami-2023.9.20251014.0-kernel-6.12-x86_64`),
 * then by the kernel, because one release has several and which was made last is chance; other names by their date.
 */
export function newestRelease(images: readonly Image[]): Image[] {
  return [...images].sort(
    (a, b) =>
      compareNumbers(numbersIn(a.name), numbersIn(b.name)) ||
      b.createdAt.getTime() - a.createdAt.getTime() ||
      a.id.localeCompare(b.id),
  );
}

/** Release and kernel as one list of numbers; empty for a name of another form. */
function numbersIn(name: string): number[] {
  const match = /-(\d{4}(?:\.\d+)+)-kernel-(\d+(?:\.\d+)*)-/.exec(name);
  return match === null ? [] : `${match[1] ?? ""}.${match[2] ?? ""}`.split(".").map(Number);
}

function compareNumbers(a: readonly number[], b: readonly number[]): number {
  if (a.length === 0 || b.length === 0) return 0;
  for (let index = 0; index < Math.max(a.length, b.length); index += 1) {
    const difference = (b[index] ?? 0) - (a[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

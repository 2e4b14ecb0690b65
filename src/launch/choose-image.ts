import type { Cloud } from "../aws/cloud.ts";
import type { Architecture } from "../aws/instance-types.ts";
import { describeImages, getImage, newestFirst, type Image } from "../aws/images.ts";
import { initOf, namesIn, tagKeys } from "../aws/tags.ts";
import { BakeError, nothingStarted } from "../base/errors.ts";
import { noSuchService, type LocalServices } from "./known-services.ts";

/** An image and what a launch adds to it. */
export interface Choice {
  readonly image: Image;
  /** Services that were asked for and that the image has. */
  readonly covered: readonly string[];
  /** Services that were asked for and that the machine initialises on its first boot. */
  readonly late: readonly string[];
}

/** All finished images that this owner baked, newest first. */
export async function ownImages(cloud: Cloud, owner: string, signal: AbortSignal): Promise<Image[]> {
  const images = await describeImages(
    cloud,
    ["self"],
    [
      { Name: `tag:${tagKeys.owner}`, Values: [owner] },
      { Name: `tag:${tagKeys.role}`, Values: ["image"] },
    ],
    signal,
  );
  return newestFirst(images);
}

/**
 * The newest image that has all the wanted services; failing that, the one that has most of them.
 * @param images newest first
 */
export function chooseImage(
  images: readonly Image[],
  wanted: readonly string[],
  extra: readonly string[],
): Choice | undefined {
  let best: Choice | undefined;
  for (const image of images) {
    if (image.state !== "available" || image.tags.has(tagKeys.expires)) continue;
    const choice = choiceOf(image, wanted, extra);
    if (choice.covered.length === 0) continue;
    if (best === undefined || countCovered(choice, wanted) > countCovered(best, wanted)) best = choice;
  }
  return best;
}

function countCovered(choice: Choice, wanted: readonly string[]): number {
  return wanted.filter((name) => choice.covered.includes(name)).length;
}

function choiceOf(image: Image, wanted: readonly string[], extra: readonly string[]): Choice {
  const has = initOf(image.tags);
  const all = [...new Set([...wanted, ...extra])].sort();
  return { image, covered: all.filter((name) => has.has(name)), late: all.filter((name) => !has.has(name)) };
}

export interface ImageRequest {
  readonly owner: string;
  /** Services, or the id of an image. */
  readonly names: readonly string[];
  /** The id of an image; names are then services that its machines must have. */
  readonly image?: string | undefined;
  /** What the image must be for; undefined for any. */
  readonly architecture?: Architecture | undefined;
  readonly extra: readonly string[];
  /** The catalog on this computer; undefined when it cannot be read. */
  readonly local: LocalServices | undefined;
}

/**
 * The image for a launch: `ami-...` names one, anything else is services.
 * @throws BakeError `usage` when there is no such image, or none of this owner that has any of the services.
 */
export async function findImage(cloud: Cloud, request: ImageRequest, signal: AbortSignal): Promise<Choice> {
  const named = request.names.filter((name) => /^ami-[0-9a-f]+$/.test(name));
  const services = request.names.filter((name) => !named.includes(name));
  const ids = [...new Set([...(request.image === undefined ? [] : [request.image]), ...named])];
  const [id, second] = ids;
  if (second !== undefined) {
    throw new BakeError("usage", `a launch takes one image, and these are ${ids.length}: ${ids.join(", ")}`);
  }
  const { architecture } = request;
  if (id !== undefined) {
    return choiceOf(await launchable(cloud, id, architecture, signal), services, request.extra);
  }
  const images = await ownImages(cloud, request.owner, signal);
  const fitting = images.filter((image) => architecture === undefined || image.architecture === architecture);
  const choice = chooseImage(fitting, services, request.extra);
  if (choice !== undefined) return choice;
  const other = chooseImage(images, services, request.extra)?.image;
  if (other !== undefined) {
    throw new BakeError(
      "usage",
      `no image of yours for ${architecture ?? ""} has ${services.join(", ")}; ${other.id}, which has, is for ${other.architecture}`,
      {
        hint: `bake one with a --type of ${architecture ?? ""}: \`bake-ami ${services.join(" ")} --type ${exampleTypes[architecture ?? "x86_64"]}\`; or launch on ${other.architecture}`,
      },
    );
  }
  const known = [...new Set(images.flatMap((image) => namesIn(image.tags, tagKeys.services)))].sort();
  const { local } = request;
  const unknown = services.filter((name) => local !== undefined && !local.has(name));
  if (local !== undefined && unknown.length > 0) throw noSuchService(unknown, [...local.keys(), ...known]);
  throw new BakeError("usage", `no image of yours has ${services.join(", ")}`, {
    hint: `bake one: \`bake-ami ${services.join(" ")}\`${known.length === 0 ? "" : `; your images have: ${known.join(", ")}`}`,
  });
}

/** The smallest sensible type of each architecture. */
const exampleTypes = { x86_64: "t3.small", arm64: "t4g.small" } as const;

async function launchable(
  cloud: Cloud,
  id: string,
  architecture: Architecture | undefined,
  signal: AbortSignal,
): Promise<Image> {
  const image = await getImage(cloud, id, signal).catch((error: unknown) => {
    throw nothingStarted(error);
  });
  if (architecture !== undefined && image.architecture !== architecture) {
    throw new BakeError("usage", `image ${id} is for ${image.architecture}, and not for ${architecture}`, {
      hint: `choose a --type of ${image.architecture}, or another image: \`bake-ami ls\` shows yours`,
    });
  }
  if (image.state === "available") return image;
  throw new BakeError("usage", `image ${id} is ${image.state}, so nothing can start from it`, {
    hint: "wait until it is available, or choose another: `bake-ami ls` shows yours",
  });
}

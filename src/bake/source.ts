import { describeImages, getImage, newestFirst, type Image } from "../aws/images.ts";
import type { Cloud } from "../aws/cloud.ts";
import { tagKeys } from "../aws/tags.ts";
import { BakeError } from "../base/errors.ts";

/** Which image a builder starts from: exactly this one, or the newest of its owner whose name matches. */
export type SourceQuery =
  | { readonly kind: "id"; readonly id: string; readonly login: string | undefined }
  | {
      readonly kind: "newest";
      /** Account id or alias; a name without an owner could be anybody's. */
      readonly owner: string;
      /** With `*` and `?`. */
      readonly name: string;
      readonly architecture: string | undefined;
      readonly login: string;
      /** What to do when there is none. */
      readonly hint: string;
    };

export interface Source {
  readonly image: Image;
  /** The user that the image lets in over SSH. */
  readonly login: string;
}

/**
 * Finds the image to start from.
 * @throws BakeError `usage` with the remedy: nothing was started.
 */
export async function findSource(cloud: Cloud, query: SourceQuery, signal: AbortSignal): Promise<Source> {
  if (query.kind === "id") {
    const image = await getImage(cloud, query.id, signal);
    return { image, login: query.login ?? image.tags.get(tagKeys.login) ?? "ec2-user" };
  }
  const filters = [
    { Name: "name", Values: [query.name] },
    { Name: "state", Values: ["available"] },
    ...(query.architecture === undefined ? [] : [{ Name: "architecture", Values: [query.architecture] }]),
  ];
  const [image] = newestFirst(await describeImages(cloud, [query.owner], filters, signal));
  if (image === undefined) {
    throw new BakeError("usage", `no image of owner ${query.owner} is named ${query.name}`, {
      hint: query.hint,
    });
  }
  return { image, login: query.login };
}

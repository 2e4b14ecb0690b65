import type { Image } from "../aws/images.ts";
import { catalogOf, initOf, namesIn, tagKeys } from "../aws/tags.ts";
import { BakeError } from "../base/errors.ts";
import { didYouMean } from "../base/nearest.ts";
import type { Choice } from "./choose-image.ts";

/** The services of the catalog on this computer, with the digest of all that each is. */
export type LocalServices = ReadonlyMap<string, string>;

/** Whether the machines of an image have bake-ami in them. */
export function isBaked(image: Pick<Image, "tags">): boolean {
  return initOf(image.tags).size > 0;
}

/**
 * Checks that a machine of the chosen image can have every service that is to be added to it: it knows those that were in
 * the catalog when its image was baked, and no others.
 * @param local undefined when the catalog on this computer cannot be read
 * @throws BakeError `usage` with the remedy
 */
export function checkLate(choice: Choice, local: LocalServices | undefined): void {
  const { image, late } = choice;
  if (late.length === 0) return;
  const catalog = catalogOf(image.tags);
  const known = [
    ...new Set([...(local?.keys() ?? []), ...(catalog?.keys() ?? []), ...initOf(image.tags).keys()]),
  ];
  const unknown = late.filter((name) => !known.includes(name));
  // Of an image that does not name its catalog, only this computer's catalog can tell; without that too, the machine will.
  if (unknown.length > 0 && (local !== undefined || catalog !== undefined))
    throw noSuchService(unknown, known);
  if (!isBaked(image)) {
    throw new BakeError(
      "usage",
      `${image.id} was not baked by bake-ami, so its machines cannot initialise ${late.join(", ")}`,
      { hint: `bake it: \`bake-ami ${late.join(" ")} --source-ami ${image.id}\`` },
    );
  }
  const missing = catalog === undefined ? [] : late.filter((name) => !catalog.has(name));
  if (missing.length === 0) return;
  const names = [...new Set([...namesIn(image.tags, tagKeys.services), ...missing])];
  throw new BakeError("usage", `${image.id} was baked before there was a service ${missing.join(", ")}`, {
    hint: `bake again: \`bake-ami ${names.join(" ")}\``,
  });
}

/** The error for services that nobody knows. */
export function noSuchService(names: readonly string[], known: readonly string[]): BakeError {
  const [first = ""] = names;
  const looksLikeImage = names.find((name) => name.startsWith("ami-"));
  if (looksLikeImage !== undefined) {
    return new BakeError("usage", `${looksLikeImage} is neither the id of an image nor a service`, {
      hint: "an id is ami- and 8 or 17 digits of 0-9 and a-f; `bake-ami ls` shows your images",
    });
  }
  const what = names.map((name) => JSON.stringify(name)).join(", ");
  return new BakeError("usage", `there is no service ${what}`, {
    hint: didYouMean(first, known) || "`bake-ami services` lists them all",
  });
}

/**
 * Of the services that a machine of this image will run, those that are not any more what they were when it was baked.
 * Whoever works on another project may have others of the same name.
 */
export function changedSince(choice: Choice, local: LocalServices | undefined): string[] {
  const catalog = catalogOf(choice.image.tags);
  if (local === undefined || catalog === undefined) return [];
  return [...initOf(choice.image.tags).keys(), ...choice.late].filter((name) => {
    const [then, now] = [catalog.get(name), local.get(name)];
    return then !== undefined && now !== undefined && then !== now;
  });
}

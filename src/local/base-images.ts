import { newId, stableId } from "./state/ids.ts";
import type { Architecture, Boot, State } from "./state/schema.ts";

/** The base images that `bake-ami local setup` can make, and whose they are on AWS, and the user that they let in. */
export const baseImages = {
  "debian-12": { ownerId: "136693071363", login: "admin" },
  al2023: { ownerId: "137112412989", login: "ec2-user" },
} as const;

/** On this computer both count as images that come with the cloud. */
const ownerAlias = "amazon";

export type BaseImageName = keyof typeof baseImages;

export function isBaseImageName(name: string): name is BaseImageName {
  return Object.hasOwn(baseImages, name);
}

/** A base image as it is entered into the state. */
export interface BaseImage {
  readonly base: BaseImageName;
  /** The image's name, such as `debian-12-amd64-20260102`. */
  readonly name: string;
  readonly description: string;
  readonly architecture: Architecture;
  readonly sizeGiB: number;
  /** The id of its disk, whose file is in place already. */
  readonly disk: string;
  readonly boot: Boot;
  /** Changes with what bake-ami puts into the image; absent when it was made before there were recipes. */
  readonly recipe?: string | undefined;
}

/** Carries the recipe of a base image. */
export const recipeTag = "bake-ami:recipe";

/** The image id of a base image: the same on every computer and after every new setup. */
export function baseImageId(base: BaseImageName, architecture: Architecture): string {
  return stableId("ami", `${base} ${architecture}`);
}

/** Enters a base image, in place of an older one of the same base; that one's disk stays while something backs on it. */
export function registerBaseImage(draft: State, image: BaseImage, now: number): string {
  const id = baseImageId(image.base, image.architecture);
  const older = draft.images.find((each) => each.id === id);
  const { ownerId, login } = baseImages[image.base];
  const snapshotId = newId("snap");
  draft.images = draft.images.filter((each) => each !== older);
  draft.snapshots = draft.snapshots.filter((each) => each.id !== older?.snapshotId);
  draft.disks.push({ id: image.disk });
  draft.snapshots.push({
    id: snapshotId,
    ownerId,
    volumeId: "vol-ffffffff",
    description: image.name,
    sizeGiB: image.sizeGiB,
    disk: image.disk,
    startedAt: now,
    tags: {},
  });
  draft.images.push({
    id,
    name: image.name,
    description: image.description,
    ownerId,
    ownerAlias,
    public: true,
    architecture: image.architecture,
    state: "available",
    createdAt: now,
    snapshotId,
    sizeGiB: image.sizeGiB,
    boot: image.boot,
    tags: {
      "bake-ami:base": image.base,
      "bake-ami:login": login,
      ...(image.recipe === undefined ? {} : { [recipeTag]: image.recipe }),
    },
  });
  return id;
}

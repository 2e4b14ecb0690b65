import type { Cloud } from "../aws/cloud.ts";
import { describeImages, newestFirst, type Image } from "../aws/images.ts";
import { describeInstances, type Instance } from "../aws/instances.ts";
import { poll } from "../aws/poll.ts";
import { tagKeys } from "../aws/tags.ts";
import { BakeError } from "../base/errors.ts";
import type { Listener } from "../report/events.ts";

/** What an earlier command of the same owner has begun of the same image. */
export type Unfinished =
  /** Its builder's work is done; the image is being made, or only lacks its last tag. */
  | { readonly kind: "image"; readonly image: Image }
  | { readonly kind: "builder"; readonly builder: Instance };

/** A builder that can still become an image. */
const livingStates = ["pending", "running", "stopping", "stopped"];

/** Looks for a bake of the same digest that is not finished. */
export async function findUnfinished(
  cloud: Cloud,
  request: { readonly owner: string; readonly digest: string },
  signal: AbortSignal,
): Promise<Unfinished | undefined> {
  const filters = [
    { Name: `tag:${tagKeys.owner}`, Values: [request.owner] },
    { Name: `tag:${tagKeys.digest}`, Values: [request.digest] },
  ];
  const [images, instances] = await Promise.all([
    describeImages(cloud, ["self"], filters, signal),
    describeInstances(cloud, [...filters, { Name: "instance-state-name", Values: livingStates }], signal),
  ]);
  return chooseUnfinished(images, instances, cloud.clock.now());
}

/** An image comes before a builder, because it is further; of several the newest. What has expired is a leftover. */
export function chooseUnfinished(
  images: readonly Image[],
  builders: readonly Instance[],
  now: number,
): Unfinished | undefined {
  const current = (tags: ReadonlyMap<string, string>): boolean =>
    Date.parse(tags.get(tagKeys.expires) ?? "") > now;
  const [image] = newestFirst(images).filter(
    ({ state, tags }) => (state === "pending" || state === "available") && current(tags),
  );
  if (image !== undefined) return { kind: "image", image };
  const [builder] = [...builders]
    .filter(({ state, tags }) => livingStates.includes(state) && current(tags))
    .sort((a, b) => (b.launchedAt?.getTime() ?? 0) - (a.launchedAt?.getTime() ?? 0));
  return builder === undefined ? undefined : { kind: "builder", builder };
}

/**
 * Waits for the image of a bake that another command drives.
 * @returns undefined when that bake ended without one
 */
export async function awaitOther(
  cloud: Cloud,
  builder: Instance,
  listener: Listener,
  signal: AbortSignal,
): Promise<Image | undefined> {
  const run = builder.tags.get(tagKeys.run);
  if (run === undefined) throw new BakeError("cloud", `builder ${builder.id} has no ${tagKeys.run} tag`);
  listener({
    type: "note",
    at: Date.now(),
    message: `run ${run} bakes the same image on ${builder.id}; waiting for it (start another with --no-join)`,
  });
  const expires = Date.parse(builder.tags.get(tagKeys.expires) ?? "");
  const seconds = Math.max(60, Math.ceil((expires - cloud.clock.now()) / 1000));
  const filters = [{ Name: `tag:${tagKeys.run}`, Values: [run] }];
  const look = async (inner: AbortSignal): Promise<{ image: Image | undefined } | undefined> => {
    const [images, instances] = await Promise.all([
      describeImages(cloud, ["self"], filters, inner),
      describeInstances(cloud, filters, inner),
    ]);
    const [image] = newestFirst(images).filter(({ state }) => state === "pending" || state === "available");
    if (image !== undefined) return { image };
    return instances.some(({ state }) => livingStates.includes(state)) ? undefined : { image: undefined };
  };
  const pace = { clock: cloud.clock, schedule: "image" } as const;
  const found = await poll(`run ${run} to end`, seconds, signal, look, pace);
  return found.image;
}

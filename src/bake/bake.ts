import type { Cloud } from "../aws/cloud.ts";
import {
  createImage,
  deleteImage,
  describeImages,
  removeTag,
  waitForImage,
  type Image,
} from "../aws/images.ts";
import { stopInstance, waitForState } from "../aws/instances.ts";
import { imageTags, runTags, tagKeys } from "../aws/tags.ts";
import { registered, warnOfLeftover, type Creation } from "../aws/temporary.ts";
import { Scope } from "../base/scope.ts";
import { throwIfAborted } from "../base/wait.ts";
import type { Bundle } from "../bundle/bundle.ts";
import { phaseStage } from "../machine/phase-stage.ts";
import type { Plan } from "../plan/plan.ts";
import type { Listener } from "../report/events.ts";
import { inStage } from "../report/stage.ts";
import { startBuilder, type Builder } from "./builder.ts";
import { sealMachine } from "./seal.ts";
import { findSource, type SourceQuery } from "./source.ts";

export interface BakeOptions {
  readonly cloud: Cloud;
  readonly plan: Plan;
  /** Of the whole catalog, so that a machine can initialise services that its image lacks. */
  readonly bundle: Bundle;
  readonly run: string;
  readonly owner: string;
  readonly source: SourceQuery;
  readonly instanceType: string;
  /** Who may reach the builder's SSH port. */
  readonly allowCidr: string;
  readonly sshProxyCommand: string | undefined;
  /** After this many seconds anybody's cleanup may take what the bake left. */
  readonly maxBakeSeconds: number;
  /** Of this program, for the image's tags. */
  readonly version: string;
  readonly listener: Listener;
  readonly signal: AbortSignal;
}

export interface BakeResult {
  readonly imageId: string;
  readonly imageName: string;
  readonly snapshotIds: readonly string[];
  readonly run: string;
  readonly services: readonly string[];
  readonly planDigest: string;
  readonly sourceImageId: string;
}

/** Deadlines of the waits for AWS, in seconds. */
const stopDeadlineSeconds = 600;
const imageDeadlineSeconds = 24 * 3600;
const undoDeadlineSeconds = 600;

/**
 * Bakes an image: builder, init, seal, image. Everything else that was created is gone when this returns or throws.
 * @throws BakeError `phase-failed` when a service failed; others as the rooms below throw them.
 */
export async function bake(options: BakeOptions): Promise<BakeResult> {
  const { cloud, plan, listener, signal } = options;
  const expires = new Date(Date.now() + options.maxBakeSeconds * 1000);
  // Both are checked before anything is started.
  const contentTags = imageTags(
    plan.requested,
    new Map(plan.services.map((s) => [s.service.name, s.digest])),
  );
  const source = await findSource(cloud, options.source, signal);

  await using scope = new Scope(undoDeadlineSeconds, warnOfLeftover(listener));
  const creation: Creation = { cloud, scope, listener, signal };
  const builder = await startBuilder(creation, {
    run: options.run,
    owner: options.owner,
    expires,
    source,
    instanceType: options.instanceType,
    allowCidr: options.allowCidr,
    sshProxyCommand: options.sshProxyCommand,
  });
  await initialise(builder, options);
  await inStage(listener, "seal", () => sealMachine(builder.machine, signal));
  await builder.machine[Symbol.asyncDispose]();
  await inStage(listener, "stop", async () => {
    await stopInstance(cloud, builder.instanceId, signal);
    await waitForState(cloud, builder.instanceId, "stopped", stopDeadlineSeconds, signal);
  });
  const name = imageName(plan.requested, options.run);
  const tags = new Map([
    ...runTags({ run: options.run, owner: options.owner, role: "image", expires }),
    ...contentTags,
    ["Name", name],
    [tagKeys.base, source.image.id],
    [tagKeys.version, options.version],
    [tagKeys.login, source.login],
  ]);
  const image = await inStage(listener, "image", () =>
    makeImage(creation, builder.instanceId, name, describe(options, source.image), tags),
  );
  return {
    imageId: image.id,
    imageName: name,
    snapshotIds: image.snapshotIds,
    run: options.run,
    services: plan.requested,
    planDigest: plan.digest,
    sourceImageId: source.image.id,
  };
}

async function initialise(builder: Builder, options: BakeOptions): Promise<void> {
  const request = {
    phase: "init",
    run: options.run,
    services: options.plan.requested,
    builder: true,
    metadata: "http://169.254.169.254",
  } as const;
  await phaseStage(builder.machine, request, options.bundle, options.listener, options.signal);
}

/** Makes the image and hands it over once it can be launched; until then its undo is registered. */
async function makeImage(
  creation: Creation,
  instanceId: string,
  name: string,
  description: string,
  tags: ReadonlyMap<string, string>,
): Promise<Image> {
  const { cloud, signal } = creation;
  const id = await createImage(cloud, { instanceId, name, description, tags }, signal);
  const { keep } = registered(creation, "image", id, async (undoSignal) => {
    const [image] = await describeImages(cloud, [], [{ Name: "image-id", Values: [id] }], undoSignal);
    if (image !== undefined) await deleteImage(cloud, image, undoSignal);
  });
  const image = await waitForImage(cloud, id, imageDeadlineSeconds, signal);
  throwIfAborted(signal);
  // Without this tag nothing takes the image for a leftover any more: it belongs to its owner from here on.
  await removeTag(cloud, [image.id, ...image.snapshotIds], tagKeys.expires, signal);
  keep();
  return image;
}

/** EC2 allows 3 to 128 characters of letters, digits and a few signs. */
export function imageName(requested: readonly string[], run: string): string {
  const most = 128 - "bake-ami--".length - run.length;
  return `bake-ami-${requested.join("-").slice(0, most)}-${run}`;
}

function describe(options: BakeOptions, source: Image): string {
  const names = options.plan.services.map((planned) => planned.service.name).join(" ");
  return `${names}; on ${source.name}; plan ${options.plan.digest.slice(0, 16)}`;
}

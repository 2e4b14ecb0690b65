import { isUncertain } from "../aws/cloud-error.ts";
import { waitForImage, type Image } from "../aws/images.ts";
import { tagKeys } from "../aws/tags.ts";
import { warnOfLeftover } from "../aws/temporary.ts";
import { BakeError, messageOf } from "../base/errors.ts";
import { Scope } from "../base/scope.ts";
import { withDeadline } from "../base/wait.ts";
import { sweepExpired, sweepRun } from "../cleanup/sweep.ts";
import { inStage } from "../report/stage.ts";
import { startBuilder, type Builder } from "./builder.ts";
import type { BuilderCreation } from "./connect.ts";
import { markKept, staysAfter, withWayOn } from "./failure.ts";
import { finishImage, imageDeadlineSeconds } from "./image.ts";
import { awaitOther, findUnfinished } from "./join.ts";
import type { BakeOptions, BakeResult } from "./options.ts";
import { findPlace } from "../aws/placement.ts";
import { prepare, type Prepared } from "./prepare.ts";
import { findResumable, resumeBuilder, type Resumable } from "./resume.ts";
import { stopBuilder, turnIntoImage } from "./turn-into-image.ts";

export type { BakeOptions, BakeResult, FailureChoice, PauseWait } from "./options.ts";

/** How long undoing may take, in seconds: a builder's termination takes a minute or so, and its group waits for it. */
const undoDeadlineSeconds = 600;

/**
 * Bakes an image: builder, init, seal, image. Everything else that was created is gone when this returns or throws,
 * but for a builder that is to be kept.
 * @throws BakeError `phase-failed` when a service failed; others as the rooms below throw them.
 */
export async function bake(options: BakeOptions): Promise<BakeResult> {
  const { cloud, owner, listener, signal } = options;
  const prepared = await prepare(options);
  await sweepExpired({ cloud, owner, listener, signal });
  if (options.resume) {
    const services = options.plan.requested;
    const { records } = options;
    return await bakeOn(options, prepared, await findResumable(cloud, { owner, services, records }, signal));
  }
  if (!options.join) return await bakeOn(options, prepared, undefined);
  return await joinOrBake(options, prepared);
}

/** Goes on with what an earlier command of the same content has begun, if there is such a thing. */
async function joinOrBake(options: BakeOptions, prepared: Prepared): Promise<BakeResult> {
  const { cloud, owner, listener, signal, records } = options;
  const unfinished = await findUnfinished(cloud, { owner, digest: prepared.digest }, signal);
  if (unfinished?.kind === "image") return await joinImage(options, prepared, unfinished.image);
  if (unfinished?.kind === "builder") {
    const instance = unfinished.builder;
    const run = instance.tags.get(tagKeys.run) ?? "";
    const keys = await records.load(run);
    if (keys !== undefined && !(await records.isLive(run))) {
      return await bakeOn(options, prepared, { instance, keys });
    }
    const image = await awaitOther(cloud, instance, listener, signal);
    if (image !== undefined) return await joinImage(options, prepared, image);
    listener({ type: "note", at: Date.now(), message: `run ${run} ended without an image; baking one` });
  }
  return await bakeOn(options, prepared, undefined);
}

async function joinImage(options: BakeOptions, prepared: Prepared, pending: Image): Promise<BakeResult> {
  const { cloud, listener, signal } = options;
  const joined = pending.tags.get(tagKeys.run) ?? "";
  await using scope = new Scope(undoDeadlineSeconds, warnOfLeftover(listener));
  await takeCharge(options, joined, scope);
  const image = await inStage(
    listener,
    "image",
    () => waitForImage(cloud, pending.id, imageDeadlineSeconds, signal),
    `${pending.id} of run ${joined}`,
  );
  await finishImage({ cloud, listener, signal }, image);
  return { ...resultOf(options, prepared, image), joined };
}

/** A cleanup on this computer leaves alone what a command still works on: now this one does. */
async function takeCharge({ records }: BakeOptions, run: string, scope: Scope): Promise<void> {
  if (await records.isLive(run)) return;
  const keys = await records.load(run);
  await (keys === undefined ? records.claim(run) : records.save(keys));
  scope.defer(`the record of run ${run}`, () => records.remove(run));
}

/** On a builder that is there, or on a new one. */
async function bakeOn(
  options: BakeOptions,
  prepared: Prepared,
  resumable: Resumable | undefined,
): Promise<BakeResult> {
  const { cloud, owner, run, listener } = options;
  try {
    return resultOf(options, prepared, await bakeInScope(options, prepared, resumable));
  } catch (error) {
    if (isUncertain(error)) {
      // Whether the last call made something is not known: what it may have made carries the run's tag.
      const signal = AbortSignal.timeout(undoDeadlineSeconds * 1000);
      await sweepRun({ cloud, run, owner, listener, signal, why: "uncertain" }).catch((failure: unknown) => {
        warnOfLeftover(listener)({ what: `what run ${run} left`, message: messageOf(failure) });
      });
    }
    throw error;
  }
}

async function bakeInScope(
  options: BakeOptions,
  prepared: Prepared,
  resumable: Resumable | undefined,
): Promise<Image> {
  const { cloud, listener, signal } = options;
  const expires = expiryOf(options, resumable);
  const seconds = Math.ceil((expires.getTime() - cloud.clock.now()) / 1000);
  await using scope = new Scope(undoDeadlineSeconds, warnOfLeftover(listener));
  // Connections go whether the builder stays or not.
  await using connections = new Scope(undoDeadlineSeconds, warnOfLeftover(listener));
  const creation: BuilderCreation = { cloud, scope, connections, listener, signal };
  let instanceId = resumable?.instance.id;
  const onStarted = (id: string): void => {
    instanceId = id;
  };
  try {
    const builder = await withDeadline(
      "the builder's work to end",
      seconds,
      signal,
      async (inner) => {
        const limited = { ...creation, signal: inner };
        const opened = await openBuilder(limited, options, prepared, { resumable, expires, onStarted });
        await workOn(limited, opened, options);
        return opened;
      },
      "--max-bake-time sets how long a bake may take",
      cloud.clock,
    );
    return await turnIntoImage(creation, builder, options, prepared);
  } catch (error) {
    if (instanceId === undefined || !(await staysAfter(error, options.onError, instanceId))) throw error;
    scope.keepAll();
    await markKept(options, instanceId);
    throw withWayOn(error, options, instanceId, expires);
  }
}

/** A builder powers itself off at the time that it was told when it was started, whoever goes on with it. */
function expiryOf({ cloud, maxBakeSeconds }: BakeOptions, resumable: Resumable | undefined): Date {
  const now = cloud.clock.now();
  const own = now + maxBakeSeconds * 1000;
  const { instance } = resumable ?? {};
  // A stopped one has nothing left to do, and nothing that could end it.
  if (instance === undefined || instance.state === "stopped") return new Date(own);
  const told = Date.parse(instance.tags.get(tagKeys.expires) ?? "");
  if (told > now) return new Date(Math.min(own, told));
  throw new BakeError("usage", `builder ${instance.id} has passed its time and is about to end itself`, {
    hint: "start afresh without --resume; --max-bake-time gives a builder more time",
  });
}

async function openBuilder(
  creation: BuilderCreation,
  options: BakeOptions,
  prepared: Prepared,
  how: { resumable: Resumable | undefined; expires: Date; onStarted: (id: string) => void },
): Promise<Builder> {
  const { owner, reach, records } = options;
  const { source, digest } = prepared;
  const services = options.plan.requested;
  if (how.resumable !== undefined) {
    const { login } = source;
    return await resumeBuilder(creation, how.resumable, { owner, services, digest, login, reach, records });
  }
  const { cloud, signal } = creation;
  const [place, allowCidrs] = await Promise.all([
    findPlace(cloud, { ...options.place, sshInterface: reach.sshInterface }, signal),
    options.allowCidrs(signal),
  ]);
  return await startBuilder(creation, {
    run: options.run,
    owner,
    expires: how.expires,
    digest,
    services,
    source,
    types: prepared.types,
    place,
    spot: options.spot,
    rootVolume: options.rootVolume,
    instanceProfile: options.instanceProfile,
    extraTags: options.extraTags,
    allowCidrs,
    reach,
    records,
    onStarted: how.onStarted,
  });
}

/** Everything that happens on the builder: init, seal, stop. A stopped builder has it behind it. */
async function workOn(creation: BuilderCreation, builder: Builder, options: BakeOptions): Promise<void> {
  const { machine, instanceId } = builder;
  const { listener, signal } = creation;
  if (machine === undefined) return;
  const { requested } = options.plan;
  const { pauseAfter } = options;
  if (pauseAfter === undefined) await machine.init(options.run, requested, options.bundle, signal);
  else {
    await machine.init(`${options.run}-first`, [pauseAfter.service], options.bundle, signal);
    await pauseAfter.wait(instanceId, signal);
    await machine.init(options.run, requested, undefined, signal);
  }
  const signers = (options.signers ?? []).map(({ publicKey }) => publicKey);
  await inStage(listener, "seal", () => machine.seal(signal, signers));
  await machine[Symbol.asyncDispose]();
  await stopBuilder(creation, builder);
}

function resultOf(options: BakeOptions, prepared: Prepared, image: Image): BakeResult {
  return {
    imageId: image.id,
    imageName: image.name,
    snapshotIds: image.snapshotIds,
    run: options.run,
    services: options.plan.requested,
    planDigest: options.plan.digest,
    sourceImageId: prepared.source.image.id,
  };
}

import { ApiError } from "../protocol/errors.ts";
import type { Image, Instance, Reason, State } from "../state/schema.ts";
import { isHit, spanOf, type Counters, type Span, type When } from "./chance.ts";
import type { CheckedFaultPlan } from "./plan.ts";

/** What a change of the state is subject to. */
export interface FateOptions {
  readonly plan: CheckedFaultPlan;
  readonly now: number;
  /** Counts what is refused: that leaves no trace in the state. */
  readonly refusals: Counters;
}

/**
 * Adds to a change what the plan has in store for it: how long it takes, how it ends, when it is seen. All of it is
 * written into the state together with the change, and the row of draws is counted there, so every process that
 * uses the state agrees. Pure but for the draft and the count.
 * @param before the state without the change
 * @param draft the state with the change
 * @throws ApiError when the plan refuses the change
 */
export function applyFates(before: State, draft: State, options: FateOptions): void {
  const fates = new Fates(draft, options);
  refuseDeletedGroups(before, draft, options.now);
  hideNew(before, draft, fates, options);
  const instances = new Map(before.instances.map((it) => [it.id, it]));
  for (const instance of draft.instances) {
    const earlier = instances.get(instance.id);
    if (earlier === undefined) launch(instance, fates, options);
    if (earlier?.state !== instance.state) instanceChanged(instance, earlier, fates, options);
  }
  const images = new Map(before.images.map((it) => [it.id, it]));
  for (const image of draft.images) {
    const earlier = images.get(image.id);
    // Base images come without an instance, and without fault.
    if (image.sourceInstanceId === undefined || earlier?.state === image.state) continue;
    imageChanged(image, earlier, fates, options);
  }
}

/** Draws by seed; each purpose has a row of its own, counted in the state. */
class Fates {
  readonly #draft: State;
  readonly #seed: number;

  constructor(draft: State, { plan }: FateOptions) {
    this.#draft = draft;
    this.#seed = plan.seed;
  }

  span(span: Span, purpose: string): number {
    return spanOf(span, this.#seed, purpose, this.#next(purpose));
  }

  isHit(when: When, purpose: string): boolean {
    return isHit(when, this.#seed, purpose, this.#next(purpose));
  }

  #next(purpose: string): number {
    const draws = (this.#draft.draws ??= {});
    const number = (draws[purpose] ?? 0) + 1;
    draws[purpose] = number;
    return number;
  }
}

type Kind = keyof CheckedFaultPlan["consistency"];

function hideNew(before: State, draft: State, fates: Fates, { plan, now }: FateOptions): void {
  const rows: readonly [Kind, readonly { id: string }[], { id: string; visibleAt?: number | undefined }[]][] =
    [
      ["instance", before.instances, draft.instances],
      ["image", before.images, draft.images],
      ["snapshot", before.snapshots, draft.snapshots],
      ["securityGroup", before.securityGroups, draft.securityGroups],
      ["keyPair", before.keyPairs, draft.keyPairs],
    ];
  for (const [kind, old, all] of rows) {
    const hiddenMs = plan.consistency[kind]?.hiddenMs;
    if (hiddenMs === undefined) continue;
    const known = new Set(old.map(({ id }) => id));
    for (const item of all) {
      if (!known.has(item.id)) item.visibleAt = now + fates.span(hiddenMs, `hidden.${kind}`);
    }
  }
}

function launch(instance: Instance, fates: Fates, { plan, now, refusals }: FateOptions): void {
  for (const [index, rule] of plan.capacity.entries()) {
    if (!isFor(rule, instance) || (rule.spotOnly && instance.spot !== true)) continue;
    const name = `capacity.${index}`;
    if (isHit(rule, plan.seed, name, refusals.next(name))) throw noCapacity(instance);
  }
  for (const [index, rule] of plan.failedLaunches.entries()) {
    if (!isFor(rule, instance) || !fates.isHit(rule, `failedLaunches.${index}`)) continue;
    instance.failsWith ??= reasonFor(rule, launchMessages);
  }
  const { spotInterruption } = plan;
  if (spotInterruption === undefined || instance.spot !== true) return;
  if (!fates.isHit(spotInterruption, "spotInterruption")) return;
  const at = now + fates.span(spotInterruption.afterMs, "spotInterruption.afterMs");
  instance.interruption = { at, noticeAt: at - spotInterruption.noticeMs };
}

function isFor(rule: { zone?: string | undefined; type?: string | undefined }, instance: Instance): boolean {
  return (
    (rule.zone === undefined || rule.zone === instance.zone) &&
    (rule.type === undefined || rule.type === instance.type)
  );
}

function noCapacity({ type, zone, spot }: Instance): ApiError {
  return new ApiError(
    "InsufficientInstanceCapacity",
    spot === true
      ? "There is no Spot capacity available that matches your request."
      : `We currently do not have sufficient ${type} capacity in the Availability Zone you requested (${zone}). Our system will be working on provisioning additional capacity.`,
    500,
  );
}

const launchMessages: Readonly<Record<string, string>> = {
  "Server.InternalError": "Internal error on launch",
  "Client.InternalError": "Client error on launch",
  "Client.InvalidSnapshot.NotFound": "The snapshot does not exist",
  "Client.VolumeLimitExceeded": "Volume limit exceeded",
};

const imageMessages: Readonly<Record<string, string>> = {
  "Server.InternalError": "An internal error has occurred during the creation of the image",
};

function reasonFor(
  { code, message }: { code: string; message?: string | undefined },
  known: Readonly<Record<string, string>>,
): Reason {
  return { code, message: message ?? `${code}: ${known[code] ?? "it failed, as the fault plan says"}` };
}

const delayOf = { pending: "start", stopping: "stop", "shutting-down": "terminate" } as const;

function instanceChanged(
  instance: Instance,
  earlier: Instance | undefined,
  fates: Fates,
  { plan, now }: FateOptions,
): void {
  const { state } = instance;
  // A virtual machine takes the time that it takes.
  if (
    instance.engine === "state-only" &&
    (state === "pending" || state === "stopping" || state === "shutting-down")
  ) {
    const delay = plan.delaysMs[delayOf[state]];
    if (delay !== undefined) instance.settlesAt = now + fates.span(delay, `delaysMs.${delayOf[state]}`);
  }
  if (state === "terminated" && plan.groupInUseMs !== undefined) {
    instance.groupsHeldUntil = now + fates.span(plan.groupInUseMs, "groupInUseMs");
  }
  const stale = plan.consistency.instance?.staleMs;
  if (stale === undefined || earlier === undefined) return;
  instance.earlier = { state: earlier.state, until: now + fates.span(stale, "stale.instance") };
}

function imageChanged(
  image: Image,
  earlier: Image | undefined,
  fates: Fates,
  { plan, now }: FateOptions,
): void {
  // The disk is frozen, which takes no time here; on EC2 it is copied now, for minutes.
  const isCopied = image.state === "available" && image.settlesAt === undefined;
  if (isCopied) {
    for (const [index, rule] of plan.failedImages.entries()) {
      if (fates.isHit(rule, `failedImages.${index}`)) image.failsWith ??= reasonFor(rule, imageMessages);
    }
    const delay = plan.delaysMs.image;
    if (delay !== undefined || image.failsWith !== undefined) {
      image.state = "pending";
      image.settlesAt = now + (delay === undefined ? 0 : fates.span(delay, "delaysMs.image"));
    }
  }
  const stale = plan.consistency.image?.staleMs;
  if (stale === undefined || earlier === undefined || earlier.state === image.state) return;
  image.earlier = { state: earlier.state, until: now + fates.span(stale, "stale.image") };
}

/** A terminated instance lets go of its network interface, and so of its groups, only after a while. */
function refuseDeletedGroups(before: State, draft: State, now: number): void {
  const left = new Set(draft.securityGroups.map(({ id }) => id));
  for (const { id } of before.securityGroups) {
    if (left.has(id)) continue;
    const isHeld = draft.instances.some(
      ({ groupIds, groupsHeldUntil = 0 }) => groupsHeldUntil > now && groupIds.includes(id),
    );
    if (isHeld) throw new ApiError("DependencyViolation", `resource ${id} has a dependent object`);
  }
}

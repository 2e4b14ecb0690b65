import { BakeError, messageOf, systemCodeOf } from "../../base/errors.ts";
import { isAlive, ownIdentity, type ProcessIdentity } from "../../base/process-identity.ts";
import { sleep } from "../../base/wait.ts";
import type { Disk, Image, Instance, State } from "../state/schema.ts";
import type { Store } from "../state/store.ts";
import { dropGarbage } from "./garbage.ts";
import {
  decide,
  decideImage,
  failToStart,
  powerButtonEveryMs,
  stopGraceMs,
  type Decision,
} from "./decide.ts";
import { dropEnded } from "./ended.ts";
import type { Engine } from "./engine.ts";

/**
 * Sees every change of the state before it is written, may add to it, and may refuse it by an ApiError.
 * @param before the state without the change
 * @param draft the state with it
 */
export type ChangeHook = (before: State, draft: State) => void;

/**
 * Keeps state and machines together without a process of its own: before each request it looks at the machines, and
 * writes down and does what follows from it. So it does not matter who started a machine, or who was killed meanwhile.
 */
export class Supervisor {
  readonly #store: Store;
  readonly #engines: ReadonlyMap<string, Engine>;
  readonly #signal: AbortSignal;
  readonly #now: () => number;
  readonly #onChange: ChangeHook | undefined;
  #swept = false;

  constructor(
    store: Store,
    engines: readonly Engine[],
    now: () => number,
    signal: AbortSignal,
    onChange?: ChangeHook,
  ) {
    this.#onChange = onChange;
    this.#store = store;
    this.#engines = new Map(engines.map((engine) => [engine.name, engine]));
    this.#now = now;
    this.#signal = signal;
  }

  /** @throws BakeError `failed` when this cloud was opened without the engine that runs the instance. */
  engineOf(instance: Pick<Instance, "engine">): Engine {
    const engine = this.#engines.get(instance.engine);
    if (engine !== undefined) return engine;
    throw new BakeError("failed", `this local cloud has instances of the engine ${instance.engine}`, {
      hint: "open it with that engine, or use another directory",
    });
  }

  /** What new instances run on: the engine that the cloud was opened with first. */
  engineForNew(): Engine {
    const [engine] = this.#engines.values();
    if (engine === undefined) throw new BakeError("failed", "this local cloud was opened without an engine");
    return engine;
  }

  /** Decides where the open ports of an instance answer, and writes it into the instance. */
  async place(draft: State, instance: Instance, ports: readonly number[]): Promise<void> {
    if (instance.publicAddress === undefined) return;
    const taken = draft.instances
      .filter((it) => it.id !== instance.id && it.publicAddress === instance.publicAddress)
      .flatMap((it) => it.forwards.map(({ hostPort }) => hostPort));
    instance.forwards = await this.engineOf(instance).place(instance, ports, new Set(taken));
  }

  /**
   * The state after all that has happened to the machines; as it was last written where nothing can be written, so that one can
   * look at a cloud in a directory that is read-only.
   */
  async reconciled(): Promise<State> {
    const written = await this.#store.read();
    try {
      return await this.#reconcile(written);
    } catch (error) {
      if (["EROFS", "EACCES"].includes(systemCodeOf(error) ?? "")) return written;
      throw error;
    }
  }

  async #reconcile(written: State): Promise<State> {
    let state = written;
    // Each round may make the next one possible, such as kill, then gone; three are enough for the longest such row.
    for (let round = 0; round < 4; round += 1) {
      if ((await this.#decideAll(state)).size === 0) break;
      const deeds = await this.#store.change(
        async (draft) => await this.#seen(draft, async () => await this.#apply(draft)),
        this.#signal,
      );
      for (const [instance, deed] of deeds) await this.#do(instance, deed);
      state = await this.#store.read();
      if (!this.#swept) await this.#sweep();
    }
    return state;
  }

  /** Changes the state; disks that nothing refers to afterwards are deleted. */
  async change<T>(work: (draft: State) => T | Promise<T>): Promise<T> {
    const { result, garbage } = await this.#store.change(async (draft) => {
      const outcome = await this.#seen(draft, async () => await work(draft));
      dropEnded(draft);
      return { result: outcome, garbage: dropGarbage(draft) };
    }, this.#signal);
    if (garbage || !this.#swept) await this.#sweep();
    return result;
  }

  async #seen<T>(draft: State, work: () => Promise<T>): Promise<T> {
    if (this.#onChange === undefined) return await work();
    const before = structuredClone(draft);
    const result = await work();
    this.#onChange(before, draft);
    return result;
  }

  /** Removes files that nothing refers to; only ever after the state that does not refer to them is on disk. */
  async #sweep(): Promise<void> {
    this.#swept = true;
    await this.#store.change(async (draft) => {
      for (const engine of this.#engines.values()) await engine.sweep(draft);
    }, this.#signal);
  }

  /** Starts the machine of a pending instance whose starter is this process; a failure is written down, not thrown. */
  async start(instance: Instance): Promise<void> {
    try {
      await this.engineOf(instance).start(instance);
    } catch (error) {
      await this.change((draft) => {
        const failed = draft.instances.find(({ id }) => id === instance.id);
        if (failed?.state === "pending") failToStart(failed, this.#now(), describe(error));
      });
    }
  }

  /** Has a machine's system power off, and returns when it is gone; pulls the plug when that takes too long. */
  async powerOff(instance: Instance): Promise<void> {
    const engine = this.engineOf(instance);
    const killAt = Date.now() + stopGraceMs;
    let pressedAt = 0;
    while (Date.now() < killAt) {
      const { kind } = await engine.observe({ ...instance, state: "stopping" }, this.#now());
      if (kind === "absent" || kind === "died") return;
      if (Date.now() - pressedAt >= powerButtonEveryMs) {
        pressedAt = Date.now();
        await engine.pressPowerButton(instance);
      }
      await sleep(100, this.#signal);
    }
    await engine.kill(instance);
  }

  async #decideAll(state: State): Promise<Map<string, Decision>> {
    const now = this.#now();
    const entries = await Promise.all(
      state.instances.map(async (instance): Promise<[string, Decision]> => {
        const facts = {
          observation: await this.#observe(instance, now),
          workerAlive: await aliveIfAny(instance.starter ?? instance.imagedBy),
          now,
        };
        return [instance.id, decide(instance, facts)];
      }),
    );
    const decisions = new Map(entries.filter(([, decision]) => Object.keys(decision).length > 0));
    for (const image of state.images) {
      if ((await this.#nextOf(image)) !== undefined) decisions.set(image.id, {});
    }
    return decisions;
  }

  async #observe(instance: Instance, now: number): ReturnType<Engine["observe"]> {
    if (instance.state === "stopped" || instance.state === "terminated") return { kind: "absent" };
    return await this.engineOf(instance).observe(instance, now);
  }

  async #nextOf(image: Image): Promise<((image: Image) => void) | undefined> {
    if (image.state !== "pending") return undefined;
    return decideImage(image, this.#now(), await aliveIfAny(image.maker));
  }

  /** Applies what follows to the draft; the machines are looked at again, because someone else may have acted. */
  async #apply(draft: State): Promise<[Instance, NonNullable<Decision["deed"]>][]> {
    const now = this.#now();
    const deeds: [Instance, NonNullable<Decision["deed"]>][] = [];
    const decisions = await this.#decideAll(draft);
    for (const image of draft.images) (await this.#nextOf(image))?.(image);
    for (const instance of draft.instances) {
      const decision = decisions.get(instance.id);
      if (decision === undefined) continue;
      if (!(await aliveIfAny(instance.imagedBy))) await this.settleDisk(instance);
      decision.change?.(instance, now);
      if (decision.deed === "start") instance.starter = { ...(await ownIdentity()) };
      if (decision.deed !== undefined) deeds.push([structuredClone(instance), decision.deed]);
    }
    draft.instances = draft.instances.filter(({ id }) => decisions.get(id)?.forget !== true);
    dropEnded(draft);
    if (dropGarbage(draft)) this.#swept = false;
    return deeds;
  }

  /** Ends a change of disks that was broken off. */
  async settleDisk(instance: Instance): Promise<void> {
    const { nextDisk } = instance.volume;
    if (nextDisk === undefined) return;
    const active = await this.engineOf(instance).activeDisk(instance);
    if (active === nextDisk) instance.volume.disk = nextDisk;
    delete instance.volume.nextDisk;
  }

  async #do(instance: Instance, deed: NonNullable<Decision["deed"]>): Promise<void> {
    const engine = this.engineOf(instance);
    switch (deed) {
      case "start":
        await this.start(instance);
        return;
      case "press-power-button":
        await engine.pressPowerButton(instance);
        return;
      case "kill":
        await engine.kill(instance);
        return;
    }
  }
}

/** A new disk that holds what `backing` holds, and takes the writes. */
export function overlayOn(backing: string, id: string): Disk {
  return { id, backing };
}

async function aliveIfAny(process: ProcessIdentity | undefined): Promise<boolean> {
  return process !== undefined && (await isAlive(process));
}

function describe(error: unknown): string {
  if (error instanceof BakeError) return [error.message, ...error.details].join(": ");
  return messageOf(error);
}

import { Cloud } from "../../src/aws/cloud.ts";
import { bake, type BakeOptions, type BakeResult } from "../../src/bake/bake.ts";
import { messageOf } from "../../src/base/errors.ts";
import { cleanup, type Removal } from "../../src/cleanup/cleanup.ts";
import type { Interceptor } from "../../src/local/cloud.ts";
import type { FaultPlan } from "../../src/local/faults/plan.ts";
import { openLocalCloud, type OpenOptions } from "../../src/local/open.ts";
import { Store } from "../../src/local/state/store.ts";
import type { Event } from "../../src/report/events.ts";
import { testBake } from "../support/bake.ts";
import {
  clientOptions,
  quickDirectory,
  stateOnlyCloud,
  type StateOnlyCloud,
} from "../support/local-cloud.ts";
import { randomNumbers } from "../support/random.ts";
import { VirtualClock } from "../support/virtual-clock.ts";
import { leftIn } from "./left.ts";
import { Witness } from "./witness.ts";

/** What became of a bake. */
export interface Outcome {
  readonly result: BakeResult | undefined;
  readonly error: unknown;
  /** Each with its hint. */
  readonly warnings: readonly string[];
  /** In the cloud's time, in milliseconds. */
  readonly tookMs: number;
}

export interface WorldOptions {
  readonly faults?: FaultPlan;
  /** Stands between the client and everything else. */
  readonly intercept?: Interceptor;
  /** For the lengths of the client's waits. */
  readonly seed?: number;
}

const never = new AbortController().signal;

/** A cloud that misbehaves, in a time of its own, with all that it takes to judge what a bake did in it. */
export class World implements AsyncDisposable {
  readonly clock: VirtualClock;
  readonly witness: Witness;
  readonly local: StateOnlyCloud;
  readonly #random: () => number;

  private constructor(clock: VirtualClock, witness: Witness, local: StateOnlyCloud, seed: number) {
    this.clock = clock;
    this.witness = witness;
    this.local = local;
    const draw = randomNumbers(seed);
    this.#random = () => draw(2 ** 20) / 2 ** 20;
  }

  static async open({ faults, intercept, seed = 1 }: WorldOptions = {}): Promise<World> {
    const clock = new VirtualClock();
    const witness = new Witness(clock.now);
    const options: Partial<OpenOptions> = {
      now: clock.now,
      ...(faults === undefined ? {} : { faults }),
      intercept: async (call, carryOut) =>
        await witness.see(call, async () =>
          intercept === undefined ? await carryOut() : await intercept(call, carryOut),
        ),
    };
    const local = await stateOnlyCloud(options, quickDirectory);
    witness.directory = local.directory;
    return new World(clock, witness, local, seed);
  }

  /** A bake by whoever meets the faults. It never throws. */
  async bake(overrides: Partial<BakeOptions> = {}): Promise<Outcome> {
    const began = this.clock.now();
    const { options, events } = testBake(this.local, overrides, this.#client());
    const ended = await this.clock
      .run(() => bake(options))
      .then(
        (result) => ({ result, error: undefined }),
        (error: unknown) => ({ result: undefined, error }),
      );
    return { ...ended, warnings: events.flatMap(warningIn), tookMs: this.clock.now() - began };
  }

  /** A cleanup by someone who meets the faults too. @throws what cleanup throws */
  async faultyCleanup(): Promise<Removal[]> {
    return await this.#cleanup(new Cloud({ ...clientOptions(this.local.cloud), ...this.#client() }));
  }

  /** A cleanup when everything works again. @throws what cleanup throws */
  async cleanup(): Promise<Removal[]> {
    return await this.#cleanup(new Cloud({ ...clientOptions(this.#healed()), ...this.#client() }));
  }

  async #cleanup(cloud: Cloud): Promise<Removal[]> {
    const options = { cloud, owner: "somebody", dryRun: false, listener: () => undefined, signal: never };
    return await this.clock.run(() => cleanup(options));
  }

  /** Ids of everything that is there, whatever the faults would show. */
  async left(): Promise<string[]> {
    return leftIn(await new Store(this.local.directory).read());
  }

  #healed(): StateOnlyCloud["cloud"] {
    const { directory } = this.local;
    return openLocalCloud({ directory, engine: "state-only", now: this.clock.now });
  }

  #client(): { readonly clock: VirtualClock; readonly random: () => number } {
    return { clock: this.clock, random: this.#random };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.local[Symbol.asyncDispose]();
  }
}

function warningIn(event: Event): string[] {
  return event.type === "warning" ? [`${event.message}; ${event.hint ?? "no hint"}`] : [];
}

/** The message of what a promise is rejected with; undefined when it is not. */
export async function complaintOf(promise: Promise<unknown>): Promise<string | undefined> {
  return await promise.then(
    () => undefined,
    (error: unknown) => messageOf(error),
  );
}

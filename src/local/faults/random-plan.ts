import { chance } from "./chance.ts";
import { callFaults, type CallFault, type FaultPlan } from "./plan.ts";

/** What a bake, a launch and a cleanup call; a plan that only hits other actions would be a plan without faults. */
const actions = [
  "RunInstances",
  "CreateImage",
  "CreateSecurityGroup",
  "AuthorizeSecurityGroupIngress",
  "ImportKeyPair",
  "CreateTags",
  "DeleteTags",
  "StopInstances",
  "TerminateInstances",
  "DeregisterImage",
  "DeleteSnapshot",
  "DeleteSecurityGroup",
  "DeleteKeyPair",
  "ModifyInstanceAttribute",
  "ModifyImageAttribute",
  "DescribeInstances",
  "DescribeImages",
  "DescribeSubnets",
  "DescribeSnapshots",
  "DescribeSecurityGroups",
  "DescribeKeyPairs",
] as const;

/** What can be denied and everything still be put away: nothing that lists or deletes. */
const deniable = [
  "RunInstances",
  "CreateImage",
  "CreateSecurityGroup",
  "AuthorizeSecurityGroupIngress",
  "ImportKeyPair",
  "CreateTags",
  "StopInstances",
  "ModifyInstanceAttribute",
  "ModifyImageAttribute",
] as const;

const zones = ["locala", "localb"] as const;

/**
 * A plan drawn by seed: legal, and the same for the same seed. Most plans throttle, delay and show late; a few
 * refuse for good or let something fail, so that what is tested ends in one clear error. Nothing lasts for ever but
 * what is denied, and capacity that a zone does not have. Pure.
 */
export function randomFaultPlan(seed: number): FaultPlan {
  const dice = new Dice(seed);
  return {
    seed,
    calls: [
      ...dice.maybe(0.6, () => ({ fault: "throttled" as const, rate: dice.part(0.4) })),
      ...dice.maybe(0.3, () => ({ fault: "unavailable" as const, rate: dice.part(0.1) })),
      ...dice.maybe(0.3, () => ({ fault: "internal-error" as const, rate: dice.part(0.05) })),
      ...dice.maybe(0.3, () => ({ fault: "reply-lost" as const, rate: dice.part(0.1) })),
      ...Array.from({ length: dice.whole(0, 4) }, () => ({
        fault: dice.of<CallFault>(callFaults.filter((each) => each !== "denied")),
        action: dice.of(actions),
        on: [dice.whole(1, 3)],
      })),
      ...dice.maybe(0.1, () => ({ fault: "denied" as const, action: dice.of(deniable) })),
    ],
    ...dice.one(0.3, () => ({
      buckets: { "*": { capacity: dice.whole(5, 100), refillPerSecond: dice.whole(1, 20) } },
    })),
    consistency: {
      ...dice.one(0.5, () => ({ instance: { ...hidden(dice), staleMs: dice.span(4000) } })),
      ...dice.one(0.5, () => ({ image: { ...hidden(dice), staleMs: dice.span(4000) } })),
      ...dice.one(0.4, () => ({ snapshot: hidden(dice) })),
      ...dice.one(0.4, () => ({ securityGroup: hidden(dice) })),
      ...dice.one(0.4, () => ({ keyPair: hidden(dice) })),
    },
    delaysMs: {
      start: dice.span(25_000),
      stop: dice.span(60_000),
      terminate: dice.span(60_000),
      image: dice.span(300_000),
    },
    capacity: dice.maybe(0.2, () => ({
      ...dice.one(0.6, () => ({ zone: dice.of(zones) })),
      spotOnly: dice.next() < 0.3,
      on: [1, 2].slice(0, dice.whole(1, 2)),
    })),
    failedLaunches: dice.maybe(0.1, () => ({
      code: dice.of(["Server.InternalError", "Client.InternalError", "Client.InvalidSnapshot.NotFound"]),
      on: [dice.whole(1, 2)],
    })),
    failedImages: dice.maybe(0.1, () => ({ on: [1] })),
    ...dice.one(0.4, () => ({ groupInUseMs: dice.span(30_000) })),
    ...dice.one(0.2, () => ({ spotInterruption: { afterMs: dice.span(300_000), rate: 0.5 } })),
  };
}

function hidden(dice: Dice): { hiddenMs: [number, number]; hiddenCalls: number } {
  return { hiddenMs: dice.span(5000), hiddenCalls: dice.whole(0, 3) };
}

/** One row of draws. */
class Dice {
  readonly #seed: number;
  #count = 0;

  constructor(seed: number) {
    this.#seed = seed;
  }

  next(): number {
    this.#count += 1;
    return chance(this.#seed, "plan", this.#count);
  }

  /** A whole number, both bounds included. */
  whole(least: number, most: number): number {
    return least + Math.floor(this.next() * (most - least + 1));
  }

  /** A rate up to `most`, with two digits so that a printed plan can be read. */
  part(most: number): number {
    return Math.round(this.next() * most * 100) / 100;
  }

  span(most: number): [least: number, most: number] {
    const [a, b] = [this.whole(0, most), this.whole(0, most)];
    return [Math.min(a, b), Math.max(a, b)];
  }

  of<T>(choices: readonly T[]): T {
    const chosen = choices[this.whole(0, choices.length - 1)];
    if (chosen === undefined) throw new RangeError("there is nothing to choose from");
    return chosen;
  }

  maybe<T>(probability: number, make: () => T): T[] {
    return this.next() < probability ? [make()] : [];
  }

  one<T extends object>(probability: number, make: () => T): Partial<T> {
    return this.next() < probability ? make() : {};
  }
}

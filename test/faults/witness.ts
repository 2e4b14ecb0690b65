import type { Call, Interceptor } from "../../src/local/cloud.ts";
import type { State } from "../../src/local/state/schema.ts";
import { Store } from "../../src/local/state/store.ts";

export interface SeenCall {
  readonly action: string;
  /** The how manieth of its action, from 1. */
  readonly number: number;
  /** By the cloud's clock, in milliseconds. */
  readonly at: number;
}

const kinds = ["instance", "image", "security group", "key pair"] as const;
export type Kind = (typeof kinds)[number];

const creating: Readonly<Record<string, Kind>> = {
  RunInstances: "instance",
  CreateImage: "image",
  CreateSecurityGroup: "security group",
  ImportKeyPair: "key pair",
};

/** Sees all calls of a cloud and remembers what was ever made, also what is gone again and what nobody was told of. */
export class Witness {
  readonly calls: SeenCall[] = [];
  /** Where the cloud keeps its state; set before the first call. */
  directory = "";
  readonly #now: () => number;
  readonly #made = new Map<Kind, Set<string>>(kinds.map((kind) => [kind, new Set()]));

  constructor(now: () => number) {
    this.#now = now;
  }

  async see(
    { action }: Call,
    carryOut: () => ReturnType<Interceptor>,
  ): Promise<Awaited<ReturnType<Interceptor>>> {
    this.calls.push({ action, number: this.countOf(action) + 1, at: this.#now() });
    const kind = creating[action];
    try {
      return await carryOut();
    } finally {
      // Also when the answer is lost, for that is when two are made.
      if (kind !== undefined) this.#remember(kind, await new Store(this.directory).read());
    }
  }

  countOf(action: string): number {
    return this.calls.filter((call) => call.action === action).length;
  }

  /** How many things of this kind were ever made. */
  made(kind: Kind): number {
    return this.#made.get(kind)?.size ?? 0;
  }

  /** Kinds of which a bake made more than the one that it needs. */
  duplicates(): string[] {
    return kinds
      .filter((kind) => this.made(kind) > 1)
      .map((kind) => `${this.made(kind)} of the kind ${kind} were made`);
  }

  #remember(kind: Kind, state: State): void {
    for (const id of idsOf(kind, state)) this.#made.get(kind)?.add(id);
  }
}

/** Ids of everything in the state that did not come with the cloud, ended or not. */
function idsOf(kind: Kind, state: State): string[] {
  switch (kind) {
    case "instance":
      return state.instances.map(({ id }) => id);
    case "image":
      return state.images.filter((image) => image.sourceInstanceId !== undefined).map(({ id }) => id);
    case "security group":
      return state.securityGroups.filter(({ name }) => name !== "default").map(({ id }) => id);
    case "key pair":
      return state.keyPairs.map(({ id }) => id);
  }
}

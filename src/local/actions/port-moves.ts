import { openPorts } from "../open-ports.ts";
import type { Forward, Instance, State } from "../state/schema.ts";
import type { Context } from "./action.ts";
import { retagPorts } from "./port-tags.ts";

/** A running machine whose open ports are to answer elsewhere. */
export interface Move {
  readonly instance: Instance;
  readonly from: readonly Forward[];
}

/** Gives instances the ports that their groups open now. What runs of them has yet to be told, see {@link carryOut}. */
export async function movePorts(
  context: Context,
  draft: State,
  instances: readonly Instance[],
): Promise<Move[]> {
  const moves: Move[] = [];
  for (const instance of instances) {
    if (instance.state === "terminated") continue;
    const from = instance.forwards;
    await context.machines.place(draft, instance, openPorts(draft, instance.groupIds));
    retagPorts(instance, from);
    if (instance.state === "running") moves.push({ instance: structuredClone(instance), from });
  }
  return moves;
}

export async function carryOut(context: Context, moves: readonly Move[]): Promise<void> {
  for (const { instance, from } of moves) {
    await context.machines.engineOf(instance).setForwards(instance, from, instance.forwards);
  }
}

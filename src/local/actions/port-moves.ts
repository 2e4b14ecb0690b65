import { openPorts } from "../open-ports.ts";
import type { Instance, State } from "../state/schema.ts";
import type { Context } from "./action.ts";
import { retagPorts } from "./port-tags.ts";

/** A running machine whose open ports are to answer elsewhere. */
export interface Move {
  readonly before: Instance;
  readonly after: Instance;
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
    const before = structuredClone(instance);
    await context.machines.place(draft, instance, openPorts(draft, instance.groupIds));
    retagPorts(instance, before.forwards);
    if (instance.state === "running") moves.push({ before, after: structuredClone(instance) });
  }
  return moves;
}

/**
 * Gives an instance another public address, or none. A running machine has yet to be told, see {@link carryOut}.
 * @param address absent for none
 */
export async function moveAddress(
  context: Context,
  draft: State,
  instance: Instance,
  address: string | undefined,
): Promise<Move[]> {
  const before = structuredClone(instance);
  if (address === undefined) delete instance.publicAddress;
  else instance.publicAddress = address;
  // Which ports can be had is another question at another address.
  instance.forwards = [];
  await context.machines.place(draft, instance, openPorts(draft, instance.groupIds));
  retagPorts(instance, before.forwards);
  return instance.state === "running" ? [{ before, after: structuredClone(instance) }] : [];
}

export async function carryOut(context: Context, moves: readonly Move[]): Promise<void> {
  for (const { before, after } of moves) await context.machines.engineOf(after).setForwards(before, after);
}

import type { State } from "../state/schema.ts";

/** Ids of all disks that an instance, an image or a snapshot needs, directly or as backing. */
export function neededDisks(state: State): Set<string> {
  const backing = new Map(state.disks.map((disk) => [disk.id, disk.backing]));
  const needed = new Set<string>();
  const need = (start: string | undefined): void => {
    for (let id = start; id !== undefined && !needed.has(id); id = backing.get(id)) needed.add(id);
  };
  for (const { state: instanceState, volume } of state.instances) {
    if (instanceState === "terminated") continue;
    need(volume.disk);
    need(volume.nextDisk);
  }
  // An image that is being made has no snapshot yet; what will be in it is still its instance's disk.
  for (const { disk } of state.snapshots) need(disk);
  return needed;
}

/**
 * Takes disks that nothing needs out of the state.
 * @returns whether there were any
 */
export function dropGarbage(state: State): boolean {
  const needed = neededDisks(state);
  const kept = state.disks.filter(({ id }) => needed.has(id));
  const dropped = kept.length < state.disks.length;
  state.disks = kept;
  return dropped;
}

import type { State } from "../../src/local/state/schema.ts";

/** Instances that are gone, or on their way out with nothing that could stop them. */
const ended = ["terminated", "shutting-down"];

/** Ids of everything in the state that did not come with the cloud; a snapshot only when no image has it. Pure. */
export function leftIn(state: State): string[] {
  const ofImages = new Set(state.images.map(({ snapshotId }) => snapshotId));
  return [
    ...state.instances.filter((instance) => !ended.includes(instance.state)),
    ...state.images.filter((image) => image.sourceInstanceId !== undefined),
    ...state.snapshots.filter(({ id }) => !ofImages.has(id)),
    ...state.keyPairs,
    ...state.securityGroups.filter(({ name }) => name !== "default"),
  ].map(({ id }) => id);
}

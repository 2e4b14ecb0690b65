import type { State } from "../state/schema.ts";

/** Takes out of the state what went with instances: the use of Elastic IP addresses, and spot requests that are over. */
export function dropEnded(state: State): void {
  const isOn = new Set(state.instances.filter((it) => it.state !== "terminated").map(({ id }) => id));
  for (const address of state.addresses) {
    const { association } = address;
    if (association !== undefined && !isOn.has(association.instanceId)) delete address.association;
  }
  const shown = new Set(state.instances.map(({ id }) => id));
  // A persistent one is there until somebody cancels it.
  state.spotRequests = state.spotRequests.filter(
    ({ instanceId, type, cancelledAt }) =>
      shown.has(instanceId) || (type === "persistent" && cancelledAt === undefined),
  );
}

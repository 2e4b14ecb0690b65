import type { Instance } from "../state/schema.ts";
import type { Engine, Observation } from "./engine.ts";

/** How long the changes of a state-only instance take, in milliseconds. */
export interface StateOnlyDelays {
  readonly start: number;
  readonly stop: number;
  readonly terminate: number;
}

/**
 * Instances without machines, for tests of everything that only needs the API: they do what they are told after a while, by
 * the cloud's clock.
 */
export function stateOnlyEngine(delays: StateOnlyDelays = { start: 0, stop: 0, terminate: 0 }): Engine {
  return {
    name: "state-only",
    check: nothing,
    publicAddress: (taken) => {
      for (let last = 1; ; last += 1) {
        const address = `127.63.${Math.floor(last / 250)}.${(last % 250) + 1}`;
        if (!taken.has(address)) return address;
      }
    },
    place: (_instance, ports) => Promise.resolve(ports.map((port) => ({ port, hostPort: port }))),
    createDisk: nothing,
    start: nothing,
    observe: (instance, now) => Promise.resolve(observe(instance, now, delays)),
    pressPowerButton: nothing,
    reset: nothing,
    kill: nothing,
    setForwards: nothing,
    switchDisk: nothing,
    activeDisk: (instance) => Promise.resolve(instance.volume.nextDisk ?? instance.volume.disk),
    console: () => Promise.resolve(undefined),
    sweep: nothing,
  };
}

/** Pure. What a fault plan has drawn for the instance comes before the engine's own delays. */
function observe(instance: Instance, now: number, delays: StateOnlyDelays): Observation {
  const settlesAfter = (delay: number): boolean => now >= (instance.settlesAt ?? instance.changedAt + delay);
  switch (instance.state) {
    case "pending":
      if (!settlesAfter(delays.start)) return { kind: "changing" };
      if (instance.failsWith !== undefined) return { kind: "died", message: instance.failsWith.message };
      return { kind: "present" };
    case "running":
      return { kind: "present" };
    case "stopping":
      return settlesAfter(delays.stop) ? { kind: "absent" } : { kind: "changing" };
    case "shutting-down":
      return settlesAfter(delays.terminate) ? { kind: "absent" } : { kind: "changing" };
    case "stopped":
    case "terminated":
      return { kind: "absent" };
  }
}

async function nothing(): Promise<void> {
  // There is no machine to do it to.
}

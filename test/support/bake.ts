import { Cloud, type CloudOptions } from "../../src/aws/cloud.ts";
import type { BakeOptions } from "../../src/bake/bake.ts";
import type { BuilderMachine, OpenMachine } from "../../src/bake/builder-machine.ts";
import type { BuilderKeys, BuilderRecords } from "../../src/bake/records.ts";
import { newRunId } from "../../src/base/ids.ts";
import { makePlan, type Plan } from "../../src/plan/index.ts";
import type { Event } from "../../src/report/events.ts";
import type { SshTarget } from "../../src/machine/target.ts";
import { catalog, service } from "../plan/catalogs.ts";
import { clientOptions, type StateOnlyCloud } from "./local-cloud.ts";

/** What happened on the machines of a bake, in order: `connect 127.63.0.1`, `init web`, `seal`, `close`. */
export interface MachineLog {
  readonly deeds: string[];
  readonly targets: SshTarget[];
}

/**
 * Builders that do at once whatever is asked of them. The API is what such a test is about; the machine has tests with
 * real ones.
 */
export function willingMachines(
  log: MachineLog,
  behaviour: Partial<Pick<BuilderMachine, "connect" | "init" | "seal">> = {},
): OpenMachine {
  return (target, options) => {
    log.targets.push(target);
    return {
      connect: async (signal) => {
        log.deeds.push(`connect ${target.host}`);
        await behaviour.connect?.(signal);
        options.onAnswer?.();
      },
      init: async (run, services, bundle, signal) => {
        log.deeds.push(`init ${services.join(" ")}`);
        await behaviour.init?.(run, services, bundle, signal);
      },
      seal: async (signal, signers) => {
        log.deeds.push("seal");
        await behaviour.seal?.(signal, signers);
      },
      [Symbol.asyncDispose]: () => {
        log.deeds.push("close");
        return Promise.resolve();
      },
    };
  };
}

/** Records in memory; every run counts as one whose command is over unless it is named in `live`. */
export function memoryRecords(live: ReadonlySet<string> = new Set()): BuilderRecords & {
  readonly kept: ReadonlyMap<string, BuilderKeys>;
  readonly claimed: readonly string[];
} {
  const kept = new Map<string, BuilderKeys>();
  const claimed: string[] = [];
  return {
    kept,
    claimed,
    save: (keys) => {
      kept.set(keys.run, keys);
      return Promise.resolve();
    },
    claim: (run) => {
      claimed.push(run);
      return Promise.resolve();
    },
    load: (run) => Promise.resolve(kept.get(run)),
    remove: (run) => {
      kept.delete(run);
      return Promise.resolve();
    },
    isLive: (run) => Promise.resolve(live.has(run)),
  };
}

/** The plan of services that need nothing. */
export function planOf(...names: string[]): Plan {
  return makePlan(catalog(names.map((name) => service(name))), { services: names, parameters: new Map() });
}

export interface TestBake {
  readonly options: BakeOptions;
  readonly events: Event[];
  readonly log: MachineLog;
}

/** A bake against a cloud without machines: everything in it has a value, and each can be given anew. */
export function testBake(
  local: Pick<StateOnlyCloud, "cloud" | "imageId">,
  overrides: Partial<BakeOptions> = {},
  cloudOptions: Partial<CloudOptions> = {},
): TestBake {
  const events: Event[] = [];
  const log: MachineLog = { deeds: [], targets: [] };
  return {
    events,
    log,
    options: {
      cloud: new Cloud({ ...clientOptions(local.cloud), ...cloudOptions }),
      plan: planOf("web"),
      bundle: { digest: "0123456789abcdef", archive: new Uint8Array(), services: new Map() },
      run: newRunId(new Date()),
      owner: "somebody",
      source: { kind: "id", id: local.imageId },
      login: undefined,
      allowDeprecated: false,
      types: [],
      defaultTypes: { x86_64: "t3.small", arm64: "t4g.small" },
      spot: false,
      place: { vpc: undefined, subnets: [] },
      reach: { sshInterface: "public-ip", sshProxyCommand: undefined, openMachine: willingMachines(log) },
      allowCidrs: () => Promise.resolve(["127.0.0.0/8"]),
      rootVolume: undefined,
      instanceProfile: undefined,
      extraTags: new Map(),
      maxBakeSeconds: 7200,
      onError: "cleanup",
      pauseAfter: undefined,
      resume: false,
      join: true,
      records: memoryRecords(),
      version: "0.0.0-test",
      listener: (event) => events.push(event),
      signal: new AbortController().signal,
      ...overrides,
    },
  };
}

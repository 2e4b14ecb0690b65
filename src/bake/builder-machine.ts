import type { Bundle } from "../bundle/bundle.ts";
import { Machine, type ConnectOptions } from "../machine/machine.ts";
import { phaseStage } from "../machine/phase-stage.ts";
import type { SshTarget } from "../machine/target.ts";
import type { Listener } from "../report/events.ts";
import { sealMachine } from "./seal.ts";

/** What a bake does on the builder itself. */
export interface BuilderMachine extends AsyncDisposable {
  /** @throws BakeError `timeout`, `host-key`, `login`, `interrupted`, or what `checkAlive` throws. */
  connect(signal: AbortSignal): Promise<void>;
  /**
   * Runs the init phase of these services and of what they require; what has been done before is not done again.
   * @param bundle sent first, when given
   * @throws BakeError `phase-failed`.
   */
  init(
    run: string,
    services: readonly string[],
    bundle: Bundle | undefined,
    signal: AbortSignal,
  ): Promise<void>;
  /**
   * Scrubs the machine.
   * @param signers public keys of those whose bundles the machines of the image take
   * @throws BakeError `failed`.
   */
  seal(signal: AbortSignal, signers: readonly string[]): Promise<void>;
}

/** Makes the way to a builder; nothing is connected yet. */
export type OpenMachine = (target: SshTarget, options: ConnectOptions, listener: Listener) => BuilderMachine;

/** Builders are reached over SSH. */
export const openOverSsh: OpenMachine = (target, options, listener) => {
  const machine = new Machine(target, options);
  return {
    connect: async (signal) => {
      await machine.connect(signal);
    },
    init: async (run, services, bundle, signal) => {
      const request = {
        phase: "init",
        run,
        services,
        builder: true,
        metadata: "http://169.254.169.254",
      } as const;
      await phaseStage(machine, request, bundle, listener, signal);
    },
    seal: (signal, signers) => sealMachine(machine, signers, signal),
    [Symbol.asyncDispose]: () => machine[Symbol.asyncDispose](),
  };
};

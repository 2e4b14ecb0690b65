import type { Bundle } from "../bundle/bundle.ts";
import { Machine } from "../machine/machine.ts";
import { phaseStage } from "../machine/phase-stage.ts";
import { stopCommand } from "../machine/remote.ts";
import type { SshTarget } from "../machine/target.ts";
import type { Plan } from "../plan/plan.ts";
import type { Listener } from "../report/events.ts";
import { inStage } from "../report/stage.ts";

export interface ApplyOptions {
  readonly target: SshTarget;
  readonly plan: Plan;
  readonly bundle: Bundle;
  readonly run: string;
  readonly listener: Listener;
  readonly signal: AbortSignal;
}

const connectDeadlineSeconds = 60;
const stopDeadlineSeconds = 30;

/**
 * Runs init and update of services on a machine that exists already. What is initialised stays so: running it again
 * initialises only what is new or changed. When it is interrupted, the phase on the machine is ended too.
 * @throws BakeError `phase-failed` when a service failed; others as the rooms below throw them.
 */
export async function applyToMachine(options: ApplyOptions): Promise<void> {
  const { listener, signal, run, plan } = options;
  await using machine = new Machine(options.target, { deadlineSeconds: connectDeadlineSeconds });
  await inStage(listener, "connect", () => machine.connect(signal), options.target.host);
  try {
    for (const phase of ["init", "update"] as const) {
      const request = { phase, run, services: plan.requested, builder: false, metadata: undefined };
      await phaseStage(machine, request, phase === "init" ? options.bundle : undefined, listener, signal);
    }
  } finally {
    if (signal.aborted) await stopPhases(machine, listener);
  }
}

async function stopPhases(machine: Machine, listener: Listener): Promise<void> {
  try {
    const deadline = AbortSignal.timeout(stopDeadlineSeconds * 1000);
    await machine.exec(stopCommand(machine.target.user), { signal: deadline });
  } catch {
    const message = "the machine could not be told to stop; the phase may still run there";
    listener({ type: "warning", at: Date.now(), message });
  }
}

import { BakeError } from "../base/errors.ts";
import { didYouMean } from "../base/nearest.ts";
import type { Bundle } from "../bundle/bundle.ts";
import { phases } from "../catalog/service.ts";
import { Machine } from "../machine/machine.ts";
import { phaseStage } from "../machine/phase-stage.ts";
import { bundledServicesCommand, stopCommand } from "../machine/remote.ts";
import type { SshTarget } from "../machine/target.ts";
import type { Plan } from "../plan/plan.ts";
import type { Listener } from "../report/events.ts";
import { inStage } from "../report/stage.ts";

interface OnMachine {
  readonly target: SshTarget;
  readonly run: string;
  readonly listener: Listener;
  readonly signal: AbortSignal;
}

export interface ApplyOptions extends OnMachine {
  readonly plan: Plan;
  readonly bundle: Bundle;
  /** Whether to run verify after that. */
  readonly verify?: boolean;
}

export interface VerifyOptions extends OnMachine {
  /** All that the machine has when empty. What they require is verified too. */
  readonly services: readonly string[];
}

const connectDeadlineSeconds = 60;
const stopDeadlineSeconds = 30;

/**
 * Runs init and update of services on a machine that exists already. What is initialised stays so: running it again
 * initialises only what is new or changed. When it is interrupted, the phase on the machine is ended too.
 * @throws BakeError `phase-failed` when a service failed; others as the rooms below throw them.
 */
export async function applyToMachine(options: ApplyOptions): Promise<void> {
  const { run, plan, bundle, listener, signal } = options;
  await onMachine(options, async (machine) => {
    for (const phase of options.verify === true ? phases : phases.slice(0, 2)) {
      const request = { phase, run, services: plan.requested, builder: false, metadata: undefined };
      await phaseStage(machine, request, phase === "init" ? bundle : undefined, listener, signal);
    }
  });
}

/**
 * Runs the verify steps that a machine has, in the bundle that it has. When it is interrupted, they are ended on the
 * machine too.
 * @returns the services that have such steps; all of them are fine
 * @throws BakeError `phase-failed` when a service is not; `usage` when the machine has no bake-ami, or no such service.
 */
export async function verifyMachine(options: VerifyOptions): Promise<string[]> {
  const { run, services, signal } = options;
  const verified: string[] = [];
  const listener: Listener = (event) => {
    if (event.type === "phase-started") verified.push(...event.services);
    options.listener(event);
  };
  await onMachine({ ...options, listener }, async (machine) => {
    await checkVerifiable(machine, services, signal);
    const request = { phase: "verify", run, services, builder: false, metadata: undefined } as const;
    await phaseStage(machine, request, undefined, listener, signal);
  });
  return verified;
}

async function onMachine(options: OnMachine, work: (machine: Machine) => Promise<void>): Promise<void> {
  const { listener, signal } = options;
  // One that nobody launched here has long had its keys.
  const patience = options.target.instanceId === undefined ? { loginPatienceSeconds: 0 } : {};
  await using machine = new Machine(options.target, { deadlineSeconds: connectDeadlineSeconds, ...patience });
  await inStage(listener, "connect", () => machine.connect(signal), options.target.host);
  try {
    await work(machine);
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

/** @throws BakeError `usage` */
async function checkVerifiable(
  machine: Machine,
  services: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  const { stdout, status } = await machine.exec(bundledServicesCommand, { signal });
  const bundled = stdout.split("\n").filter((name) => name !== "" && !name.startsWith("_"));
  if (status !== 0 || bundled.length === 0) {
    throw new BakeError("usage", "this machine has no services of bake-ami", {
      hint: "put some there with `bake-ami apply`, or launch a machine from a baked image",
    });
  }
  const unknown = services.filter((name) => !bundled.includes(name));
  const [first] = unknown;
  if (first === undefined) return;
  throw new BakeError("usage", `this machine knows no service ${unknown.join(", ")}`, {
    hint: didYouMean(first, bundled) || `it knows: ${bundled.join(", ")}`,
  });
}

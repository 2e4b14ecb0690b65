import { phases, type Phase } from "../catalog/service.ts";
import type { PlannedService } from "../plan/plan.ts";
import { stepsOf } from "./declared.ts";

/** A drop-in of a service's unit in one phase. */
export interface DropIn {
  /** Below the unit directory. */
  readonly path: string;
  readonly lines: readonly string[];
}

/**
 * The drop-ins that turn the catalog into systemd's own dependencies. In update and verify a service without steps has
 * no unit to run, so whoever requires it depends on what it requires instead.
 * @param services in topological order
 */
export function dropIns(services: readonly PlannedService[]): DropIn[] {
  return phases.flatMap((phase) => phaseDropIns(phase, services));
}

function phaseDropIns(phase: Phase, services: readonly PlannedService[]): DropIn[] {
  // What a requirement on a service means in this phase: the nearest services that have a unit.
  const standIns = new Map<string, readonly string[]>();
  const result: DropIn[] = [];
  for (const planned of services) {
    const { service } = planned;
    const needs = [...new Set(service.requires.flatMap((name) => standIns.get(name) ?? []))].sort();
    if (phase !== "init" && stepsOf(service, phase).length === 0) {
      standIns.set(service.name, needs);
      continue;
    }
    standIns.set(service.name, [service.name]);
    result.push({
      path: `bake-ami-${phase}@${service.name}.service.d/10-bake-ami.conf`,
      lines: dropIn(phase, planned, needs),
    });
  }
  return result;
}

function dropIn(phase: Phase, { service, digest }: PlannedService, needs: readonly string[]): string[] {
  const units = needs.map((name) => `bake-ami-${phase}@${name}.service`);
  // Started by hand, an update still finds its init done.
  if (phase === "update") units.push(`bake-ami-init@${service.name}.service`);
  return [
    "[Unit]",
    ...units.flatMap((unit) => [`Requires=${unit}`, `After=${unit}`]),
    ...(phase === "init" ? [`ConditionPathExists=!/var/lib/bake-ami/init/${service.name}@${digest}`] : []),
    "[Service]",
    `TimeoutStartSec=${backstopSeconds(stepsOf(service, phase).length, service)}`,
  ];
}

/**
 * Longer than all steps with all their retries may take, the pauses between them, and 10 s to end each by force: it
 * only matters when the program that keeps those limits is itself gone astray.
 */
function backstopSeconds(
  steps: number,
  { timeoutSeconds, retries }: { readonly timeoutSeconds: number; readonly retries: number },
): number {
  const pauses = 2 ** (retries + 1) - 2;
  return Math.ceil(steps * ((retries + 1) * (timeoutSeconds + 10) + pauses)) + 60;
}

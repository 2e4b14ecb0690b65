import { namesIn, tagKeys } from "../aws/tags.ts";
import type { Instance } from "../aws/instances.ts";
import { BakeError } from "../base/errors.ts";
import type { Launched } from "../launch/wait.ts";
import type { UpdateOutcome } from "../launch/outcome.ts";
import { breakdownFor } from "../launch/times.ts";
import { bootLines } from "./machine-lines-boot.ts";
import type { Result } from "./session.ts";

/** By what it is paid. */
export function costClass(instance: Instance): "spot" | "on-demand" {
  return instance.spot ? "spot" : "on-demand";
}

/**
 * How long it has been running since it was launched or started last, or undefined when it is not.
 * @param now in milliseconds since the epoch
 */
export function uptimeSeconds({ state, launchedAt }: Instance, now: number): number | undefined {
  if (state !== "running" || launchedAt === undefined) return undefined;
  return Math.max(0, Math.floor((now - launchedAt.getTime()) / 1000));
}

/**
 * A machine as `--json` shows it.
 * @param now in milliseconds since the epoch
 */
export function machineValue(
  instance: Instance,
  outcome: UpdateOutcome | undefined,
  now = Date.now(),
): Record<string, unknown> {
  const boot = breakdownFor(instance, outcome?.times);
  return {
    id: instance.id,
    role: instance.tags.get(tagKeys.role),
    state: instance.state,
    address: instance.publicAddress,
    sshPort: instance.sshPort,
    login: instance.tags.get(tagKeys.login),
    ports: movedPorts(instance),
    type: instance.type,
    cost: costClass(instance),
    launchedAt: instance.launchedAt,
    uptimeSeconds: uptimeSeconds(instance, now),
    imageId: instance.imageId,
    services: namesIn(instance.tags, tagKeys.services),
    added: namesIn(instance.tags, tagKeys.with),
    run: instance.tags.get(tagKeys.run),
    update: outcome,
    ...(boot === undefined ? {} : { boot }),
  };
}

/** Ports that answer under another number, because the cloud had to choose: opened -> answering. */
function movedPorts(instance: Instance): Record<string, number> {
  const moved = [...instance.tags].flatMap(([key, value]) => {
    const port = /^bake-ami:port-(\d+)$/.exec(key)?.[1];
    return port === undefined ? [] : [[port, Number(value)] as const];
  });
  return Object.fromEntries(moved);
}

/** An outcome in a word or a few. */
export function outcomeText(outcome: UpdateOutcome | undefined): string {
  if (outcome === undefined) return "-";
  if (outcome.result === "ok") return "ok";
  const names = [...outcome.failed, ...outcome.notStarted];
  return names.length === 0 ? "FAILED" : `FAILED: ${names.join(", ")}`;
}

/**
 * The machines that a launch started: id and address, a line each; and the error of those whose update failed or was not
 * seen to end. They run all the same.
 */
export function launchedResult(launched: readonly Launched[]): Result {
  const error = updateError(launched);
  const remarks = bootLines(launched);
  return {
    text: launched.map(({ instance }) => `${instance.id} ${instance.publicAddress ?? "-"}`).join("\n"),
    value: launched.map(({ instance, outcome, trouble }) => ({
      ...machineValue(instance, outcome),
      ...(trouble === undefined ? {} : { trouble: trouble.message }),
    })),
    ...(remarks.length === 0 ? {} : { remarks }),
    ...(error === undefined ? {} : { error }),
  };
}

function updateError(launched: readonly Launched[]): BakeError | undefined {
  const failed = launched.filter(({ outcome }) => outcome?.result === "failed");
  const unseen = launched.filter(({ trouble }) => trouble !== undefined);
  const [first] = [...failed, ...unseen];
  if (first === undefined) return undefined;
  const ids = (of: readonly Launched[]): string => of.map(({ instance }) => instance.id).join(", ");
  const messages = [
    ...(failed.length === 0 ? [] : [`the update failed on ${ids(failed)}`]),
    ...(unseen.length === 0 ? [] : [`the update was not seen to end on ${ids(unseen)}`]),
  ];
  const { id } = first.instance;
  const hints = [
    `${launched.length === 1 ? "the machine is" : "the machines are"} still there`,
    `look with \`bake-ami logs ${id}\` or \`bake-ami ssh ${id}\``,
    `end it with \`bake-ami terminate ${id}\``,
    ...(unseen.some(({ trouble }) => trouble?.kind === "timeout") ? ["--timeout sets how long to wait"] : []),
  ];
  return new BakeError(failed.length > 0 ? "phase-failed" : "timeout", messages.join("; "), {
    details: [
      ...failed.flatMap(({ instance, outcome }) => [
        `${instance.id}: ${outcomeText(outcome)}`,
        ...(outcome?.reasons ?? []).map((reason) => `  ${reason}`),
      ]),
      ...unseen.map(({ instance, trouble }) => `${instance.id}: ${trouble?.message ?? ""}`),
    ],
    hint: hints.join("; "),
  });
}

import { namesIn, tagKeys } from "../aws/tags.ts";
import type { Instance } from "../aws/instances.ts";
import { BakeError } from "../base/errors.ts";
import type { Launched } from "../launch/launch.ts";
import type { UpdateOutcome } from "../launch/outcome.ts";
import type { Result } from "./session.ts";

/** A machine as `--json` shows it. */
export function machineValue(
  instance: Instance,
  outcome: UpdateOutcome | undefined,
): Record<string, unknown> {
  return {
    id: instance.id,
    state: instance.state,
    address: instance.publicAddress,
    sshPort: instance.sshPort,
    ports: movedPorts(instance),
    type: instance.type,
    imageId: instance.imageId,
    services: namesIn(instance.tags, tagKeys.services),
    added: namesIn(instance.tags, tagKeys.with),
    run: instance.tags.get(tagKeys.run),
    update: outcome,
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
 * The machines that a launch started: id and address, a line each.
 * @throws BakeError `phase-failed` when an update failed; the machines run on.
 */
export function launchedResult(launched: readonly Launched[]): Result {
  const failed = launched.filter(({ outcome }) => outcome?.result === "failed");
  const [first] = failed;
  if (first !== undefined) {
    throw new BakeError(
      "phase-failed",
      `the update failed on ${failed.map(({ instance }) => instance.id).join(", ")}`,
      {
        details: failed.map(({ instance, outcome }) => `${instance.id}: ${outcomeText(outcome)}`),
        hint: `the machines still run; look with \`bake-ami logs ${first.instance.id}\`, end them with \`bake-ami terminate ${first.instance.id}\``,
      },
    );
  }
  return {
    text: launched.map(({ instance }) => `${instance.id} ${instance.publicAddress ?? "-"}`).join("\n"),
    value: launched.map(({ instance, outcome }) => machineValue(instance, outcome)),
  };
}

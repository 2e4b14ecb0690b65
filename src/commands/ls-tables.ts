import type { Image } from "../aws/images.ts";
import type { Instance } from "../aws/instances.ts";
import { namesIn, tagKeys } from "../aws/tags.ts";
import type { MachineStatus } from "../launch/machines-status.ts";
import type { JobOutcome } from "../launch/outcome.ts";
import { breakdownFor } from "../launch/times.ts";
import { formatDuration } from "../report/timings.ts";
import { costClass, outcomeText, uptimeSeconds } from "./machine-lines.ts";
import { table } from "./table.ts";

export function imageTable(images: readonly Image[]): string {
  return table([
    ["IMAGE", "STATE", "CREATED", "SERVICES"],
    ...images.map(({ id, state, createdAt, tags }) => [
      id,
      tags.has(tagKeys.expires) ? `${state} (unfinished)` : state,
      createdAt.toISOString().slice(0, 16).replace("T", " "),
      namesIn(tags, tagKeys.services).join(" "),
    ]),
  ]);
}

/** An image as `--json` shows it. */
export function imageValue(image: Image): Record<string, unknown> {
  return {
    id: image.id,
    name: image.name,
    state: image.state,
    createdAt: image.createdAt,
    services: namesIn(image.tags, tagKeys.services),
    base: image.tags.get(tagKeys.base),
  };
}

/** @param now in milliseconds since the epoch */
export function machineTable(machines: readonly MachineStatus[], now: number): string {
  return table([
    ["MACHINE", "STATE", "TYPE", "COST", "ADDRESS", "IMAGE", "UP", "UPDATE", "READY IN", "SERVICES"],
    ...machines.map(({ instance, outcome, job }) => {
      const up = uptimeSeconds(instance, now);
      const boot = breakdownFor(instance, outcome?.times);
      return [
        instance.id,
        stateText(instance),
        instance.type,
        costClass(instance),
        instance.publicAddress ?? "-",
        instance.imageId,
        up === undefined ? "-" : uptimeText(up),
        job === undefined ? outcomeText(outcome) : `${outcomeText(outcome)}, ${jobText(job)}`,
        boot === undefined ? "-" : formatDuration(boot.totalMs),
        [
          ...namesIn(instance.tags, tagKeys.services),
          ...namesIn(instance.tags, tagKeys.with).map((name) => `+${name}`),
        ].join(" "),
      ];
    }),
  ]);
}

/** What it is for stands beside the state, but for a plain machine. */
function stateText({ state, tags }: Instance): string {
  const role = tags.get(tagKeys.role) ?? "machine";
  return role === "machine" ? state : `${state} (${role})`;
}

function jobText({ result, status, log }: JobOutcome): string {
  if (result === "started") return "job runs";
  return `job ended with ${status ?? "?"}${log === "failed" ? ", its log was not uploaded" : ""}`;
}

const units = [
  ["d", 86_400],
  ["h", 3600],
  ["min", 60],
] as const;

/** `3 d 4 h`, `12 min`, `50 s`: the two largest units, the smaller of minutes and seconds left out. */
export function uptimeText(seconds: number): string {
  const [first, second] = units.flatMap(([unit, size], index) => {
    const rest = index === 0 ? seconds : seconds % (units[index - 1]?.[1] ?? 1);
    const count = Math.floor(rest / size);
    return count === 0 ? [] : [{ index, text: `${count} ${unit}` }];
  });
  if (first === undefined) return `${Math.floor(seconds)} s`;
  return second?.index === first.index + 1 ? `${first.text} ${second.text}` : first.text;
}

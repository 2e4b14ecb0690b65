import { breakdownFor, type BootBreakdown } from "../launch/times.ts";
import type { Launched } from "../launch/wait.ts";
import { serviceTitle } from "../report/titles.ts";

/** So many machines get a line of their own. */
const mostLines = 20;

/** From the launch to the service, for a person: the parts of one machine, and where there are several, of the slowest. */
export function bootLines(launched: readonly Launched[]): string[] {
  const known = launched.flatMap(({ instance, outcome }) => {
    const boot = breakdownFor(instance, outcome?.times);
    return boot === undefined ? [] : [{ id: instance.id, boot }];
  });
  const slowestFirst = [...known].sort((a, b) => b.boot.totalMs - a.boot.totalMs);
  const [slowest] = slowestFirst;
  if (slowest === undefined) return [];
  if (known.length === 1) return [`boot of ${slowest.id}:`, ...partLines(slowest.boot)];
  const rest = known.length - mostLines;
  return [
    "from launch to service:",
    ...slowestFirst.slice(0, mostLines).map(({ id, boot }) => row(2, id, boot.totalMs)),
    ...(rest > 0 ? [`  and ${rest} quicker ones`] : []),
    `the slowest, ${slowest.id}:`,
    ...partLines(slowest.boot),
  ];
}

/** The parts, which add up to the last line, and within the third of them the services, which may overlap. */
function partLines({ totalMs, parts, services }: BootBreakdown): string[] {
  return [
    ...(parts.launchMs === undefined ? [] : [row(2, "launch to kernel", parts.launchMs)]),
    row(2, "kernel to boot hook", parts.bootMs),
    row(2, "services", parts.servicesMs),
    ...services.map(({ phase, service, startMs, endMs }) =>
      row(4, `${phase} ${serviceTitle(service)}`, endMs - startMs),
    ),
    row(2, "boot hook itself", parts.hookMs),
    row(2, parts.launchMs === undefined ? "kernel to service" : "launch to service", totalMs),
  ];
}

/** With hundredths, as the machine counts, so that the sum is seen to be right. */
function row(indent: number, name: string, ms: number): string {
  return `${" ".repeat(indent)}${name.padEnd(26 - indent)}${(ms / 1000).toFixed(2).padStart(10)} s`;
}

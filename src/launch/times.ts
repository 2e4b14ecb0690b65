import { readNames, readPairs } from "../machine/journal-events.ts";
import type { Instance } from "../aws/instances.ts";

/** A service's share of a boot, in milliseconds since the machine's kernel started. */
export interface ServiceTime {
  readonly phase: string;
  readonly service: string;
  readonly startMs: number;
  readonly endMs: number;
}

/**
 * What a machine says about when things happened in its boot. All but `bootedAt` is by one clock of the machine that only
 * goes forward (its uptime), so differences are exact.
 */
export interface BootTimes {
  /** When the kernel started, by the machine's clock, in milliseconds since the epoch. */
  readonly bootedAt: number;
  readonly hookMs: number;
  readonly readyMs: number;
  /** In the order in which they started. */
  readonly services: readonly ServiceTime[];
}

/**
 * Reads what follows `bake-ami: times ` on a console.
 * @returns undefined for a line that says nothing usable
 */
export function readTimes(words: string): BootTimes | undefined {
  const pairs = readPairs(words);
  const milliseconds = (key: string): number => Math.round(Number(pairs.get(key) ?? "x") * 1000);
  const times = {
    bootedAt: milliseconds("booted"),
    hookMs: milliseconds("hook"),
    readyMs: milliseconds("ready"),
  };
  if (!Object.values(times).every(Number.isFinite)) return undefined;
  const services = readNames(pairs.get("services")).flatMap((text) => {
    const [, phase = "update", service = "", start, end] =
      /^(?:([a-z]+)\/)?([^:]+):([\d.]+):([\d.]+)$/.exec(text) ?? [];
    if (start === undefined || end === undefined) return [];
    const [startMs, endMs] = [Math.round(Number(start) * 1000), Math.round(Number(end) * 1000)];
    return [{ phase, service, startMs, endMs }];
  });
  return { ...times, services: services.sort((a, b) => a.startMs - b.startMs) };
}

/** Where the time from the launch to the service went. `parts` add up to `totalMs`. */
export interface BootBreakdown {
  /** From the launch where that can be told, else from the kernel's start. */
  readonly totalMs: number;
  readonly parts: {
    /**
     * From the launch to the kernel's start: by EC2's clock there and the machine's here, both of which Amazon keeps.
     * Absent when that makes no sense: for a boot after the first one, or where the clocks differ.
     */
    readonly launchMs?: number;
    /** From the kernel's start to that of the boot hook; like all that follows by the machine's uptime. */
    readonly bootMs: number;
    /** While at least one service was at work. */
    readonly servicesMs: number;
    /** While the hook was and none of them. */
    readonly hookMs: number;
  };
  readonly services: readonly ServiceTime[];
}

/** A kernel that started later than this after a launch is not its first. */
const longestLaunchMs = 15 * 60_000;

/** EC2 tells the time of a launch in whole seconds, so that the kernel may seem to have been earlier. */
const launchRoundingMs = 1000;

/**
 * Where the time went.
 * @param launchedAt when the machine was launched by the cloud's clock, in milliseconds since the epoch
 */
export function breakdownOf(times: BootTimes, launchedAt: number | undefined): BootBreakdown {
  const { bootedAt, readyMs, services } = times;
  const launch = launchedAt === undefined ? Number.NaN : bootedAt - launchedAt;
  const isSane = launch > -launchRoundingMs && launch < longestLaunchMs;
  const launchMs = isSane ? Math.max(0, launch) : undefined;
  // A service may have begun before the hook or ended after it in a run that went on after a reboot.
  const hookAt = Math.min(Math.max(0, times.hookMs), readyMs);
  const servicesMs = covered(services, hookAt, readyMs);
  return {
    totalMs: (launchMs ?? 0) + readyMs,
    parts: {
      ...(launchMs === undefined ? {} : { launchMs }),
      bootMs: hookAt,
      servicesMs,
      hookMs: readyMs - hookAt - servicesMs,
    },
    services,
  };
}

/** How long something of `spans` lasted between two times; what overlaps counts once. */
function covered(spans: readonly ServiceTime[], from: number, to: number): number {
  let sum = 0;
  let end = from;
  for (const { startMs, endMs } of [...spans].sort((a, b) => a.startMs - b.startMs)) {
    const until = Math.min(endMs, to);
    sum += Math.max(0, until - Math.max(startMs, end));
    end = Math.max(end, until);
  }
  return sum;
}

/** The breakdown of a machine's boot, or undefined when its console does not tell. */
export function breakdownFor(instance: Instance, times: BootTimes | undefined): BootBreakdown | undefined {
  return times === undefined ? undefined : breakdownOf(times, instance.launchedAt?.getTime());
}

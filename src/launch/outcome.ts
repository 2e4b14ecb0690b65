import { printable } from "../report/lines.ts";
import { readNames, readPairs } from "../machine/journal-events.ts";

/** What a machine says on its console about its last update. */
export interface UpdateOutcome {
  readonly run: string;
  readonly result: "ok" | "failed";
  readonly services: readonly string[];
  readonly failed: readonly string[];
  readonly notStarted: readonly string[];
  /** Services that this boot initialised because the image lacked them. */
  readonly initialised: readonly string[];
  /** Why what failed did, a line each: the service, the step and its status. */
  readonly reasons: readonly string[];
}

/** The line that the boot hook prints when it is done; anything may stand before it on a console. */
const outcomeLine = /bake-ami: (phase=update .*)/;

/** What the boot hook prints before that line for each thing that failed. */
const reasonLine = /bake-ami: why run=(\S+) (.+?)\s*$/;

/** The outcome of the newest update that the console shows, or undefined while there is none. */
export function readOutcome(console: string): UpdateOutcome | undefined {
  const lines = console.split(/\r?\n/);
  const line = lines.findLast((candidate) => outcomeLine.test(candidate));
  if (line === undefined) return undefined;
  const pairs = readPairs(outcomeLine.exec(line)?.[1] ?? "");
  const run = pairs.get("run") ?? "-";
  const reasons = lines.flatMap((candidate) => {
    const [, of, reason] = reasonLine.exec(candidate) ?? [];
    return of === run && reason !== undefined ? [printable(reason)] : [];
  });
  return {
    run,
    result: pairs.get("result") === "ok" ? "ok" : "failed",
    services: readNames(pairs.get("services")),
    failed: readNames(pairs.get("failed")),
    notStarted: readNames(pairs.get("not-started")),
    initialised: readNames(pairs.get("init")),
    reasons: [...new Set(reasons)],
  };
}

/** The SSH host keys that cloud-init (or the local cloud's first boot) prints on the console, as `type base64`. */
export function readHostKeys(console: string): string[] {
  const keys: string[] = [];
  let inside = false;
  for (const line of console.split(/\r?\n/)) {
    if (line.includes("BEGIN SSH HOST KEY KEYS")) {
      inside = true;
      // A new boot prints them anew; the last word counts.
      keys.length = 0;
    } else if (line.includes("END SSH HOST KEY KEYS")) inside = false;
    else if (inside) {
      const key = /((?:ssh|ecdsa)-\S+ [A-Za-z0-9+/=]+)/.exec(line)?.[1];
      if (key !== undefined) keys.push(key);
    }
  }
  return keys;
}

import { printable } from "../report/lines.ts";
import { readNames, readPairs } from "../machine/journal-events.ts";
import { readTimes, type BootTimes } from "./times.ts";

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
  /** When what happened in that boot. */
  readonly times?: BootTimes;
  /** What came of asking a channel for a newer bundle. */
  readonly channel?: ChannelOutcome;
  /** What became of the logs that this boot uploaded, the newest of each name. */
  readonly logs?: readonly LogOutcome[];
}

export interface ChannelOutcome {
  readonly name: string;
  /** `kept`: what the channel has was not taken, for the reason given. */
  readonly result: "new" | "same" | "kept";
  readonly digest: string | undefined;
  readonly serial: string | undefined;
  readonly reason: string | undefined;
}

export interface LogOutcome {
  readonly name: string;
  readonly result: "ok" | "failed";
  readonly reason: string | undefined;
}

/** What a machine says on its console about its job. */
export interface JobOutcome {
  readonly run: string;
  readonly result: "started" | "finished";
  /** Of the command; undefined while it runs. */
  readonly status: number | undefined;
  /** Whether its log is in the bucket; `none` when it was not asked for. */
  readonly log: "ok" | "failed" | "none";
  readonly reason: string | undefined;
}

/** What the boot hook and the job of a machine print; anything may stand before it on a console. */
const ownLine = /bake-ami: (phase=update(?= )|why(?= )|times(?= )|channel=|log(?= )|job(?= ))(.*?)\s*$/;

interface OwnLine {
  readonly kind: string;
  readonly words: string;
}

function ownLines(console: string): OwnLine[] {
  return console.split(/\r?\n/).flatMap((line) => {
    const [, kind, rest] = ownLine.exec(line) ?? [];
    if (kind === undefined || rest === undefined) return [];
    return [{ kind, words: kind.endsWith("=") ? `${kind}${rest}` : rest.trim() }];
  });
}

/** The outcome of the newest update that the console shows, or undefined while there is none. */
export function readOutcome(console: string): UpdateOutcome | undefined {
  const lines = ownLines(console);
  const last = lines.findLastIndex(({ kind }) => kind === "phase=update");
  const words = lines[last]?.words;
  if (words === undefined) return undefined;
  const pairs = readPairs(words);
  const run = pairs.get("run") ?? "-";
  const before = lines.slice(0, last).findLastIndex(({ kind }) => kind === "phase=update");
  // Lines without a run belong to the hook's run that ends after them; a log may be uploaded when that is over.
  const ofRun = lines.slice(before + 1);
  const [times, channel, logs] = [timesOf(lines, run), channelOf(ofRun), logsOf(ofRun)];
  return {
    run,
    result: pairs.get("result") === "ok" ? "ok" : "failed",
    services: readNames(pairs.get("services")),
    failed: readNames(pairs.get("failed")),
    notStarted: readNames(pairs.get("not-started")),
    initialised: readNames(pairs.get("init")),
    reasons: reasonsOf(lines, run),
    ...(times === undefined ? {} : { times }),
    ...(channel === undefined ? {} : { channel }),
    ...(logs === undefined ? {} : { logs }),
  };
}

/** The pairs of a line but for its reason, which may have anything in it. */
function pairsOf(words: string): ReadonlyMap<string, string> {
  return readPairs(words.replace(/(^|\s)reason=.*$/, ""));
}

function reasonsOf(lines: readonly OwnLine[], run: string): string[] {
  const reasons = lines.flatMap(({ kind, words }) => {
    const [, of, reason] = kind === "why" ? (/^run=(\S+) (.+)$/.exec(words) ?? []) : [];
    return of === run && reason !== undefined ? [printable(reason)] : [];
  });
  return [...new Set(reasons)];
}

function timesOf(lines: readonly OwnLine[], run: string): BootTimes | undefined {
  const line = lines.findLast(({ kind, words }) => kind === "times" && readPairs(words).get("run") === run);
  return line === undefined ? undefined : readTimes(line.words);
}

const channelResults = ["new", "same", "kept"] as const;

function channelOf(lines: readonly OwnLine[]): ChannelOutcome | undefined {
  const line = lines.findLast(({ kind }) => kind === "channel=");
  if (line === undefined) return undefined;
  const pairs = pairsOf(line.words);
  return {
    name: printable(pairs.get("channel") ?? "-"),
    result: channelResults.find((known) => known === pairs.get("result")) ?? "kept",
    digest: given(pairs.get("digest")),
    serial: given(pairs.get("serial")),
    reason: restOf(line.words),
  };
}

function logsOf(lines: readonly OwnLine[]): LogOutcome[] | undefined {
  const logs = new Map<string, LogOutcome>();
  for (const { kind, words } of lines) {
    if (kind !== "log") continue;
    const pairs = pairsOf(words);
    const name = printable(pairs.get("name") ?? "-");
    const result = pairs.get("result") === "ok" ? "ok" : "failed";
    logs.set(name, { name, result, reason: restOf(words) });
  }
  return logs.size === 0 ? undefined : [...logs.values()];
}

/** What the console says last about a job, or undefined when it says nothing. */
export function readJob(console: string): JobOutcome | undefined {
  const line = ownLines(console).findLast(({ kind }) => kind === "job");
  if (line === undefined) return undefined;
  const pairs = pairsOf(line.words);
  const status = Number(given(pairs.get("status")) ?? "x");
  const log = pairs.get("log");
  return {
    run: pairs.get("run") ?? "-",
    result: pairs.get("result") === "finished" ? "finished" : "started",
    status: Number.isInteger(status) ? status : undefined,
    log: log === "ok" || log === "failed" ? log : "none",
    reason: restOf(line.words),
  };
}

function given(text: string | undefined): string | undefined {
  return text === undefined || text === "-" || text === "" ? undefined : text;
}

/** A reason has spaces, and so it stands last. */
function restOf(words: string): string | undefined {
  return given(printable(/(?:^|\s)reason=(.*)$/.exec(words)?.[1]?.trim() ?? ""));
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

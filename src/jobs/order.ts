import { BakeError } from "../base/errors.ts";
import { shellCommand, shellWord } from "../base/quote.ts";

/** Where a job's log and status go when it is over: below `url`, which is `s3://bucket/prefix/run/0/`. */
export type LogPlace =
  /** By the machine's role. */
  | { readonly kind: "role"; readonly url: string }
  /** By presigned PUT URLs. */
  | { readonly kind: "presigned"; readonly url: string; readonly log: string; readonly json: string };

/** What a machine is told to do. */
export interface JobOrder {
  readonly run: string;
  /** Program and arguments; no shell takes part. */
  readonly command: readonly string[];
  readonly environment: ReadonlyMap<string, string>;
  /** After so many seconds it is ended. */
  readonly maxSeconds: number;
  /** Whether the machine stays when it is over. */
  readonly keep: boolean;
  readonly log: LogPlace | undefined;
  /** What job.json says beside how the job ended. */
  readonly facts: Readonly<Record<string, unknown>>;
}

/** The fixed directory of a job's own programs on the machine; phases/bin/job names it too. */
export const jobPrograms = "/var/lib/bake-ami/job.d";

/** Sourced by phases/bin/job, so every value is one word of a shell. */
export function orderFile(order: JobOrder): string {
  const { log } = order;
  const facts = JSON.stringify(order.facts);
  const values = {
    run: order.run,
    max: String(order.maxSeconds),
    keep: order.keep ? "1" : "",
    log_at: log?.url ?? "",
    log_to: log?.kind === "role" ? log.url : "",
    url_log: log?.kind === "presigned" ? log.log : "",
    url_json: log?.kind === "presigned" ? log.json : "",
    facts: facts.slice(1, -1),
  };
  return assignments(Object.entries(values));
}

/** Sourced by the command's own script, and read by nobody else: there may be secrets in it. */
export function environmentFile(environment: ReadonlyMap<string, string>): string {
  return assignments([...environment]);
}

/** What the job's unit runs. The shell becomes the command, so the unit's status is the command's. */
export function commandFile(command: readonly string[]): string {
  return ["set -a", `. ${jobPrograms}/environment`, "set +a", `exec ${shellCommand(command)}`, ""].join("\n");
}

function assignments(values: readonly (readonly [string, string])[]): string {
  return values.map(([name, value]) => `${name}=${value === "" ? "''" : shellWord(value)}\n`).join("");
}

/**
 * Environment variables from `KEY=VALUE` texts; the last of a name counts.
 * @throws BakeError `usage`, which does not repeat the value
 */
export function readEnvironment(texts: readonly string[]): Map<string, string> {
  return new Map(
    texts.map((text) => {
      const [, name, value] = /^([A-Za-z_][A-Za-z0-9_]*)=(.*)$/s.exec(text) ?? [];
      if (name !== undefined && value !== undefined && !value.includes("\0")) return [name, value];
      const shown = text.includes("=") ? `${text.slice(0, text.indexOf("="))}=...` : text;
      throw new BakeError("usage", `--env ${shown} is not of the form KEY=VALUE`, {
        hint: "for example --env THREADS=8",
      });
    }),
  );
}

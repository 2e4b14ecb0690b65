import { execFile } from "node:child_process";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import type * as z from "zod";
import { bundleProgram } from "../support/bundle.ts";

/** How a process ended, and what it printed until then. */
export interface Ended {
  readonly status: number | undefined;
  readonly signal: string | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Bundles a program of this directory into a place where it finds the files of bake-ami.
 * @param dist where the tests' build of bake-ami is
 */
export async function faultProgram(name: string, dist: string): Promise<string> {
  return await bundleProgram(`import "../faults/${name}.ts";`, join(dist, "..", "programs"), name);
}

/** Runs a Node program until it ends, at most so long. */
export async function run(program: string, args: readonly string[], timeoutMs: number): Promise<Ended> {
  return await new Promise((resolve) => {
    const options = {
      timeout: timeoutMs,
      killSignal: "SIGKILL",
      maxBuffer: 2 ** 26,
      env: { ...process.env, NODE_NO_WARNINGS: "1" },
    } as const;
    execFile(process.execPath, [program, ...args], options, (error, stdout, stderr) => {
      const status = typeof error?.code === "number" ? error.code : error === null ? 0 : undefined;
      resolve({ status, signal: error?.signal ?? undefined, stdout, stderr });
    });
  });
}

/** Does the work for each of the items, as many at once as there are processors. */
export async function eachAtOnce<Item, Result>(
  items: readonly Item[],
  work: (item: Item) => Promise<Result>,
): Promise<Result[]> {
  const results = new Map<Item, Result>();
  const left = [...items];
  const worker = async (): Promise<void> => {
    for (let item = left.shift(); item !== undefined; item = left.shift())
      results.set(item, await work(item));
  };
  await Promise.all(Array.from({ length: Math.max(2, availableParallelism()) }, worker));
  return items.flatMap((item) => results.get(item) ?? []);
}

/** The first and the last one, both included. */
export interface Seeds {
  readonly first: number;
  readonly last: number;
}

/** Nothing of this takes minutes: one that has not ended by then hangs. */
const seedsDeadlineMs = 240_000;

/**
 * What came of each of the seeds, when the program seeds.ts does this with them, in a process for each processor.
 * @throws Error that names the seeds without an answer
 */
export async function reportsOf<Report extends { readonly seed: number }>(
  program: string,
  what: string,
  { first, last }: Seeds,
  schema: z.ZodType<Report>,
): Promise<Report[]> {
  const all = Array.from({ length: last - first + 1 }, (_, index) => first + index);
  const processes = Math.min(all.length, Math.max(2, availableParallelism()));
  const shares = Array.from({ length: processes }, (_, share) =>
    all.filter((_, index) => index % processes === share).map(String),
  );
  const ended = await eachAtOnce(shares, (share) => run(program, [what, ...share], seedsDeadlineMs));
  const reports = ended
    .flatMap(({ stdout }) => stdout.split("\n").filter((line) => line.endsWith("}")))
    .map((line) => schema.parse(JSON.parse(line)))
    .sort((a, b) => a.seed - b.seed);
  const answered = new Set(reports.map(({ seed }) => seed));
  const silent = all.filter((seed) => !answered.has(seed));
  if (silent.length > 0) {
    const ends = ended.map(({ signal, stderr }) => `${signal ?? "ended"}: ${stderr.slice(-2000)}`);
    throw new Error(`${what}: no answer of seeds ${silent.join(" ")}\n${ends.join("\n")}`);
  }
  return reports;
}

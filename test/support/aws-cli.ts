import { spawn, spawnSync } from "node:child_process";
import { serveLocalCloud } from "../../src/local/serve.ts";
import type { StateOnlyCloud } from "./local-cloud.ts";

// Debian's own; another `aws` on the PATH may be a launcher that does not work.
const program = "/usr/bin/aws";

/** Why tests with the command line of AWS are skipped; undefined where there is one. */
export const noAws =
  spawnSync(program, ["--version"]).status === 0 ? undefined : `(skipped: needs ${program}, package awscli)`;

export interface Answer {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A local cloud behind a loopback port, and the command line of AWS that talks to it. */
export interface ServedCloud extends AsyncDisposable {
  readonly url: string;
  /** Runs `aws` with these arguments. */
  aws(...args: readonly string[]): Promise<Answer>;
  /** The same with other credentials, as environment variables. */
  awsAs(credentials: Readonly<Record<string, string>>, ...args: readonly string[]): Promise<Answer>;
  /** What it prints, one result as plain text. @throws Error when it fails */
  ask(...args: readonly string[]): Promise<string>;
}

const anybody = { AWS_ACCESS_KEY_ID: "any", AWS_SECRET_ACCESS_KEY: "any" } as const;

export async function serveToAws(local: StateOnlyCloud): Promise<ServedCloud> {
  const abort = new AbortController();
  let served: Promise<void> = Promise.resolve();
  const url = await new Promise<string>((resolve, reject) => {
    served = serveLocalCloud({ cloud: local.cloud, port: 0, signal: abort.signal, onListening: resolve });
    served.catch(reject);
  });
  const common = ["--endpoint-url", url, "--region", "local", "--output", "text"];
  const aws = async (...args: readonly string[]): Promise<Answer> =>
    await run([...args, ...common], local.directory, anybody);
  return {
    url,
    aws,
    awsAs: async (credentials, ...args) => await run([...args, ...common], local.directory, credentials),
    ask: async (...args) => {
      const answer = await aws(...args);
      if (answer.status !== 0) throw new Error(`aws ${args.join(" ")}: ${answer.stderr}`);
      return answer.stdout.trim();
    },
    [Symbol.asyncDispose]: async () => {
      abort.abort();
      await served;
    },
  };
}

async function run(
  args: readonly string[],
  home: string,
  credentials: Readonly<Record<string, string>>,
): Promise<Answer> {
  const child = spawn(program, args, {
    env: {
      PATH: process.env["PATH"],
      ...credentials,
      AWS_EC2_METADATA_DISABLED: "true",
      AWS_PAGER: "",
      HOME: home,
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  return await new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (status) => {
      resolve({ status, stdout, stderr });
    });
  });
}

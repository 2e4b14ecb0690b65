import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { S3Client, type S3ClientConfig } from "@aws-sdk/client-s3";
import { serveLocalCloud } from "../../src/local/serve.ts";
import { openLocalCloud, type OpenOptions } from "../../src/local/open.ts";
import { clientOptions } from "./local-cloud.ts";
import type { LocalCloud } from "../../src/local/cloud.ts";
import type { Answer } from "./aws-cli.ts";

/** An object store in a directory of its own, and a client of the real SDK that is answered in this process. */
export interface Objects extends AsyncDisposable {
  readonly directory: string;
  readonly cloud: LocalCloud;
  readonly s3: S3Client;
}

/** Opens a new object store; disposing it removes its directory. */
export async function newObjects(
  options: Partial<OpenOptions> = {},
  config: S3ClientConfig = {},
): Promise<Objects> {
  const directory = await mkdtemp(join(tmpdir(), "bake-ami-s3-"));
  const cloud = openLocalCloud({ engine: "state-only", ...options, directory });
  return {
    directory,
    cloud,
    s3: new S3Client({ maxAttempts: 1, ...clientOptions(cloud), ...config }),
    [Symbol.asyncDispose]: async () => {
      await rm(directory, { recursive: true, force: true });
    },
  };
}

export interface ServedObjects extends AsyncDisposable {
  readonly url: string;
  /** A client that comes over HTTP. */
  readonly s3: S3Client;
  /** Runs Debian's `aws` with these arguments. */
  aws(...args: readonly string[]): Promise<Answer>;
  /** What it prints. @throws Error when it fails */
  ask(...args: readonly string[]): Promise<string>;
}

const credentials = { accessKeyId: "local", secretAccessKey: "local" } as const;

/** Serves an object store on a loopback port. */
export async function serveObjects({ cloud, directory }: Objects): Promise<ServedObjects> {
  const abort = new AbortController();
  let served: Promise<void> = Promise.resolve();
  const url = await new Promise<string>((resolve, reject) => {
    served = serveLocalCloud({ cloud, port: 0, signal: abort.signal, onListening: resolve });
    served.catch(reject);
  });
  const environment = {
    PATH: process.env["PATH"] ?? "",
    HOME: directory,
    AWS_ACCESS_KEY_ID: credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
    AWS_EC2_METADATA_DISABLED: "true",
    AWS_PAGER: "",
  };
  const aws = async (...args: readonly string[]): Promise<Answer> =>
    await run("/usr/bin/aws", [...args, "--endpoint-url", url, "--region", "local"], environment);
  return {
    url,
    s3: new S3Client({ region: "local", credentials, endpoint: url, maxAttempts: 1 }),
    aws,
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

/** Runs a program to its end. */
export async function run(
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = { PATH: process.env["PATH"] ?? "" },
): Promise<Answer> {
  const child = spawn(program, args, { env, stdio: ["ignore", "pipe", "pipe"] });
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

export interface PresignOptions {
  readonly method: "GET" | "PUT" | "HEAD" | "DELETE";
  /** Such as `http://127.0.0.1:4599/bucket/key`. */
  readonly url: string;
  readonly seconds: number;
  readonly at?: Date;
  /** Further headers that the request must then have. */
  readonly headers?: Readonly<Record<string, string>>;
}

interface Presigner {
  presign(request: object, options: object): Promise<{ readonly query?: Readonly<Record<string, unknown>> }>;
}

function isPresigner(signer: unknown): signer is Presigner {
  return (
    typeof signer === "object" &&
    signer !== null &&
    "presign" in signer &&
    typeof signer.presign === "function"
  );
}

/** A presigned URL, by the signer of the real SDK. */
export async function presign(s3: S3Client, options: PresignOptions): Promise<string> {
  const { method, seconds, at = new Date(), headers = {} } = options;
  const url = new URL(options.url);
  const signer: unknown = await s3.config.signer();
  if (!isPresigner(signer)) throw new Error("the SDK's signer presigns no more");
  const signed = await signer.presign(
    {
      method,
      protocol: url.protocol,
      hostname: url.hostname,
      ...(url.port === "" ? {} : { port: Number(url.port) }),
      path: url.pathname,
      query: Object.fromEntries(url.searchParams),
      headers: { host: url.host, "x-amz-content-sha256": "UNSIGNED-PAYLOAD", ...headers },
    },
    { expiresIn: seconds, signingDate: at, unhoistableHeaders: new Set(Object.keys(headers)) },
  );
  const query = Object.entries(signed.query ?? {}).map(
    ([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(String(value))}`,
  );
  return `${url.origin}${url.pathname}?${query.join("&")}`;
}

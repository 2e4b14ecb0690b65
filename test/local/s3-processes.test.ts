import { spawn, type ChildProcess } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { request } from "node:http";
import { platform, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import {
  CreateBucketCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from "@aws-sdk/client-s3";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { bundleProgram } from "../support/bundle.ts";
import { presign, run } from "../support/s3.ts";

/*
 * Several processes on one directory, one of them ended at the worst moment, and one that gets more than it should hold.
 */

let programs: string;
let program: string;
let directory: string;
const Bucket = "shared";
const children: ChildProcess[] = [];

beforeAll(async () => {
  programs = mkdtempSync(join(tmpdir(), "bake-ami-s3-program-"));
  program = await bundleProgram(
    `import { openLocalCloud } from "../../src/local/open.ts";
     import { serveLocalCloud } from "../../src/local/serve.ts";
     await serveLocalCloud({
       cloud: openLocalCloud({ directory: process.argv[2] ?? "", engine: "state-only" }),
       port: 0,
       signal: new AbortController().signal,
       onListening: (url) => { process.stdout.write(url + "\\n"); },
       onError: (error) => { console.error(error); },
     });`,
    programs,
    "serve",
  );
}, 120_000);
afterAll(() => {
  rmSync(programs, { recursive: true, force: true });
});
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "bake-ami-s3-shared-"));
});
afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
  rmSync(directory, { recursive: true, force: true });
});

interface Server {
  readonly child: ChildProcess;
  readonly url: string;
  readonly s3: S3Client;
}

async function serve(): Promise<Server> {
  const child = spawn(process.execPath, [program, directory], { stdio: ["ignore", "pipe", "inherit"] });
  children.push(child);
  const url = await new Promise<string>((resolve) => {
    let text = "";
    child.stdout.on("data", (data: Buffer) => {
      text += data.toString();
      if (text.includes("\n")) resolve(text.trim());
    });
  });
  const credentials = { accessKeyId: "local", secretAccessKey: "local" };
  return { child, url, s3: new S3Client({ region: "local", endpoint: url, credentials, maxAttempts: 1 }) };
}

const temporary = (): string[] => {
  const path = join(directory, "objects", "tmp");
  return existsSync(path) ? readdirSync(path) : [];
};

test(
  "two processes put one key: whoever reads it gets one or the other, whole",
  { timeout: 120_000 },
  async () => {
    const [one, two] = [await serve(), await serve()];
    await one.s3.send(new CreateBucketCommand({ Bucket }));
    const bodies = [Buffer.alloc(700_000, "a"), Buffer.alloc(750_000, "b")] as const;
    await one.s3.send(new PutObjectCommand({ Bucket, Key: "key", Body: bodies[0] }));
    const writing = { on: true };
    const write = async ({ s3 }: Server, Body: Buffer): Promise<void> => {
      for (let round = 0; round < 25; round += 1)
        await s3.send(new PutObjectCommand({ Bucket, Key: "key", Body }));
    };
    const seen = new Set<string>();
    const read = async ({ s3 }: Server): Promise<void> => {
      while (writing.on) {
        const { Body, ETag, ContentLength } = await s3.send(new GetObjectCommand({ Bucket, Key: "key" }));
        const content = Buffer.from((await Body?.transformToByteArray()) ?? []);
        expect(content).toHaveLength(ContentLength ?? -1);
        expect(`"${createHash("md5").update(content).digest("hex")}"`).toBe(ETag);
        seen.add(String.fromCharCode(content[0] ?? 0));
      }
    };
    const reading = Promise.all([read(one), read(two)]);
    await Promise.all([write(one, bodies[0]), write(two, bodies[1])]).finally(() => {
      writing.on = false;
    });
    await reading;
    expect([...seen].sort()).toEqual(["a", "b"]);
    expect(temporary()).toEqual([]);
  },
);

test(
  "of two processes that make one bucket, and of many that make one object, one does",
  { timeout: 120_000 },
  async () => {
    const servers = [await serve(), await serve()];
    const made = await Promise.allSettled(
      servers.map(async ({ s3 }) => await s3.send(new CreateBucketCommand({ Bucket }))),
    );
    expect(made.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    const puts = await Promise.allSettled(
      Array.from({ length: 10 }, async (_, index) => {
        const call = new PutObjectCommand({ Bucket, Key: "once", Body: String(index), IfNoneMatch: "*" });
        return await servers[index % 2]?.s3.send(call);
      }),
    );
    expect(puts.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
  },
);

test(
  "kill -9 in the middle of a put: the old object stays, and what was begun is swept",
  { timeout: 60_000 },
  async () => {
    const server = await serve();
    await server.s3.send(new CreateBucketCommand({ Bucket }));
    await server.s3.send(new PutObjectCommand({ Bucket, Key: "key", Body: "old" }));
    const url = await presign(server.s3, { method: "PUT", url: `${server.url}/${Bucket}/key`, seconds: 60 });
    const upload = request(url, { method: "PUT", headers: { "content-length": 2_000_000 } });
    upload.on("error", () => undefined);
    upload.write(Buffer.alloc(1_000_000));
    while (temporary().length === 0) await pause(5);
    server.child.kill("SIGKILL");
    await once(server.child, "exit");
    expect(temporary()).toHaveLength(1);
    const next = await serve();
    const { Body } = await next.s3.send(new GetObjectCommand({ Bucket, Key: "key" }));
    expect(await Body?.transformToString()).toBe("old");
    await next.s3.send(new PutObjectCommand({ Bucket, Key: "other", Body: "new" }));
    expect(temporary()).toEqual([]);
  },
);

test("a client that goes away in the middle of a put leaves nothing", { timeout: 60_000 }, async () => {
  const server = await serve();
  await server.s3.send(new CreateBucketCommand({ Bucket }));
  const url = await presign(server.s3, { method: "PUT", url: `${server.url}/${Bucket}/key`, seconds: 60 });
  const upload = request(url, { method: "PUT", headers: { "content-length": 2_000_000 } });
  upload.on("error", () => undefined);
  upload.write(Buffer.alloc(1_000_000));
  while (temporary().length === 0) await pause(5);
  upload.destroy();
  while (temporary().length > 0) await pause(5);
  await expect(server.s3.send(new HeadObjectCommand({ Bucket, Key: "key" }))).rejects.toMatchObject({
    name: "NotFound",
  });
});

test("killed at any moment, it shows whole objects only", { timeout: 120_000 }, async () => {
  const size = 200_000;
  for (let round = 0; round < 4; round += 1) {
    const server = await serve();
    await server.s3.send(new CreateBucketCommand({ Bucket })).catch(() => undefined);
    const acknowledged: string[] = [];
    const putting = Array.from({ length: 4 }, async (_, worker) => {
      for (let index = 0; ; index += 1) {
        const Key = `${round}/${worker}/${index}`;
        await server.s3.send(new PutObjectCommand({ Bucket, Key, Body: randomBytes(size) }));
        acknowledged.push(Key);
      }
    });
    await pause(300 + round * 37);
    server.child.kill("SIGKILL");
    await Promise.allSettled(putting);
    const next = await serve();
    const { Contents = [] } = await next.s3.send(new ListObjectsV2Command({ Bucket, Prefix: `${round}/` }));
    for (const { Key, Size, ETag } of Contents) {
      expect(Size).toBe(size);
      const { Body } = await next.s3.send(new GetObjectCommand({ Bucket, Key }));
      const content = (await Body?.transformToByteArray()) ?? new Uint8Array();
      expect(`"${createHash("md5").update(content).digest("hex")}"`).toBe(ETag);
    }
    const names = new Set(Contents.map(({ Key }) => Key));
    expect(acknowledged.filter((key) => !names.has(key))).toEqual([]);
    expect(acknowledged.length).toBeGreaterThan(0);
    next.child.kill("SIGKILL");
  }
});

const memoryUnknown =
  platform() === "linux" ? "" : " (skipped: needs Linux's /proc to see how much memory was used)";

test.skipIf(memoryUnknown !== "")(
  `an object is never wholly in memory${memoryUnknown}`,
  { timeout: 300_000 },
  async () => {
    const server = await serve();
    const mebibytes = 250;
    const peak = (): number =>
      Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${server.child.pid ?? 0}/status`, "utf8"))?.[1]) /
      1024;
    await server.s3.send(new CreateBucketCommand({ Bucket }));
    await server.s3.send(new PutObjectCommand({ Bucket, Key: "small", Body: Buffer.alloc(1_000_000) }));
    const before = peak();
    const file = join(programs, "large");
    writeFileSync(file, "");
    truncateSync(file, mebibytes * 1024 * 1024);
    const put = await presign(server.s3, {
      method: "PUT",
      url: `${server.url}/${Bucket}/large`,
      seconds: 600,
    });
    expect((await run("curl", ["-sS", "--fail", "-T", file, put])).stderr).toBe("");
    const get = await presign(server.s3, {
      method: "GET",
      url: `${server.url}/${Bucket}/large`,
      seconds: 600,
    });
    const got = await run("curl", ["-sS", "--fail", "-o", "/dev/null", "-w", "%{size_download}", get]);
    expect(got.stdout).toBe(String(mebibytes * 1024 * 1024));
    const grown = peak() - before;
    process.stdout.write(`${mebibytes} MiB there and back took ${grown.toFixed(0)} MiB of memory more\n`);
    expect(grown).toBeLessThan(100);
  },
);

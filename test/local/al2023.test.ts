import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { newestImage } from "../../src/local/setup/al2023.ts";
import { setupBaseImage } from "../../src/local/index.ts";
import { Store } from "../../src/local/state/store.ts";

const hasQemuImg = spawnSync("qemu-img", ["--version"]).status === 0;
const why = hasQemuImg ? "" : " (skipped: needs qemu-img)";
const architecture = process.arch === "arm64" ? "arm64" : "x86_64";
const kvm = architecture === "arm64" ? "kvm-arm64" : "kvm";
const version = "2023.6.20250101.0";
const file = `al2023-kvm-${version}-kernel-6.1-${architecture}.xfs.gpt.qcow2`;

let directory: string;
let content: Buffer;
let server: Server;
let url: string;
/** What the server does with a request for the image. */
let serveImage: (request: IncomingMessage, response: ServerResponse) => void;
let requests: string[];
let checksum: string;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "bake-ami-al2023-"));
  if (hasQemuImg) {
    const disk = join(directory, "made.qcow2");
    spawnSync("qemu-img", ["create", "-q", "-f", "qcow2", disk, "25G"]);
    content = readFileSync(disk);
  }
  checksum = createHash("sha256").update(content).digest("hex");
  requests = [];
  serveImage = (_, response) => {
    response.end(content);
  };
  server = createServer((request, response) => {
    const { url: path = "" } = request;
    requests.push(`${path}${request.headers.range === undefined ? "" : ` ${request.headers.range}`}`);
    if (path === "/os-images/latest/") response.writeHead(302, { location: `/os-images/${version}/` }).end();
    else if (path === `/os-images/${version}/`) response.end("<html>");
    else if (path === `/os-images/${version}/${kvm}/SHA256SUMS`) response.end(`${checksum}  ${file}\n`);
    else if (path === `/os-images/${version}/${kvm}/${file}`) serveImage(request, response);
    else response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const address = server.address();
  url = `http://127.0.0.1:${typeof address === "object" ? (address?.port ?? 0) : 0}/os-images/latest/`;
});
afterEach(() => {
  server.close();
  server.closeAllConnections();
  rmSync(directory, { recursive: true, force: true });
});

const cloud = (): string => join(directory, "cloud");
const setup = async (more: { signal?: AbortSignal; url?: string } = {}): Promise<string> =>
  await setupBaseImage({
    directory: cloud(),
    name: "al2023",
    signal: more.signal ?? new AbortController().signal,
    amazonLinuxUrl: more.url ?? url,
    stallSeconds: 0.5,
  });

/** Everything that is in the cloud's directory, apart from empty directories. */
const files = (): string[] =>
  readdirSync(cloud(), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => entry.name);

describe.skipIf(!hasQemuImg)(`fetching Amazon Linux 2023${why}`, () => {
  test("the newest image becomes the one that AWS's own name filter finds", async () => {
    const id = await setup();
    const { images, disks } = await new Store(cloud()).read();
    expect(images).toMatchObject([
      { id, name: `al2023-ami-${version}-kernel-6.1-${architecture}`, ownerAlias: "amazon", sizeGiB: 25 },
    ]);
    expect(files().sort()).toEqual(
      [`al2023-${architecture}.json`, `${disks[0]?.id ?? ""}.qcow2`, "reserve", "state.json"].sort(),
    );
    // It is there now: nothing is asked for again.
    const asked = requests.length;
    expect(await setup()).toBe(id);
    expect(requests).toHaveLength(asked);
  });

  test("a wrong checksum is named, and nothing is kept", async () => {
    checksum = "0".repeat(64);
    await expect(setup()).rejects.toThrow(/is not what its publisher says: its SHA-256 is/);
    expect(files()).toEqual([]);
  });

  test("a download that is cut off goes on from there the next time", async () => {
    const half = Math.floor(content.length / 2);
    serveImage = (_, response) => {
      response.writeHead(200, { "content-length": content.length });
      response.write(content.subarray(0, half), () => response.destroy());
    };
    await expect(setup()).rejects.toMatchObject({
      kind: "connection",
      hint: "run it again; it goes on from there",
    });
    expect(files()).toEqual([`${file}.part`]);
    serveImage = (_, response) => {
      response.writeHead(206, { "content-range": `bytes ${half}-${content.length - 1}/${content.length}` });
      response.end(content.subarray(half));
    };
    await setup();
    expect(requests.at(-1)).toMatch(new RegExp(` bytes=${half}-$`));
    expect((await new Store(cloud()).read()).images).toHaveLength(1);
  });

  test("a server that cannot go on from there is read from the start", async () => {
    mkdirSync(join(cloud(), "downloads"), { recursive: true });
    writeFileSync(join(cloud(), "downloads", `${file}.part`), "something else");
    await setup();
    expect((await new Store(cloud()).read()).images).toHaveLength(1);
  });

  test("a server that stops sending is given up, with a deadline", async () => {
    serveImage = (_, response) => {
      response.writeHead(200, { "content-length": content.length });
      response.write(content.subarray(0, 100));
    };
    await expect(setup()).rejects.toMatchObject({ kind: "timeout" });
  });

  test("a server that never answers is given up as well", async () => {
    serveImage = (): void => undefined;
    await expect(setup()).rejects.toMatchObject({ kind: "timeout" });
  });

  test("what is not there, and who is not there", async () => {
    serveImage = (_, response) => {
      response.writeHead(404).end();
    };
    await expect(setup()).rejects.toMatchObject({ kind: "not-found" });
    await expect(setup({ url: url.replace("latest", "missing") })).rejects.toMatchObject({
      kind: "not-found",
    });
    server.close();
    server.closeAllConnections();
    await expect(setup()).rejects.toMatchObject({ kind: "connection" });
  });

  test("something that is no disk image is refused", async () => {
    content = Buffer.from("hello");
    checksum = createHash("sha256").update(content).digest("hex");
    await expect(setup()).rejects.toThrow(/not a qcow2 image/);
    expect(existsSync(join(cloud(), "disks"))).toBe(false);
  });

  test("Ctrl-C ends it at once and leaves no lock", async () => {
    const controller = new AbortController();
    serveImage = (_, response) => {
      response.write("x");
      setTimeout(() => {
        controller.abort();
      }, 50);
    };
    await expect(setup({ signal: controller.signal })).rejects.toMatchObject({ kind: "interrupted" });
    expect(readdirSync(join(cloud(), "setup-lock"))).toEqual([]);
  });
});

test("of several images the one for this architecture with the newest kernel is taken", () => {
  const line = (kernel: string, arch: string): string =>
    `${"a".repeat(64)}  al2023-kvm-2023.6.1.0-kernel-${kernel}-${arch}.xfs.gpt.qcow2`;
  const text = [
    line("6.1", "x86_64"),
    line("6.12", "x86_64"),
    line("6.9", "x86_64"),
    line("6.18", "arm64"),
    "junk",
  ].join("\n");
  expect(newestImage(text, "x86_64")?.kernel).toBe("6.12");
  expect(newestImage(text, "arm64")?.kernel).toBe("6.18");
  expect(newestImage("", "arm64")).toBeUndefined();
});

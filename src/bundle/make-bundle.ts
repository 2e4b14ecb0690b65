import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { packTar } from "modern-tar";
import { BakeError } from "../base/errors.ts";
import { packageRoot } from "../base/package-root.ts";
import type { ServiceFile } from "../catalog/service.ts";
import { contentDigest } from "../plan/digest.ts";
import type { Plan } from "../plan/plan.ts";
import type { Bundle } from "./bundle.ts";
import { compile, type Entry } from "./compile.ts";

/** What of `phases/` goes to the machine inside the bundle. */
const programDirectories = ["bin", "lib", "resources", "seal", "units"];

/** Goes before a bundle that the controller sends, and into it for one that the machine gets by itself. */
const receiver = "receive.sh";

/** Those of them whose files are run by their path. */
const executableDirectories = ["bin", "resources"];

interface LoadedEntry {
  readonly path: string;
  readonly executable: boolean;
  readonly bytes: Uint8Array;
}

/**
 * Makes the bundle for a plan over the whole catalog. The same plan and files give the same bytes, whatever their times,
 * owners and order on disk.
 * @throws BakeError `catalog` when a file is no longer what was planned.
 */
export async function makeBundle(plan: Plan): Promise<Bundle> {
  const entries = [...(await loadAll(compile(plan))), ...(await loadPrograms())];
  entries.sort((a, b) => (a.path < b.path ? -1 : 1));
  const digest = digestOf(entries);
  const archive = await packTar(
    [{ path: "digest", executable: false, bytes: Buffer.from(`${digest}\n`) }, ...entries].map(
      ({ path, executable, bytes }) => ({
        header: {
          name: path,
          size: bytes.length,
          mode: executable ? 0o755 : 0o644,
          mtime: new Date(0),
          uid: 0,
          gid: 0,
          uname: "root",
          gname: "root",
        },
        body: bytes,
      }),
    ),
  );
  const zipped = await promisify(gzip)(archive);
  // The header's operating system byte: "unknown", on every system.
  zipped[9] = 255;
  const services = new Map(plan.services.map(({ service }) => [service.name, contentDigest(service)]));
  return { digest, archive: zipped, services };
}

/** Some at a time: a catalog may have more files than a process may have open. */
async function loadAll(entries: readonly Entry[]): Promise<LoadedEntry[]> {
  const loaded: LoadedEntry[] = [];
  for (let from = 0; from < entries.length; from += 64) {
    loaded.push(...(await Promise.all(entries.slice(from, from + 64).map(load))));
  }
  return loaded;
}

async function load(entry: Entry): Promise<LoadedEntry> {
  const { path, executable, content } = entry;
  const bytes = typeof content === "string" ? Buffer.from(content) : await readPlanned(content);
  return { path, executable, bytes };
}

async function readPlanned(file: ServiceFile): Promise<Uint8Array> {
  const changed = (cause?: unknown): BakeError =>
    new BakeError("catalog", `${file.absolutePath} changed after the plan was made`, {
      hint: "run the same command again",
      cause,
    });
  const bytes = await readFile(file.absolutePath).catch((error: unknown) => {
    throw changed(error);
  });
  if (createHash("sha256").update(bytes).digest("hex") !== file.sha256) throw changed();
  return bytes;
}

async function loadPrograms(): Promise<LoadedEntry[]> {
  const root = join(packageRoot(), "phases");
  const lists = await Promise.all(
    programDirectories.map(async (directory) =>
      (await readdir(join(root, directory))).map(async (name) => ({
        path: `${directory}/${name}`,
        executable: executableDirectories.includes(directory),
        bytes: await readFile(join(root, directory, name)),
      })),
    ),
  );
  const receiving = readFile(join(root, receiver)).then((bytes) => ({
    path: receiver,
    executable: false,
    bytes,
  }));
  return await Promise.all([...lists.flat(), receiving]);
}

/** Of path, mode and content of every entry. */
function digestOf(entries: readonly LoadedEntry[]): string {
  const hash = createHash("sha256");
  for (const { path, executable, bytes } of entries) {
    hash.update(JSON.stringify([path, executable, bytes.length])).update(bytes);
  }
  return hash.digest("hex").slice(0, 16);
}

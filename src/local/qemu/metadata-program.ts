import { existsSync } from "node:fs";
import { mkdir, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { packageRoot } from "../../base/package-root.ts";

/**
 * The JavaScript file that answers a machine's connections to the metadata service, for Node to run. Installed, it lies
 * beside the bundle that this is in. When the program runs from its source, as in tests, it is bundled first.
 */
export async function metadataProgram(): Promise<string> {
  const here = fileURLToPath(import.meta.url);
  if (here.endsWith(".ts")) return await bundled(join(dirname(here), "..", "imds-main.ts"));
  const beside = join(dirname(here), "imds-main.js");
  // This code is in a chunk, a level below.
  return existsSync(beside) ? beside : join(dirname(here), "..", "imds-main.js");
}

async function bundled(entry: string): Promise<string> {
  const directory = join(packageRoot(), "node_modules", ".cache", "bake-ami");
  const outfile = join(directory, "imds-main.mjs");
  const sources = ["imds-main.ts", "imds/respond.ts", "imds/tree.ts", "imds/instance-view.ts"];
  const newest = Math.max(
    ...(await Promise.all(sources.map(async (name) => (await stat(join(dirname(entry), name))).mtimeMs))),
  );
  if (existsSync(outfile) && (await stat(outfile)).mtimeMs > newest) return outfile;
  const { build } = await import("esbuild");
  const fresh = `${outfile}.${process.pid}`;
  await mkdir(directory, { recursive: true });
  try {
    await build({ entryPoints: [entry], outfile: fresh, bundle: true, platform: "node", format: "esm" });
    await rename(fresh, outfile);
  } finally {
    await rm(fresh, { force: true });
  }
  return outfile;
}

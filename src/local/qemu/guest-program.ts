import { existsSync } from "node:fs";
import { mkdir, readdir, rename, rm, stat } from "node:fs/promises";
import { dirname, extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { packageRoot } from "../../base/package-root.ts";

/** The programs that answer a machine's connections, one process for each connection. */
export type GuestProgram = "imds-main" | "services-main";

/**
 * The JavaScript file of such a program, for Node to run. Installed, it lies beside the bundle that this is in. When the
 * program runs from its source, as in tests, it is bundled first.
 */
export async function guestProgram(name: GuestProgram): Promise<string> {
  const here = fileURLToPath(import.meta.url);
  if (here.endsWith(".ts")) return await bundled(join(dirname(here), ".."), name);
  const beside = join(dirname(here), `${name}${extname(here)}`);
  // This code is in a chunk, a level below.
  return existsSync(beside) ? beside : join(dirname(here), "..", `${name}.js`);
}

async function bundled(room: string, name: GuestProgram): Promise<string> {
  const directory = join(packageRoot(), "node_modules", ".cache", "bake-ami");
  const outfile = join(directory, `${name}.mjs`);
  if (existsSync(outfile) && (await stat(outfile)).mtimeMs > (await newestIn(room))) return outfile;
  const { build } = await import("esbuild");
  const fresh = `${outfile}.${process.pid}`;
  await mkdir(directory, { recursive: true });
  try {
    const entry = join(room, `${name}.ts`);
    await build({
      entryPoints: [entry],
      outfile: fresh,
      bundle: true,
      platform: "node",
      format: "esm",
      target: "node20.19",
      // It is here already where this is used, and a program that is bundled does not bundle.
      external: ["esbuild"],
    });
    await rename(fresh, outfile);
  } finally {
    await rm(fresh, { force: true });
  }
  return outfile;
}

/** When the source of this room was changed last. */
async function newestIn(room: string): Promise<number> {
  const names = (await readdir(room, { recursive: true })).filter((name) => name.endsWith(".ts"));
  return Math.max(...(await Promise.all(names.map(async (name) => (await stat(join(room, name))).mtimeMs))));
}

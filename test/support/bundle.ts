import { join } from "node:path";
import { build } from "esbuild";

/** Bundles a TypeScript program for Node, so that a test can run it as a process of its own. */
export async function bundleProgram(source: string, directory: string, name: string): Promise<string> {
  const outfile = join(directory, `${name}.mjs`);
  await build({
    stdin: { contents: source, resolveDir: import.meta.dirname, loader: "ts" },
    outfile,
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node20.19",
    external: ["esbuild"],
  });
  return outfile;
}

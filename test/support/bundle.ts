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
    // From here on as in scripts/build.mjs, which says why.
    mainFields: ["module", "main"],
    target: "node20.19",
    external: ["esbuild", "cpu-features"],
    loader: { ".node": "empty" },
    banner: {
      js: [
        'import { createRequire as __createRequire } from "node:module";',
        "const require = __createRequire(import.meta.url);",
        "globalThis.__dirname ??= import.meta.dirname;",
      ].join("\n"),
    },
    logLevel: "warning",
  });
  return outfile;
}

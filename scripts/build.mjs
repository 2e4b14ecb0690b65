// Bundles the program into dist/ (or the directory that is given). One bundle with split chunks, because loading
// hundreds of small files from node_modules is what makes a command line slow to start: each verb loads only the
// chunks that it needs.
import { build } from "esbuild";
import { chmodSync, rmSync } from "node:fs";
import { join } from "node:path";

const outdir = process.argv[2] ?? "dist";

rmSync(outdir, { recursive: true, force: true });
await build({
  entryPoints: ["src/cli.ts", "src/index.ts", "src/local/imds-main.ts", "src/local/services-main.ts"],
  outdir,
  entryNames: "[name]",
  chunkNames: "chunks/[name]-[hash]",
  bundle: true,
  splitting: true,
  format: "esm",
  platform: "node",
  // The AWS SDK's CommonJS form comes whole, 1.2 MB more than the commands that are used.
  mainFields: ["module", "main"],
  target: "node20.19",
  minifySyntax: true,
  sourcemap: "linked",
  sourcesContent: false,
  // Optional native parts of ssh2; without them it uses Node's own ciphers.
  external: ["cpu-features", "./crypto/build/Release/sshcrypto.node"],
  loader: { ".node": "empty" },
  // What CommonJS dependencies expect to find.
  banner: {
    js: [
      'import { createRequire as __createRequire } from "node:module";',
      "const require = __createRequire(import.meta.url);",
      "globalThis.__dirname ??= import.meta.dirname;",
    ].join("\n"),
  },
  logLevel: "warning",
});
chmodSync(join(outdir, "cli.js"), 0o755);

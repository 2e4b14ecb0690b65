import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { transform } from "esbuild";
import { inject } from "vitest";
import { openLocalCloud } from "../../src/local/index.ts";
import { serveLocalCloud } from "../../src/local/serve.ts";

/** Runs the example of docs/library.md in a process of its own, against the cloud in a directory. */
export async function runLibraryExample(
  directory: string,
  ...args: readonly string[]
): Promise<{ readonly status: number | null; readonly output: string; readonly sorted: string }> {
  const home = mkdtempSync(join(tmpdir(), "bake-ami-example-"));
  const abort = new AbortController();
  let served: Promise<void> = Promise.resolve();
  try {
    const url = await new Promise<string>((onListening, reject) => {
      const cloud = openLocalCloud({ directory });
      served = serveLocalCloud({ cloud, port: 0, signal: abort.signal, onListening });
      served.catch(reject);
    });
    const source = readFileSync(resolve(import.meta.dirname, "../library/example.ts"), "utf8");
    // Without an installation the name of the package means nothing.
    const library = JSON.stringify(join(inject("dist"), "index.js"));
    const { code } = await transform(source.replace('"bake-ami"', library), {
      loader: "ts",
      target: "node20",
    });
    writeFileSync(join(home, "example.mjs"), code);
    const child = spawn(process.execPath, ["example.mjs", ...args], {
      cwd: home,
      env: {
        ...process.env,
        AWS_ENDPOINT_URL: url,
        AWS_REGION: "local",
        AWS_ACCESS_KEY_ID: "local",
        AWS_SECRET_ACCESS_KEY: "local",
      },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let output = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text: string) => (output += text));
    }
    const status = await new Promise<number | null>((done, reject) => {
      child.on("error", reject).on("close", done);
    });
    return { status, output, sorted: status === 0 ? readFileSync(join(home, "sorted"), "utf8") : "" };
  } finally {
    abort.abort();
    await served;
    rmSync(home, { recursive: true, force: true });
  }
}

import { execFileSync } from "node:child_process";
import { rmSync } from "node:fs";
import { join, resolve } from "node:path";
import type { TestProject } from "vitest/node";

declare module "vitest" {
  interface ProvidedContext {
    /** The command line as users get it: `cli.js` in here. */
    readonly dist: string;
  }
}

/** Bundles the program once for a whole run of tests, from the source as it is now. */
export function setup(project: TestProject): () => void {
  const root = resolve(import.meta.dirname, "../..");
  const dist = join(root, "node_modules", ".cache", "bake-ami", `test-${process.pid}`, "dist");
  execFileSync(process.execPath, [join(root, "scripts", "build.mjs"), dist], { cwd: root, stdio: "inherit" });
  project.provide("dist", dist);
  return () => {
    rmSync(join(dist, ".."), { recursive: true, force: true });
  };
}

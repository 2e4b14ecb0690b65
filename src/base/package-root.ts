import { dirname, join } from "node:path";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { BakeError } from "./errors.ts";

/**
 * The directory that holds `phases/` and `services/`. The code runs from `src/` under the tests and from `dist/`
 * (or `dist/chunks/`) when installed, so the root is the nearest directory above with a package.json.
 * @throws BakeError `failed` when the installation is incomplete.
 */
export function packageRoot(): string {
  const start = dirname(fileURLToPath(import.meta.url));
  for (let directory = start; ; directory = dirname(directory)) {
    if (existsSync(join(directory, "package.json")) && existsSync(join(directory, "phases")))
      return directory;
    if (dirname(directory) === directory) {
      throw new BakeError("failed", `the files of bake-ami are not where they should be, above ${start}`, {
        hint: "install bake-ami again",
      });
    }
  }
}

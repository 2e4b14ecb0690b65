import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

const repository = join(import.meta.dirname, "../..");
const missing = ["shellcheck", "dash"].filter((program) => spawnSync("which", [program]).status !== 0);
const why = missing.length === 0 ? "" : ` (needs ${missing.join(", ")})`;

/** Every shell file that runs on a machine, relative to the repository. */
const files = ["phases", "services", "test/support"]
  .flatMap((directory) =>
    readdirSync(join(repository, directory), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name)),
  )
  .filter((path) => path.endsWith(".sh") || readFileSync(path, "utf8").startsWith("#!/bin/sh"))
  .map((path) => path.slice(repository.length + 1))
  .sort();

test("there are programs to check", () => {
  expect(files).toContain("phases/bin/drive");
  expect(files).toContain("phases/receive.sh");
  expect(files).toContain("phases/lib/services.sh");
});

test.skipIf(missing.length > 0)(`all programs are clean under shellcheck${why}`, () => {
  const result = spawnSync("shellcheck", ["--external-sources", ...files], {
    cwd: repository,
    encoding: "utf8",
  });
  expect(result.stdout + result.stderr).toBe("");
});

test.skipIf(missing.length > 0).each(files)(`dash and bash can read %s${why}`, (path) => {
  for (const shell of ["dash", "bash"]) {
    const result = spawnSync(shell, ["-n", path], { cwd: repository, encoding: "utf8" });
    expect(result.stderr).toBe("");
    expect(result.status).toBe(0);
  }
});

test("no program is long", () => {
  for (const path of files)
    expect(readFileSync(join(repository, path), "utf8").split("\n").length, path).toBeLessThan(300);
});

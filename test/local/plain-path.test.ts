import { mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { openPlainPath } from "../../src/local/setup/debian.ts";

test("a directory whose path is plain is taken as it is", async () => {
  await using path = await openPlainPath("/var/lib/bake-ami");
  expect(path.path).toBe("/var/lib/bake-ami");
});

test("a directory with a space or a comma is reached by a link without one, which goes again", async () => {
  const home = mkdtempSync(join(tmpdir(), "bake-ami-plain-"));
  const directory = join(home, "data, of mine");
  mkdirSync(directory);
  let link: string;
  {
    await using path = await openPlainPath(directory);
    link = path.path;
    expect(link).toMatch(/^[A-Za-z0-9/._-]+$/);
    expect(realpathSync(link)).toBe(realpathSync(directory));
  }
  expect(() => readdirSync(dirname(link))).toThrow(/ENOENT/);
  // The directory behind the link stays.
  expect(readdirSync(home)).toEqual(["data, of mine"]);
  rmSync(home, { recursive: true });
});

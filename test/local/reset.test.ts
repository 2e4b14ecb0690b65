import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { resetLocalCloud } from "../../src/local/index.ts";
import { installBaseImage } from "../../src/local/setup/install.ts";
import { Store } from "../../src/local/state/store.ts";

let directory: string;
const { signal } = new AbortController();

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "bake-ami-reset-"));
  mkdirSync(join(directory, "made"));
  for (const name of ["disk", "vmlinuz"]) writeFileSync(join(directory, "made", name), name);
  mkdirSync(join(directory, "made-boot"));
  await installBaseImage(
    new Store(directory),
    {
      base: "debian-12",
      name: "debian-12-amd64-20260102",
      description: "",
      architecture: "x86_64",
      sizeGiB: 8,
      disk: "disk-base",
      boot: { kind: "kernel", id: "boot-base", commandLine: "" },
      files: { disk: join(directory, "made", "disk"), boot: join(directory, "made-boot") },
      createdAt: 5,
    },
    signal,
  );
  rmSync(join(directory, "made"), { recursive: true });
  // What baking and running leave.
  writeFileSync(join(directory, "disks", "disk-baked.qcow2"), "");
  mkdirSync(join(directory, "instances", "i-1"), { recursive: true });
  // What only the user can have written.
  mkdirSync(join(directory, "profiles"));
  writeFileSync(join(directory, "profiles", "web.json"), "{}");
});
afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

test.each(["whole", "damaged"])("base images outlive a reset, with a %s state file", async (condition) => {
  const before = (await new Store(directory).read()).images;
  if (condition === "damaged") writeFileSync(join(directory, "state.json"), "{");
  await resetLocalCloud({ directory, baseImages: false, signal });
  const { images, disks, instances } = await new Store(directory).read();
  expect(images).toMatchObject([{ id: before[0]?.id, createdAt: 5, state: "available" }]);
  expect(disks).toEqual([{ id: "disk-base" }]);
  expect(instances).toEqual([]);
  expect(readdirSync(join(directory, "disks"))).toEqual(["disk-base.qcow2"]);
  expect(readdirSync(join(directory, "boot"))).toEqual(["boot-base"]);
  expect(readdirSync(join(directory, "profiles"))).toEqual(["web.json"]);
});

test("with the base images nothing at all is left", async () => {
  await resetLocalCloud({ directory, baseImages: true, signal });
  expect(() => readdirSync(directory)).toThrow(/ENOENT/);
  // Where nothing is, nothing is to be done.
  await resetLocalCloud({ directory, baseImages: true, signal });
});

test("a new setup takes the place of the old one", async () => {
  mkdirSync(join(directory, "made"));
  writeFileSync(join(directory, "made", "disk"), "");
  const store = new Store(directory);
  await installBaseImage(
    store,
    {
      base: "debian-12",
      name: "debian-12-amd64-20260202",
      description: "",
      architecture: "x86_64",
      sizeGiB: 8,
      disk: "disk-new",
      boot: { kind: "disk" },
      files: { disk: join(directory, "made", "disk") },
      createdAt: 6,
    },
    signal,
  );
  expect((await store.read()).images).toMatchObject([{ name: "debian-12-amd64-20260202" }]);
});

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { registerBaseImage, type BaseImage } from "../../src/local/base-images.ts";
import { outdatedBaseImages } from "../../src/local/index.ts";
import { debianRecipe } from "../../src/local/setup/debian.ts";
import { Store } from "../../src/local/state/store.ts";
import { bakeAmi } from "../support/cli.ts";

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "bake-ami-outdated-"));
});
afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

async function register(image: Partial<BaseImage>): Promise<void> {
  const base: BaseImage = {
    base: "debian-12",
    name: "debian-12-amd64-20260102",
    description: "a base image without a disk",
    architecture: "x86_64",
    sizeGiB: 8,
    disk: "disk-00000000000000001",
    boot: { kind: "disk" },
    ...image,
  };
  await new Store(directory).change(
    (draft) => registerBaseImage(draft, base, Date.now()),
    AbortSignal.timeout(10_000),
  );
}

const doctor = async (): Promise<string> => {
  const env = { BAKE_AMI_LOCAL_DIR: directory, BAKE_AMI_DATA_DIR: directory };
  return (await bakeAmi(["doctor", "--local"], { env })).stdout;
};

test("a base image of this recipe is up to date, and so is none", async () => {
  expect(await outdatedBaseImages(directory)).toEqual([]);
  await register({ recipe: await debianRecipe() });
  expect(await outdatedBaseImages(directory)).toEqual([]);
  expect(await doctor()).toContain("base image: made by this bake-ami");
});

test.each([undefined, "another"])(
  "one of the recipe %s is outdated, which the doctor tells",
  async (recipe) => {
    await register({ recipe });
    expect(await outdatedBaseImages(directory)).toEqual(["debian-12"]);
    const text = await doctor();
    expect(text).toContain("base image: the base image was made by an older bake-ami");
    expect(text).toContain("bake-ami local setup --force");
  },
);

test("Amazon's own image has no recipe", async () => {
  await register({ base: "al2023" });
  expect(await outdatedBaseImages(directory)).toEqual([]);
});

test("the recipe is the same at each look", async () => {
  expect(await debianRecipe()).toMatch(/^[0-9a-f]{16}$/);
  expect(await debianRecipe()).toBe(await debianRecipe());
});

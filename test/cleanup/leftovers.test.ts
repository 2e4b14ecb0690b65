import { expect, test } from "vitest";
import type { Image } from "../../src/aws/images.ts";
import type { Instance } from "../../src/aws/instances.ts";
import { runTags, tagKeys, type Role, type TaggedResource } from "../../src/aws/tags.ts";
import type { Inventory } from "../../src/cleanup/inventory.ts";
import { findLeftovers } from "../../src/cleanup/leftovers.ts";

const tagged = (id: string, role: Role, run: string, expires?: Date): TaggedResource => ({
  id,
  tags: runTags({ run, owner: "o", role, ...(expires === undefined ? {} : { expires }) }),
});

const soon = new Date("2030-01-01");

const instance = (id: string, role: Role, run: string): Instance => ({
  ...tagged(id, role, run),
  state: "running",
  stateReason: undefined,
  type: "t3.small",
  imageId: "ami-1",
  publicAddress: undefined,
  privateAddress: undefined,
  sshPort: 22,
  launchedAt: undefined,
  groupIds: [],
});

const image = (id: string, run: string, snapshotId: string, expires?: Date): Image => ({
  ...tagged(id, "image", run, expires),
  name: id,
  state: "available",
  stateReason: undefined,
  architecture: "x86_64",
  createdAt: new Date(),
  snapshotIds: [snapshotId],
});

const inventory: Inventory = {
  instances: [instance("i-builder", "builder", "r1"), instance("i-machine", "machine", "r2")],
  images: [image("ami-done", "r0", "snap-done"), image("ami-half", "r1", "snap-half", soon)],
  snapshots: [
    tagged("snap-done", "image", "r0"),
    tagged("snap-half", "image", "r1", soon),
    tagged("snap-lost", "image", "r1", soon),
  ],
  groups: [
    tagged("sg-builder", "builder-group", "r1", soon),
    tagged("sg-used", "machine-group", "r2"),
    tagged("sg-orphan", "machine-group", "r3"),
  ],
  keys: [tagged("key-builder", "builder-key", "r1", soon), tagged("key-machine", "machine-key", "r3")],
};

test("what a bake or launch left goes; machines, their groups and finished images stay", () => {
  const found = findLeftovers(inventory);
  const ids = [found.instances, found.images, found.snapshots, found.groups, found.keys].map((list) =>
    list.map(({ id }) => id),
  );
  expect(ids).toEqual([
    ["i-builder"],
    ["ami-half"],
    // The half-made image takes its own snapshot with it.
    ["snap-lost"],
    ["sg-builder", "sg-orphan"],
    ["key-builder", "key-machine"],
  ]);
});

test("the expiry tag is what tells a half-made image from a finished one", () => {
  expect(inventory.images.filter(({ tags }) => tags.has(tagKeys.expires)).map(({ id }) => id)).toEqual([
    "ami-half",
  ]);
});

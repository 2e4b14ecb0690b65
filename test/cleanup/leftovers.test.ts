import { describe, expect, test } from "vitest";
import { tagKeys } from "../../src/aws/tags.ts";
import type { Inventory } from "../../src/cleanup/inventory.ts";
import { findLeftovers, type Leftovers, type Wanted } from "../../src/cleanup/leftovers.ts";
import { image, instance, inventoryOf, tagged } from "./support.ts";

const now = Date.parse("2026-01-02T12:00:00Z");
const past = new Date(now - 1);
const future = new Date(now + 1);

/** Runs that began one and three hours before `now`. */
const recent = "20260102-110000-aaaaaa";
const old = "20260102-090000-bbbbbb";

const everything: Wanted = {
  now,
  owner: "me",
  allOwners: false,
  expiredOnly: false,
  olderThanMs: undefined,
  isLive: () => false,
};

/** Ids, in the order in which they go. */
function ids(found: Leftovers): string[] {
  const { instances, images, snapshots, groups, keys, addresses, spotRequests } = found;
  return [instances, images, snapshots, groups, keys, addresses, spotRequests].flatMap((list) =>
    list.map(({ id }) => id),
  );
}

const find = (inventory: Partial<Inventory>, wanted: Partial<Wanted> = {}): string[] =>
  ids(findLeftovers(inventoryOf(inventory), { ...everything, ...wanted }));

/** All that one bake can leave, with ids that begin with `name`. */
function ofBake(name: string, run: string, expires: Date, owner = "me"): Inventory {
  return {
    instances: [instance(`i-${name}`, { role: "builder", run, expires, owner, groupIds: [`sg-${name}`] })],
    images: [image(`ami-${name}`, { run, expires, owner, snapshotIds: [`snap-${name}`] })],
    snapshots: [
      tagged(`snap-${name}`, { role: "image", run, expires, owner }),
      tagged(`snap-lost-${name}`, { role: "image", run, expires, owner }),
    ],
    groups: [tagged(`sg-${name}`, { role: "builder-group", run, expires, owner })],
    keys: [tagged(`key-${name}`, { role: "builder-key", run, expires, owner })],
    addresses: [],
    spotRequests: [],
  };
}

/** The half-made image takes its own snapshot with it. */
const allOf = (name: string): string[] => [
  `i-${name}`,
  `ami-${name}`,
  `snap-lost-${name}`,
  `sg-${name}`,
  `key-${name}`,
];

function together(...parts: readonly Inventory[]): Inventory {
  return {
    instances: parts.flatMap((part) => part.instances),
    images: parts.flatMap((part) => part.images),
    snapshots: parts.flatMap((part) => part.snapshots),
    groups: parts.flatMap((part) => part.groups),
    keys: parts.flatMap((part) => part.keys),
    addresses: parts.flatMap((part) => part.addresses),
    spotRequests: parts.flatMap((part) => part.spotRequests),
  };
}

test("what a bake or launch left goes; machines, their groups and finished images stay", () => {
  const found = find({
    instances: [
      instance("i-builder", { role: "builder", run: recent }),
      instance("i-machine", { role: "machine", run: old, groupIds: ["sg-used"] }),
    ],
    images: [
      image("ami-done", { run: old, snapshotIds: ["snap-done"] }),
      image("ami-half", { run: recent, expires: future, snapshotIds: ["snap-half"] }),
    ],
    snapshots: [
      tagged("snap-done", { role: "image", run: old }),
      tagged("snap-half", { role: "image", run: recent, expires: future }),
      tagged("snap-lost", { role: "image", run: recent, expires: future }),
    ],
    groups: [
      tagged("sg-builder", { role: "builder-group", run: recent, expires: future }),
      tagged("sg-used", { role: "machine-group", run: old }),
      tagged("sg-orphan", { role: "machine-group", run: recent }),
    ],
    keys: [
      tagged("key-builder", { role: "builder-key", run: recent, expires: future }),
      tagged("key-machine", { role: "machine-key", run: recent }),
    ],
  });
  expect(found).toEqual([
    "i-builder",
    "ami-half",
    "snap-lost",
    "sg-builder",
    "sg-orphan",
    "key-builder",
    "key-machine",
  ]);
});

describe("whose things", () => {
  const inventory = together(
    ofBake("mine-old", old, past),
    ofBake("mine-new", recent, future),
    ofBake("hers-old", old, past, "her"),
    ofBake("hers-new", recent, future, "her"),
  );

  test("one's own go whether expired or not, others' not at all", () => {
    expect(find(inventory).sort()).toEqual([...allOf("mine-old"), ...allOf("mine-new")].sort());
  });

  test("with all owners, others' go once they have expired", () => {
    const found = find(inventory, { allOwners: true });
    expect(found.sort()).toEqual([...allOf("mine-old"), ...allOf("mine-new"), ...allOf("hers-old")].sort());
  });

  test("a sweep takes one's own once they have expired", () => {
    expect(find(inventory, { expiredOnly: true }).sort()).toEqual(allOf("mine-old").sort());
  });

  test("what others have without an expiry, or with one that cannot be read, never expires", () => {
    const odd = tagged("sg-odd", { role: "builder-group", run: old, owner: "her" });
    const unread = new Map([...odd.tags, [tagKeys.expires, "tomorrow"]]);
    const groups = [odd, { id: "sg-unread", tags: unread }];
    expect(find({ groups }, { allOwners: true })).toEqual([]);
  });
});

test("only runs that began before a time, by their ids", () => {
  const nameless = { ...tagged("key-nameless", { role: "builder-key", run: "somebody's", expires: past }) };
  const inventory = together(ofBake("old", old, future), ofBake("new", recent, past), {
    ...inventoryOf({}),
    keys: [nameless],
  });
  expect(find(inventory, { olderThanMs: 2 * 3600_000 })).toEqual(allOf("old"));
});

test("a run that a command still works on is left alone, and named once", () => {
  const inventory = together(ofBake("old", old, past), ofBake("new", recent, future));
  const found = findLeftovers(inventory, { ...everything, isLive: (run) => run === recent });
  expect(ids(found)).toEqual(allOf("old"));
  expect(found.live).toEqual([recent]);
});

test("a live run whose things would stay anyway is not named", () => {
  const inventory = ofBake("new", recent, future);
  const found = findLeftovers(inventory, { ...everything, expiredOnly: true, isLive: () => true });
  expect(found.live).toEqual([]);
});

describe("an image that is being made", () => {
  const inventory = inventoryOf({
    instances: [
      instance("i-1", { role: "builder", run: old, expires: past, state: "stopped", groupIds: ["sg-1"] }),
    ],
    images: [image("ami-1", { run: old, expires: future, state: "pending", snapshotIds: [] })],
    snapshots: [tagged("snap-1", { role: "image", run: old, expires: past })],
    groups: [tagged("sg-1", { role: "builder-group", run: old, expires: past })],
    keys: [tagged("key-1", { role: "builder-key", run: old, expires: past })],
  });

  test("keeps its stopped builder and its snapshot, though they have expired", () => {
    expect(find(inventory, { expiredOnly: true })).toEqual(["key-1"]);
  });

  test("does so for other owners' cleanups too", () => {
    expect(find(inventory, { owner: "another", allOwners: true })).toEqual(["key-1"]);
  });

  test("goes with everything by its owner's own cleanup", () => {
    expect(find(inventory)).toEqual(["i-1", "ami-1", "snap-1", "sg-1", "key-1"]);
  });
});

test("an instance that ends already is not ended again, and does not hold its group", () => {
  const found = find({
    instances: [
      instance("i-b", { role: "builder", run: recent, state: "shutting-down", groupIds: ["sg-b"] }),
      instance("i-m", { role: "machine", run: old, state: "shutting-down", groupIds: ["sg-m"] }),
    ],
    groups: [
      tagged("sg-b", { role: "builder-group", run: recent }),
      tagged("sg-m", { role: "machine-group", run: old }),
    ],
  });
  expect(found).toEqual(["sg-b", "sg-m"]);
});

test("a group that a staying machine uses stays, whatever it was made for", () => {
  const found = find({
    instances: [instance("i-m", { role: "machine", run: old, groupIds: ["sg-b"] })],
    groups: [tagged("sg-b", { role: "builder-group", run: recent })],
  });
  expect(found).toEqual([]);
});

test("Elastic IPs and spot requests go with the last machine of their launch, and never the user's own", () => {
  const left = {
    addresses: [
      tagged("eipalloc-gone", { role: "machine-address", run: old }),
      tagged("eipalloc-used", { role: "machine-address", run: recent }),
      tagged("eipalloc-other", { role: "image", run: old }),
    ],
    spotRequests: [
      tagged("sir-gone", { role: "machine-spot-request", run: old }),
      tagged("sir-used", { role: "machine-spot-request", run: recent }),
    ],
  };
  const instances = [instance("i-1", { role: "machine", run: recent })];
  expect(find({ ...left, instances })).toEqual(["eipalloc-gone", "sir-gone"]);
  const jobs = [instance("i-1", { role: "job", run: recent })];
  expect(find({ ...left, instances: jobs })).toEqual(["eipalloc-gone", "sir-gone"]);
  expect(find(left)).toEqual(["eipalloc-gone", "eipalloc-used", "sir-gone", "sir-used"]);
});

import { describe, expect, test } from "vitest";
import { catalogOf, imageTags, initOf, namesIn, readTags, runTags, writeTags } from "../../src/aws/tags.ts";

const digest = "0123456789abcdef";

describe("image tags", () => {
  test.each([0, 1, 8, 9, 100])("%d services fit, are spread, and are read back whole", (count) => {
    const init = new Map(Array.from({ length: count }, (_, n) => [`service-${n}`, digest] as const));
    const tags = imageTags(["web"], init);
    for (const value of tags.values()) expect(value.length).toBeLessThanOrEqual(256);
    expect(initOf(tags)).toEqual(init);
    expect(tags.size).toBeLessThanOrEqual(36);
  });

  test("too many services are refused before anything is started", () => {
    const init = new Map(
      Array.from({ length: 400 }, (_, n) => [`a-rather-long-service-name-${n}`, digest] as const),
    );
    expect(() => imageTags(["web"], init)).toThrow(/400 services do not fit into the 50 tags/);
  });

  test("the catalog is read back, and left out where it does not fit", () => {
    const init = new Map([["web", digest]]);
    const catalog = new Map(Array.from({ length: 300 }, (_, n) => [`service-${n}`, "01234567"] as const));
    const tags = imageTags(["web"], init, catalog);
    for (const value of tags.values()) expect(value.length).toBeLessThanOrEqual(256);
    expect(catalogOf(tags)).toEqual(catalog);
    expect(initOf(tags)).toEqual(init);
    expect(tags.size).toBeLessThanOrEqual(36);
    // The user's own tags need their room too.
    const crowded = imageTags(["web"], init, catalog, 30);
    expect(catalogOf(crowded)).toBeUndefined();
    expect(initOf(crowded)).toEqual(init);
  });

  test("too long a list of requested services is refused", () => {
    const names = Array.from({ length: 50 }, (_, n) => `service-${n}`);
    expect(() => imageTags(names, new Map())).toThrow(/a tag 256/);
  });
});

test("run tags carry run, owner, role and expiry", () => {
  const tags = runTags({ run: "r", owner: "o", role: "builder", expires: new Date("2026-01-02T03:04:05Z") });
  expect(Object.fromEntries(tags)).toEqual({
    "bake-ami:run": "r",
    "bake-ami:owner": "o",
    "bake-ami:role": "builder",
    "bake-ami:expires": "2026-01-02T03:04:05.000Z",
    Name: "bake-ami builder r",
  });
  expect(readTags(writeTags(tags))).toEqual(tags);
});

test("keys that the machine reads have no space and no slash", () => {
  for (const key of runTags({ run: "r", owner: "o", role: "machine" }).keys())
    expect(key).not.toMatch(/[ /]/);
});

test("names in a tag", () => {
  expect(namesIn(new Map([["k", "a b"]]), "k")).toEqual(["a", "b"]);
  expect(namesIn(new Map(), "k")).toEqual([]);
});

import { expect, test } from "vitest";
import { newestFirst, type Image } from "../../src/aws/images.ts";
import { imageTags, tagKeys } from "../../src/aws/tags.ts";
import { chooseImage } from "../../src/launch/choose-image.ts";
import { anImage } from "../support/resources.ts";

function image(id: string, day: number, services: readonly string[], change: Partial<Image> = {}): Image {
  return anImage(id, {
    createdAt: new Date(Date.UTC(2026, 0, day)),
    tags: imageTags(services, new Map(services.map((name) => [name, "d"]))),
    ...change,
  });
}

const choose = (images: Image[], wanted: string[], extra: string[] = []): unknown => {
  const choice = chooseImage(newestFirst(images), wanted, extra);
  return choice && [choice.image.id, choice.covered, choice.late];
};

test("the newest image that has everything", () => {
  const images = [
    image("old", 1, ["web", "db"]),
    image("new", 3, ["web", "db"]),
    image("newest", 5, ["web"]),
  ];
  expect(choose(images, ["web", "db"])).toEqual(["new", ["db", "web"], []]);
  expect(choose(images, ["web"])).toEqual(["newest", ["web"], []]);
});

test("failing that, the newest that has most, and the rest is late", () => {
  const images = [image("two", 1, ["a", "b"]), image("one", 3, ["a"])];
  expect(choose(images, ["a", "b", "c"])).toEqual(["two", ["a", "b"], ["c"]]);
});

test("added services do not decide, and are late only where the image lacks them", () => {
  const images = [image("both", 1, ["web", "cert"]), image("web", 3, ["web"])];
  expect(choose(images, ["web"], ["cert"])).toEqual(["web", ["web"], ["cert"]]);
  expect(choose([image("both", 1, ["web", "cert"])], ["web"], ["cert"])).toEqual([
    "both",
    ["cert", "web"],
    [],
  ]);
});

test("images that are not finished are no choice", () => {
  const unfinished = image("u", 9, ["web"]);
  const tags = new Map([...unfinished.tags, [tagKeys.expires, "2026-01-01T00:00:00Z"]]);
  expect(
    choose([image("p", 8, ["web"], { state: "pending" }), { ...unfinished, tags }], ["web"]),
  ).toBeUndefined();
  expect(choose([image("a", 1, ["db"])], ["web"])).toBeUndefined();
});

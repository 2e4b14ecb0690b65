import { expect, test } from "vitest";
import { newestFirst, type Image } from "../../src/aws/images.ts";
import { imageTags, tagKeys } from "../../src/aws/tags.ts";
import { Cloud } from "../../src/aws/cloud.ts";
import { messageOf } from "../../src/base/errors.ts";
import { chooseImage, findImage, type ImageRequest } from "../../src/launch/choose-image.ts";
import { anImage } from "../support/resources.ts";
import { scriptedHandler } from "../support/scripted-handler.ts";

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

const arm = { architecture: "arm64" };

async function found(
  images: readonly Image[],
  request: Partial<ImageRequest>,
): Promise<{ readonly id?: string; readonly message?: string }> {
  const item = ({ id, architecture, tags, createdAt }: Image): string =>
    `<item><imageId>${id}</imageId><imageState>available</imageState><architecture>${architecture}</architecture><creationDate>${createdAt.toISOString()}</creationDate><tagSet>${[...tags].map(([key, value]) => `<item><key>${key}</key><value>${value}</value></item>`).join("")}</tagSet></item>`;
  const cloud = new Cloud({
    region: "local",
    credentials: { accessKeyId: "a", secretAccessKey: "b" },
    requestHandler: scriptedHandler((parameters) => {
      const id = parameters.get("Filter.1.Name") === "image-id" ? parameters.get("Filter.1.Value.1") : null;
      const shown = images.filter((each) => id === null || each.id === id);
      return {
        status: 200,
        body: `<DescribeImagesResponse><imagesSet>${shown.map(item).join("")}</imagesSet></DescribeImagesResponse>`,
      };
    }),
  });
  const whole = { owner: "me", names: [], extra: [], local: undefined, ...request };
  try {
    return { id: (await findImage(cloud, whole, new AbortController().signal)).image.id };
  } catch (error) {
    expect(error).toMatchObject({ kind: "usage" });
    return { message: messageOf(error) };
  }
}

test("the newest image for an architecture; one message when there is none", async () => {
  const images = [
    image("ami-0a", 5, ["web"], arm),
    image("ami-0b", 3, ["web"]),
    image("ami-0c", 1, ["web"], arm),
  ];
  expect(await found(images, { names: ["web"] })).toEqual({ id: "ami-0a" });
  expect(await found(images, { names: ["web"], architecture: "x86_64" })).toEqual({ id: "ami-0b" });
  expect(await found(images.slice(0, 1), { names: ["web"], architecture: "x86_64" })).toEqual({
    message: "no image of yours for x86_64 has web; ami-0a, which has, is for arm64",
  });
});

test("exactly one image, beside names; and it must be for the architecture", async () => {
  const images = [image("ami-0a", 5, ["web"], arm), image("ami-0b", 3, ["web"])];
  expect(await found(images, { names: ["web"], image: "ami-0b" })).toEqual({ id: "ami-0b" });
  expect(await found(images, { image: "ami-0a", architecture: "x86_64" })).toEqual({
    message: "image ami-0a is for arm64, and not for x86_64",
  });
  expect(await found(images, { names: ["ami-0a"], image: "ami-0b" })).toEqual({
    message: "a launch takes one image, and these are 2: ami-0b, ami-0a",
  });
});

import { expect, test } from "vitest";
import type { Image } from "../../src/aws/images.ts";
import { findSource, newestRelease, type SourceRequest } from "../../src/bake/source.ts";
import { Store } from "../../src/local/state/store.ts";
import { testBake } from "../support/bake.ts";
import { failureOf } from "../support/failure.ts";
import { anImage } from "../support/resources.ts";
import { stateOnlyCloud, type StateOnlyCloud } from "../support/local-cloud.ts";

const never = new AbortController().signal;

const image = (name: string, createdAt = "2026-01-01"): Image =>
  anImage(`ami-${name.length}`, { name, createdAt: new Date(createdAt) });

test("the newest Amazon Linux is the newest release, and of that the newest kernel, whatever was made last", () => {
  const names = [
    "al2023-ami-2023.9.20251014.0-kernel-6.1-x86_64",
    "al2023-ami-2023.10.20260120.1-kernel-6.12-x86_64",
    "al2023-ami-2023.10.20260120.1-kernel-6.1-x86_64",
    "al2023-ami-2023.10.20260120.0-kernel-6.18-x86_64",
  ];
  const sorted = newestRelease(names.map((name, index) => image(name, `2026-02-0${9 - index}`)));
  expect(sorted.map(({ name }) => name)).toEqual([names[1], names[2], names[3], names[0]]);
});

test("other names go by their date", () => {
  const sorted = newestRelease([image("web-9", "2026-01-01"), image("web-10", "2026-01-03")]);
  expect(sorted.map(({ name }) => name)).toEqual(["web-10", "web-9"]);
});

async function find(local: StateOnlyCloud, request: Partial<SourceRequest>): Promise<string> {
  const { cloud } = testBake(local).options;
  const query = { kind: "id", id: local.imageId } as const;
  const whole = { query, login: undefined, architecture: undefined, allowDeprecated: false, ...request };
  const source = await findSource(cloud, whole, never);
  return `${source.image.id} ${source.architecture} ${source.login}`;
}

const debian = {
  kind: "newest",
  owner: "amazon",
  name: "debian-12*",
  architecture: undefined,
  login: "admin",
  hint: "do something",
} as const;

test("by id, by name and owner, and with a login of the user's own", async () => {
  await using local = await stateOnlyCloud();
  expect(await find(local, {})).toBe(`${local.imageId} x86_64 admin`);
  expect(await find(local, { query: debian })).toBe(`${local.imageId} x86_64 admin`);
  expect(await find(local, { query: debian, login: "root" })).toBe(`${local.imageId} x86_64 root`);
  expect(await find(local, { query: { ...debian, name: "debian-12-amd64*" } })).toContain(local.imageId);
});

test("by a parameter of Systems Manager", async () => {
  await using local = await stateOnlyCloud();
  const parameter = (name: string): Promise<string> => find(local, { query: { kind: "parameter", name } });
  expect(await parameter("/aws/service/debian/release/12/latest/amd64")).toContain(local.imageId);
  await expect(parameter("/nothing/here")).rejects.toThrow("/nothing/here");
});

test("what does not exist, or does not fit, is said with the remedy", async () => {
  await using local = await stateOnlyCloud();
  await expect(find(local, { query: { kind: "id", id: "ami-0000000000000dead" } })).rejects.toThrow(
    "ami-0000000000000dead",
  );
  await expect(find(local, { query: { ...debian, name: "nothing-{arch}" } })).rejects.toThrow(
    "no image of owner amazon is named nothing-*",
  );
  await expect(find(local, { query: debian, architecture: "arm64" })).rejects.toThrow(
    /no image of owner amazon/,
  );
  await expect(find(local, { architecture: "arm64" })).rejects.toThrow(
    /is for x86_64, and the instance types are arm64/,
  );
});

test("a deprecated source is refused, unless it is wanted", async () => {
  await using local = await stateOnlyCloud();
  await new Store(local.directory).change((draft) => {
    for (const each of draft.images) each.deprecatedAt = Date.parse("2026-02-03");
  }, never);
  const { kind, message, hint } = await failureOf(find(local, {}));
  expect(kind).toBe("usage");
  expect(message).toMatch(/is deprecated since 2026-02-03/);
  expect(hint).toContain("--allow-deprecated");
  expect(await find(local, { allowDeprecated: true })).toContain(local.imageId);
});

import {
  CreateBucketCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  paginateListObjectsV2,
  type ListObjectsV2CommandInput,
} from "@aws-sdk/client-s3";
import { afterAll, beforeAll, expect, test } from "vitest";
import { pageOf } from "../../src/local/s3/listing.ts";
import { compareKeys, decodedKey, encodedKey, pathOfKey } from "../../src/local/s3/names.ts";
import { randomNumbers } from "../support/random.ts";
import { newObjects, type Objects } from "../support/s3.ts";

let objects: Objects;
const Bucket = "listed";
const keys = [
  "a",
  "a/1",
  "a/2",
  "a/b/3",
  "a/b/4",
  "a/é",
  "b",
  "b ",
  "b+",
  "b/",
  "c/1",
  "c/2",
  "\u{ffee}",
  "\u{1f600}",
];

beforeAll(async () => {
  objects = await newObjects();
  await objects.s3.send(new CreateBucketCommand({ Bucket }));
  for (const Key of keys) await objects.s3.send(new PutObjectCommand({ Bucket, Key, Body: Key }));
});
afterAll(async () => {
  await objects[Symbol.asyncDispose]();
});

async function list(input: Omit<ListObjectsV2CommandInput, "Bucket"> = {}): Promise<{
  keys: unknown[];
  prefixes: unknown[];
  truncated: boolean | undefined;
  next: string | undefined;
}> {
  const answer = await objects.s3.send(new ListObjectsV2Command({ Bucket, ...input }));
  const [found, prefixes] = [answer.Contents ?? [], answer.CommonPrefixes ?? []];
  expect(answer.KeyCount).toBe(found.length + prefixes.length);
  return {
    keys: found.map(({ Key }) => Key),
    prefixes: prefixes.map(({ Prefix }) => Prefix),
    truncated: answer.IsTruncated,
    next: answer.NextContinuationToken,
  };
}

test("all keys, in the order of their bytes", async () => {
  expect(await list()).toMatchObject({ keys, truncated: false, next: undefined });
});

test("what is said of each", async () => {
  const answer = await objects.s3.send(new ListObjectsV2Command({ Bucket, Prefix: "a/é", FetchOwner: true }));
  expect(answer.Contents).toMatchObject([
    {
      Key: "a/é",
      Size: 4,
      StorageClass: "STANDARD",
      Owner: { DisplayName: "local" },
      ChecksumAlgorithm: ["CRC32"],
    },
  ]);
  expect(answer.Contents?.[0]?.ETag).toMatch(/^"[0-9a-f]{32}"$/);
});

test("by prefix, delimiter and start", async () => {
  expect(await list({ Prefix: "a/" })).toMatchObject({ keys: ["a/1", "a/2", "a/b/3", "a/b/4", "a/é"] });
  expect(await list({ Delimiter: "/" })).toMatchObject({
    keys: ["a", "b", "b ", "b+", "\u{ffee}", "\u{1f600}"],
    prefixes: ["a/", "b/", "c/"],
  });
  expect(await list({ Prefix: "a/", Delimiter: "/" })).toMatchObject({
    keys: ["a/1", "a/2", "a/é"],
    prefixes: ["a/b/"],
  });
  expect(await list({ Prefix: "a", Delimiter: "b/" })).toMatchObject({
    keys: ["a", "a/1", "a/2", "a/é"],
    prefixes: ["a/b/"],
  });
  expect(await list({ StartAfter: "b+", Delimiter: "/" })).toMatchObject({ prefixes: ["b/", "c/"] });
  expect(await list({ StartAfter: "c/1", Delimiter: "/", Prefix: "c" })).toMatchObject({ prefixes: ["c/"] });
  expect(await list({ Prefix: "nothing" })).toMatchObject({ keys: [], truncated: false });
  expect(await list({ MaxKeys: 0 })).toMatchObject({ keys: [], truncated: false });
});

test.each([1, 2, 3, 5])("in pages of %i", async (MaxKeys) => {
  for (const Delimiter of [undefined, "/"]) {
    const whole = await list({ Delimiter });
    const found: { keys: unknown[]; prefixes: unknown[] } = { keys: [], prefixes: [] };
    for await (const page of paginateListObjectsV2(
      { client: objects.s3, pageSize: MaxKeys },
      { Bucket, Delimiter },
    )) {
      expect(page.KeyCount).toBeLessThanOrEqual(MaxKeys);
      found.keys.push(...(page.Contents ?? []).map(({ Key }) => Key));
      found.prefixes.push(...(page.CommonPrefixes ?? []).map(({ Prefix }) => Prefix));
    }
    expect(found).toEqual({ keys: whole.keys, prefixes: whole.prefixes });
  }
});

test("keys encoded for XML", async () => {
  const answer = await objects.s3.send(
    new ListObjectsV2Command({ Bucket, Prefix: "b", EncodingType: "url" }),
  );
  expect(answer.Contents?.map(({ Key }) => Key)).toEqual(["b", "b%20", "b%2B", "b/"]);
});

test.each([
  [{ ContinuationToken: "nonsense" }, "InvalidArgument"],
  [{ MaxKeys: -1 }, "InvalidArgument"],
  [{ Bucket: "no-such-bucket" }, "NoSuchBucket"],
])("%j is refused with %s", async (input, name) => {
  await expect(objects.s3.send(new ListObjectsV2Command({ Bucket, ...input }))).rejects.toMatchObject({
    name,
  });
});

test("pages of any size put together are the whole, whatever the keys", () => {
  const random = randomNumbers(11);
  const letter = (): string => ["a", "b", "/", "//", "\u{ffee}", "\u{1f600}"][random(6)] ?? "";
  for (let round = 0; round < 200; round += 1) {
    const all = [...new Set(Array.from({ length: 30 }, () => letter() + letter() + letter() + letter()))];
    const prefix = random(2) === 0 ? "" : letter();
    const request = { prefix, delimiter: random(3) > 0 ? "/" : "", after: "", afterPrefix: undefined };
    const sorted = all.filter((key) => key.startsWith(prefix)).sort(compareKeys);
    const whole = pageOf(sorted, { ...request, most: 1000 });
    const joined: unknown[] = [];
    let place: { after: string; afterPrefix: string | undefined } = request;
    for (;;) {
      const page = pageOf(sorted, { ...request, ...place, most: 1 + random(4) });
      joined.push(...page.lines);
      const last = page.lines.at(-1);
      if (!page.truncated || last === undefined) break;
      place =
        "key" in last
          ? { after: last.key, afterPrefix: undefined }
          : { after: last.commonPrefix, afterPrefix: last.commonPrefix };
    }
    expect(joined).toEqual(whole.lines);
  }
});

test("keys as file names: readable, safe and without loss", () => {
  expect(pathOfKey("logs/web-1.log")).toEqual({ directories: [], file: "logs%2fweb-1.log=" });
  for (const key of [
    "..",
    "Ab c",
    "a\u0000b",
    "%2f",
    "é\u{1f600}",
    "x".repeat(1024),
    "\u{1f600}".repeat(256),
  ]) {
    expect(decodedKey(encodedKey(key))).toBe(key);
    const { directories, file } = pathOfKey(key);
    for (const name of [...directories, file]) expect(name).toMatch(/^[a-z0-9._%-]{1,200}[+=]$/);
    const joined = [...directories, file].map((name) => name.slice(0, -1)).join("");
    expect(decodedKey(joined)).toBe(key);
  }
});

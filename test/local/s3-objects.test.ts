import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import {
  CopyObjectCommand,
  CreateBucketCommand,
  DeleteBucketCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetBucketLocationCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListBucketsCommand,
  PutObjectCommand,
  S3ServiceException,
  type ChecksumAlgorithm,
} from "@aws-sdk/client-s3";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { newObjects, type Objects } from "../support/s3.ts";

let objects: Objects;
const Bucket = "first-bucket";

beforeAll(async () => {
  objects = await newObjects();
  await objects.s3.send(new CreateBucketCommand({ Bucket }));
});
afterAll(async () => {
  await objects[Symbol.asyncDispose]();
});

async function put(Key: string, Body: string | Uint8Array | Readable, more: object = {}): Promise<string> {
  return (await objects.s3.send(new PutObjectCommand({ Bucket, Key, Body, ...more }))).ETag ?? "";
}

async function get(Key: string, more: object = {}): Promise<string> {
  const answer = await objects.s3.send(new GetObjectCommand({ Bucket, Key, ...more }));
  return (await answer.Body?.transformToString()) ?? "";
}

/** The error that a call ends with. */
async function failure(
  call: Promise<unknown>,
): Promise<{ name: string; status: number | undefined; message: string }> {
  const error: unknown = await call.then(
    () => new Error("it went well"),
    (reason: unknown) => reason,
  );
  if (!(error instanceof S3ServiceException)) throw error;
  return { name: error.name, status: error.$metadata.httpStatusCode, message: error.message };
}

function md5(data: string | Uint8Array): string {
  return `"${createHash("md5").update(data).digest("hex")}"`;
}

describe("buckets", () => {
  test("are made, found, listed and deleted", async () => {
    const { s3 } = objects;
    await s3.send(new CreateBucketCommand({ Bucket: "another.bucket" }));
    expect((await s3.send(new HeadBucketCommand({ Bucket: "another.bucket" }))).BucketRegion).toBe("local");
    expect((await s3.send(new GetBucketLocationCommand({ Bucket }))).LocationConstraint).toBe("local");
    const listed = await s3.send(new ListBucketsCommand({}));
    expect(listed.Buckets?.map(({ Name }) => Name)).toEqual(["another.bucket", Bucket]);
    expect(listed.Buckets?.[0]?.CreationDate).toBeInstanceOf(Date);
    const page = await s3.send(new ListBucketsCommand({ MaxBuckets: 1 }));
    expect(page.Buckets?.map(({ Name }) => Name)).toEqual(["another.bucket"]);
    const rest = await s3.send(new ListBucketsCommand({ ContinuationToken: page.ContinuationToken }));
    expect(rest.Buckets?.map(({ Name }) => Name)).toEqual([Bucket]);
    await s3.send(new DeleteBucketCommand({ Bucket: "another.bucket" }));
    expect(await failure(s3.send(new HeadBucketCommand({ Bucket: "another.bucket" })))).toMatchObject({
      name: "NotFound",
      status: 404,
    });
  });

  test("that are there, are not there, or hold something", async () => {
    const { s3 } = objects;
    await put("here", "x");
    expect(await failure(s3.send(new CreateBucketCommand({ Bucket })))).toMatchObject({
      name: "BucketAlreadyOwnedByYou",
      status: 409,
    });
    expect(await failure(s3.send(new DeleteBucketCommand({ Bucket })))).toMatchObject({
      name: "BucketNotEmpty",
      status: 409,
    });
    const missing = { Bucket: "no-such-bucket" };
    for (const call of [
      async () => await s3.send(new DeleteBucketCommand(missing)),
      async () => await s3.send(new PutObjectCommand({ ...missing, Key: "k", Body: "x" })),
      async () => await s3.send(new GetObjectCommand({ ...missing, Key: "k" })),
      async () => await s3.send(new DeleteObjectCommand({ ...missing, Key: "k" })),
    ]) {
      expect(await failure(call())).toMatchObject({ name: "NoSuchBucket", status: 404 });
    }
  });

  test.each(["ab", "Upper-Case", "192.168.0.1", "a..b", "-dash", "under_score", "a-s3alias"])(
    "no bucket is called %s",
    async (name) => {
      const call = objects.s3.send(new CreateBucketCommand({ Bucket: name }));
      expect(await failure(call)).toMatchObject({ name: "InvalidBucketName", status: 400 });
    },
  );

  test("a bucket's place is that of the client", async () => {
    const call = objects.s3.send(
      new CreateBucketCommand({
        Bucket: "elsewhere",
        CreateBucketConfiguration: { LocationConstraint: "eu-west-1" },
      }),
    );
    expect((await failure(call)).name).toBe("IllegalLocationConstraintException");
  });
});

describe("objects", () => {
  test("come back as they went, with all that was said of them", async () => {
    const body = Buffer.from(Array.from({ length: 300_000 }, (_, index) => index % 251));
    const etag = await put("a/b c+d&é\u{1f600}.bin", body, {
      ContentType: "application/x-thing",
      CacheControl: "no-cache",
      ContentDisposition: "attachment",
      ContentEncoding: "identity",
      ContentLanguage: "en",
      Metadata: { owner: "me", "Some-Thing": "a  b" },
    });
    expect(etag).toBe(md5(body));
    const answer = await objects.s3.send(new GetObjectCommand({ Bucket, Key: "a/b c+d&é\u{1f600}.bin" }));
    expect(body.equals((await answer.Body?.transformToByteArray()) ?? new Uint8Array())).toBe(true);
    expect(answer).toMatchObject({
      ETag: etag,
      ContentLength: body.length,
      ContentType: "application/x-thing",
      CacheControl: "no-cache",
      ContentDisposition: "attachment",
      ContentEncoding: "identity",
      ContentLanguage: "en",
      AcceptRanges: "bytes",
      Metadata: { owner: "me", "some-thing": "a  b" },
    });
    expect(Math.abs(Date.now() - (answer.LastModified?.getTime() ?? 0))).toBeLessThan(10_000);
    const head = await objects.s3.send(new HeadObjectCommand({ Bucket, Key: "a/b c+d&é\u{1f600}.bin" }));
    expect(head).toMatchObject({ ETag: etag, ContentLength: body.length, Metadata: { owner: "me" } });
  });

  test.each([
    "..",
    "../up",
    "a/../../b",
    "/",
    "//",
    "a//b",
    "a",
    "a/b",
    "A",
    ".hidden",
    "a+",
    "a=",
    "x".repeat(1024),
    "é".repeat(512),
  ])("a key may be %s", async (key) => {
    await put(key, `of ${key}`);
    expect(await get(key)).toBe(`of ${key}`);
    await objects.s3.send(new DeleteObjectCommand({ Bucket, Key: key }));
    expect(await failure(objects.s3.send(new GetObjectCommand({ Bucket, Key: key })))).toMatchObject({
      name: "NoSuchKey",
      status: 404,
    });
  });

  test("a key has at most 1024 bytes", async () => {
    expect((await failure(put("é".repeat(513), "x"))).name).toBe("KeyTooLongError");
  });

  test("empty ones, replaced ones, and ones deleted twice", async () => {
    expect(await put("empty", "")).toBe(md5(""));
    expect(await get("empty")).toBe("");
    await put("empty", "no more");
    expect(await get("empty")).toBe("no more");
    await objects.s3.send(new DeleteObjectCommand({ Bucket, Key: "empty" }));
    await objects.s3.send(new DeleteObjectCommand({ Bucket, Key: "empty" }));
    expect(await failure(objects.s3.send(new HeadObjectCommand({ Bucket, Key: "empty" })))).toMatchObject({
      name: "NotFound",
      status: 404,
    });
  });

  test("many are deleted at once", async () => {
    for (const key of ["many/1", "many/<2>&"]) await put(key, "x");
    const answer = await objects.s3.send(
      new DeleteObjectsCommand({
        Bucket,
        Delete: { Objects: ["many/1", "many/<2>&", "many/3"].map((Key) => ({ Key })) },
      }),
    );
    expect(answer.Deleted?.map(({ Key }) => Key)).toEqual(["many/1", "many/<2>&", "many/3"]);
    expect((await failure(objects.s3.send(new GetObjectCommand({ Bucket, Key: "many/1" })))).name).toBe(
      "NoSuchKey",
    );
    const versions = new DeleteObjectsCommand({
      Bucket,
      Delete: { Objects: [{ Key: "a", VersionId: "1" }] },
    });
    expect((await failure(objects.s3.send(versions))).name).toBe("NotImplemented");
  });

  test("parts of one", async () => {
    await put("ranges", "0123456789");
    for (const [range, part, shown] of [
      ["bytes=0-0", "0", "bytes 0-0/10"],
      ["bytes=2-4", "234", "bytes 2-4/10"],
      ["bytes=7-", "789", "bytes 7-9/10"],
      ["bytes=-2", "89", "bytes 8-9/10"],
      ["bytes=-20", "0123456789", "bytes 0-9/10"],
      ["bytes=8-100", "89", "bytes 8-9/10"],
    ] as const) {
      const answer = await objects.s3.send(new GetObjectCommand({ Bucket, Key: "ranges", Range: range }));
      expect([await answer.Body?.transformToString(), answer.ContentRange]).toEqual([part, shown]);
      expect(answer.$metadata.httpStatusCode).toBe(206);
    }
    expect(await get("ranges", { Range: "bytes=4-2" })).toBe("0123456789");
    const beyond = new GetObjectCommand({ Bucket, Key: "ranges", Range: "bytes=10-" });
    expect(await failure(objects.s3.send(beyond))).toMatchObject({ name: "InvalidRange", status: 416 });
  });

  test("on conditions", async () => {
    const etag = await put("conditions", "x");
    const status = async (more: object): Promise<number | undefined> =>
      await objects.s3.send(new GetObjectCommand({ Bucket, Key: "conditions", ...more })).then(
        ({ $metadata }) => $metadata.httpStatusCode,
        (error: unknown) =>
          error instanceof S3ServiceException ? error.$metadata.httpStatusCode : undefined,
      );
    const [before, after] = [new Date(Date.now() - 60_000), new Date(Date.now() + 60_000)];
    expect(await status({ IfMatch: etag })).toBe(200);
    expect(await status({ IfMatch: '"other"' })).toBe(412);
    expect(await status({ IfNoneMatch: etag })).toBe(304);
    expect(await status({ IfNoneMatch: '"other"' })).toBe(200);
    expect(await status({ IfModifiedSince: before })).toBe(200);
    expect(await status({ IfModifiedSince: after })).toBe(304);
    expect(await status({ IfUnmodifiedSince: before })).toBe(412);
    expect(await status({ IfUnmodifiedSince: after })).toBe(200);
    // An entity tag knows better than a time.
    expect(await status({ IfMatch: etag, IfUnmodifiedSince: before })).toBe(200);
    expect(await status({ IfNoneMatch: '"other"', IfModifiedSince: after })).toBe(200);
  });

  test("are written on conditions", async () => {
    const etag = await put("once", "first", { IfNoneMatch: "*" });
    expect(await failure(put("once", "second", { IfNoneMatch: "*" }))).toMatchObject({
      name: "PreconditionFailed",
      status: 412,
    });
    expect((await failure(put("once", "second", { IfMatch: '"other"' }))).name).toBe("PreconditionFailed");
    expect((await failure(put("never", "second", { IfMatch: '"other"' }))).name).toBe("NoSuchKey");
    await put("once", "third", { IfMatch: etag });
    expect(await get("once")).toBe("third");
  });

  test("of many writers on one condition, one wins", async () => {
    const results = await Promise.allSettled(
      Array.from({ length: 12 }, async (_, index) => await put("race", String(index), { IfNoneMatch: "*" })),
    );
    const won = results.flatMap(({ status }, index) => (status === "fulfilled" ? [String(index)] : []));
    expect(won).toEqual([await get("race")]);
  });

  test("the reply's headers can be chosen", async () => {
    await put("chosen", "x");
    const answer = await objects.s3.send(
      new GetObjectCommand({
        Bucket,
        Key: "chosen",
        ResponseContentType: "text/x",
        ResponseCacheControl: "no",
      }),
    );
    expect(answer).toMatchObject({ ContentType: "text/x", CacheControl: "no" });
  });
});

describe("what is said of a body holds", () => {
  test.each<ChecksumAlgorithm>(["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"])(
    "%s",
    async (algorithm) => {
      const known = {
        CRC32: "y/Q5Jg==",
        CRC32C: "4waSgw==",
        CRC64NVME: "rosUhgp5mIg=",
        SHA1: createHash("sha1").update("123456789").digest("base64"),
        SHA256: createHash("sha256").update("123456789").digest("base64"),
      };
      const value = Object.entries(known).find(([name]) => name === algorithm)?.[1] ?? "";
      const right = { [`Checksum${algorithm}`]: value };
      const answer = await objects.s3.send(
        new PutObjectCommand({ Bucket, Key: "sum", Body: "123456789", ...right }),
      );
      expect(answer).toMatchObject(right);
      const read = await objects.s3.send(
        new HeadObjectCommand({ Bucket, Key: "sum", ChecksumMode: "ENABLED" }),
      );
      expect(read).toMatchObject({ ...right, ChecksumType: "FULL_OBJECT" });
      expect(await failure(put("sum", "other", right))).toMatchObject({ name: "BadDigest", status: 400 });
      expect((await failure(put("sum", "other", { [`Checksum${algorithm}`]: "AAAA" }))).name).toBe(
        "InvalidRequest",
      );
      expect(await get("sum")).toBe("123456789");
    },
  );

  test("Content-MD5", async () => {
    const ContentMD5 = createHash("md5").update("right").digest("base64");
    await put("md5", "right", { ContentMD5 });
    expect((await failure(put("md5", "wrong", { ContentMD5 }))).name).toBe("BadDigest");
    expect((await failure(put("md5", "wrong", { ContentMD5: "nonsense" }))).name).toBe("InvalidDigest");
  });

  test("a stream comes in chunks with a checksum behind it", async () => {
    const body = Buffer.alloc(700_000, "stream");
    const pieces = Array.from({ length: 7 }, (_, index) =>
      body.subarray(index * 100_000, (index + 1) * 100_000),
    );
    await put("streamed", Readable.from(pieces), { ContentLength: body.length });
    const answer = await objects.s3.send(
      new GetObjectCommand({ Bucket, Key: "streamed", ChecksumMode: "ENABLED" }),
    );
    expect(answer.ChecksumCRC32).toBeDefined();
    expect(answer.ContentEncoding).toBeUndefined();
    expect(body.equals((await answer.Body?.transformToByteArray()) ?? new Uint8Array())).toBe(true);
    expect(await failure(put("unknown", Readable.from(pieces)))).toMatchObject({
      name: "MissingContentLength",
      status: 411,
    });
    expect(
      (await failure(put("short", Readable.from(pieces), { ContentLength: body.length + 1 }))).name,
    ).toBe("IncompleteBody");
  });
});

describe("copies", () => {
  test("take the content and what is said of it along, or not", async () => {
    await put("source/a b", "copied", { ContentType: "text/x", Metadata: { one: "1" } });
    const CopySource = `${Bucket}/${encodeURIComponent("source/a b")}`;
    const { s3 } = objects;
    const copied = await s3.send(new CopyObjectCommand({ Bucket, Key: "copy", CopySource }));
    expect(copied.CopyObjectResult?.ETag).toBe(md5("copied"));
    expect(await s3.send(new HeadObjectCommand({ Bucket, Key: "copy" }))).toMatchObject({
      ContentType: "text/x",
      Metadata: { one: "1" },
    });
    await s3.send(
      new CopyObjectCommand({
        Bucket,
        Key: "source/a b",
        CopySource,
        MetadataDirective: "REPLACE",
        Metadata: { two: "2" },
      }),
    );
    expect((await s3.send(new HeadObjectCommand({ Bucket, Key: "source/a b" }))).Metadata).toEqual({
      two: "2",
    });
    expect(await get("copy")).toBe("copied");
    const toItself = new CopyObjectCommand({ Bucket, Key: "copy", CopySource: `${Bucket}/copy` });
    expect((await failure(s3.send(toItself))).name).toBe("InvalidRequest");
    const ofNothing = new CopyObjectCommand({ Bucket, Key: "copy", CopySource: `${Bucket}/nothing` });
    expect((await failure(s3.send(ofNothing))).name).toBe("NoSuchKey");
    const onCondition = new CopyObjectCommand({ Bucket, Key: "b", CopySource, CopySourceIfMatch: '"x"' });
    expect((await failure(s3.send(onCondition))).name).toBe("PreconditionFailed");
  });
});

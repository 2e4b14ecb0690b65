import { createHash, randomBytes } from "node:crypto";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteBucketCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  ListPartsCommand,
  PutObjectCommand,
  UploadPartCommand,
  UploadPartCopyCommand,
  type CompletedPart,
  type CompleteMultipartUploadCommandInput,
} from "@aws-sdk/client-s3";
import { afterAll, beforeAll, expect, test } from "vitest";
import { newObjects, type Objects } from "../support/s3.ts";

let objects: Objects;
const Bucket = "parts";
const mebibyte = 1024 * 1024;

beforeAll(async () => {
  objects = await newObjects();
  await objects.s3.send(new CreateBucketCommand({ Bucket }));
});
afterAll(async () => {
  await objects[Symbol.asyncDispose]();
});

async function begin(
  Key: string,
  more: object = {},
): Promise<{ Bucket: string; Key: string; UploadId: string }> {
  const { UploadId = "" } = await objects.s3.send(new CreateMultipartUploadCommand({ Bucket, Key, ...more }));
  return { Bucket, Key, UploadId };
}

async function part(
  upload: { Bucket: string; Key: string; UploadId: string },
  PartNumber: number,
  Body: Uint8Array,
): Promise<CompletedPart> {
  const { ETag, ChecksumCRC32 } = await objects.s3.send(
    new UploadPartCommand({ ...upload, PartNumber, Body }),
  );
  return { PartNumber, ETag, ChecksumCRC32 };
}

async function complete(
  upload: { Bucket: string; Key: string; UploadId: string },
  Parts: CompletedPart[],
  more: Partial<CompleteMultipartUploadCommandInput> = {},
) {
  return await objects.s3.send(
    new CompleteMultipartUploadCommand({ ...upload, MultipartUpload: { Parts }, ...more }),
  );
}

function digest(algorithm: string, data: Uint8Array): Buffer {
  return createHash(algorithm).update(data).digest();
}

test("parts become an object, in their order, whatever the order in which they came", async () => {
  const [one, two, three] = [randomBytes(5 * mebibyte), randomBytes(6 * mebibyte), randomBytes(100)];
  const upload = await begin("joined", { ContentType: "text/x", Metadata: { who: "me" } });
  const parts = [await part(upload, 7, three), await part(upload, 2, one), await part(upload, 5, two)];
  // A part can be replaced.
  await part(upload, 5, randomBytes(10));
  const again = await part(upload, 5, two);
  await expect(objects.s3.send(new HeadObjectCommand({ Bucket, Key: "joined" }))).rejects.toMatchObject({
    name: "NotFound",
  });
  const listed = await objects.s3.send(new ListPartsCommand(upload));
  expect(listed.Parts?.map(({ PartNumber, Size }) => [PartNumber, Size])).toEqual([
    [2, one.length],
    [5, two.length],
    [7, three.length],
  ]);
  const page = await objects.s3.send(new ListPartsCommand({ ...upload, MaxParts: 1, PartNumberMarker: "2" }));
  expect(page).toMatchObject({ IsTruncated: true, NextPartNumberMarker: "5", Parts: [{ PartNumber: 5 }] });
  const sorted = [parts[1] ?? {}, again, parts[0] ?? {}];
  const done = await complete(upload, sorted);
  const etag = digest("md5", Buffer.concat([one, two, three].map((each) => digest("md5", each)))).toString(
    "hex",
  );
  expect(done).toMatchObject({ ETag: `"${etag}-3"`, Bucket, Key: "joined" });
  const answer = await objects.s3.send(new GetObjectCommand({ Bucket, Key: "joined" }));
  expect(answer).toMatchObject({ ContentType: "text/x", Metadata: { who: "me" }, ETag: `"${etag}-3"` });
  const content = Buffer.from((await answer.Body?.transformToByteArray()) ?? []);
  expect(content.equals(Buffer.concat([one, two, three]))).toBe(true);
  // A client that did not get the reply asks again.
  expect(await complete(upload, sorted)).toMatchObject({ ETag: `"${etag}-3"` });
  await expect(objects.s3.send(new ListPartsCommand(upload))).rejects.toMatchObject({ name: "NoSuchUpload" });
});

test("checksums of parts, and of what they become", async () => {
  const [one, two] = [randomBytes(5 * mebibyte), randomBytes(100)];
  const upload = await begin("summed", { ChecksumAlgorithm: "SHA256" });
  const send = async (PartNumber: number, Body: Uint8Array): Promise<CompletedPart> => {
    const { ETag, ChecksumSHA256 } = await objects.s3.send(
      new UploadPartCommand({ ...upload, PartNumber, Body, ChecksumAlgorithm: "SHA256" }),
    );
    expect(ChecksumSHA256).toBe(digest("sha256", Body).toString("base64"));
    return { PartNumber, ETag, ChecksumSHA256 };
  };
  const parts = [await send(1, one), await send(2, two)];
  const composite = digest("sha256", Buffer.concat([digest("sha256", one), digest("sha256", two)])).toString(
    "base64",
  );
  const wrongPart = [
    parts[0] ?? {},
    { ...parts[1], ChecksumSHA256: digest("sha256", one).toString("base64") },
  ];
  await expect(complete(upload, wrongPart)).rejects.toMatchObject({ name: "InvalidPart" });
  await expect(complete(upload, parts, { ChecksumSHA256: "wrong" })).rejects.toMatchObject({
    name: "BadDigest",
  });
  await expect(complete(upload, parts, { MpuObjectSize: 1 })).rejects.toMatchObject({
    name: "InvalidRequest",
  });
  expect(await complete(upload, parts, { MpuObjectSize: one.length + two.length })).toMatchObject({
    ChecksumSHA256: `${composite}-2`,
    ChecksumType: "COMPOSITE",
  });
  const whole = await begin("summed", { ChecksumAlgorithm: "CRC32", ChecksumType: "FULL_OBJECT" });
  const { ChecksumCRC32 } = await objects.s3.send(
    new PutObjectCommand({
      Bucket,
      Key: "same",
      Body: Buffer.concat([one, two]),
      ChecksumAlgorithm: "CRC32",
    }),
  );
  expect(await complete(whole, [await part(whole, 1, one), await part(whole, 2, two)])).toMatchObject({
    ChecksumCRC32,
    ChecksumType: "FULL_OBJECT",
  });
  await expect(begin("x", { ChecksumAlgorithm: "SHA1", ChecksumType: "FULL_OBJECT" })).rejects.toMatchObject({
    name: "InvalidRequest",
  });
});

test("a part that is copied", async () => {
  await objects.s3.send(new PutObjectCommand({ Bucket, Key: "from", Body: "0123456789" }));
  const upload = await begin("copied");
  const source = { ...upload, PartNumber: 1, CopySource: `${Bucket}/from` };
  const { CopyPartResult } = await objects.s3.send(
    new UploadPartCopyCommand({ ...source, CopySourceRange: "bytes=2-5" }),
  );
  const beyond = new UploadPartCopyCommand({ ...source, CopySourceRange: "bytes=2-10" });
  await expect(objects.s3.send(beyond)).rejects.toMatchObject({ name: "InvalidArgument" });
  await complete(upload, [{ PartNumber: 1, ETag: CopyPartResult?.ETag }]);
  const answer = await objects.s3.send(new GetObjectCommand({ Bucket, Key: "copied" }));
  expect(await answer.Body?.transformToString()).toBe("2345");
});

test("what cannot be put together", async () => {
  const upload = await begin("refused");
  const [small, large] = [
    await part(upload, 1, Buffer.from("small")),
    await part(upload, 2, randomBytes(100)),
  ];
  await expect(complete(upload, [small, large])).rejects.toMatchObject({ name: "EntityTooSmall" });
  await expect(complete(upload, [large, small])).rejects.toMatchObject({ name: "InvalidPartOrder" });
  await expect(complete(upload, [{ ...small, ETag: '"other"' }])).rejects.toMatchObject({
    name: "InvalidPart",
  });
  await expect(complete(upload, [{ PartNumber: 3, ETag: small.ETag }])).rejects.toMatchObject({
    name: "InvalidPart",
  });
  await expect(complete(upload, [])).rejects.toMatchObject({ name: "MalformedXML" });
  await expect(part(upload, 10_001, Buffer.from("x"))).rejects.toMatchObject({ name: "InvalidArgument" });
  await expect(part({ ...upload, UploadId: "../../tmp" }, 1, Buffer.from("x"))).rejects.toMatchObject({
    name: "NoSuchUpload",
  });
  await expect(part({ ...upload, Key: "other" }, 1, Buffer.from("x"))).rejects.toMatchObject({
    name: "NoSuchUpload",
  });
  await complete(upload, [small]);
});

test("uploads that are under way are listed, and aborted without a trace", async () => {
  await objects.s3.send(new CreateBucketCommand({ Bucket: "pending" }));
  const at = async (Key: string): Promise<{ Bucket: string; Key: string; UploadId: string }> => {
    const { UploadId = "" } = await objects.s3.send(
      new CreateMultipartUploadCommand({ Bucket: "pending", Key }),
    );
    return { Bucket: "pending", Key, UploadId };
  };
  const uploads = [await at("b"), await at("a"), await at("a")];
  await part(uploads[0] ?? (await at("never")), 1, Buffer.from("x"));
  const listed = await objects.s3.send(new ListMultipartUploadsCommand({ Bucket: "pending" }));
  expect(listed.Uploads?.map(({ Key }) => Key)).toEqual(["a", "a", "b"]);
  const page = await objects.s3.send(new ListMultipartUploadsCommand({ Bucket: "pending", MaxUploads: 2 }));
  const rest = await objects.s3.send(
    new ListMultipartUploadsCommand({
      Bucket: "pending",
      KeyMarker: page.NextKeyMarker,
      UploadIdMarker: page.NextUploadIdMarker,
    }),
  );
  expect(rest.Uploads?.map(({ Key }) => Key)).toEqual(["b"]);
  for (const upload of uploads.slice(0, 2)) await objects.s3.send(new AbortMultipartUploadCommand(upload));
  await expect(part(uploads[0] ?? (await at("never")), 2, Buffer.from("x"))).rejects.toMatchObject({
    name: "NoSuchUpload",
  });
  expect(readdirSync(join(objects.directory, "objects", "buckets", "pending", "uploads"))).toEqual([
    uploads[2]?.UploadId,
  ]);
  // What was never put together does not keep a bucket.
  await objects.s3.send(new DeleteBucketCommand({ Bucket: "pending" }));
  expect(readdirSync(join(objects.directory, "objects", "tmp"))).toEqual([]);
});

import {
  CopyObjectCommand,
  CreateBucketCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  ListBucketsCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from "@aws-sdk/client-s3";
import { userInfo } from "node:os";
import { expect, test } from "vitest";
import { openLocalCloud } from "../../src/local/open.ts";
import { parsePolicy } from "../../src/local/policy/document.ts";
import { isKnownAction } from "../../src/local/policy/requirements.ts";
import { resetLocalCloud } from "../../src/local/reset.ts";
import { operations } from "../../src/local/s3/operations.ts";
import { clientOptions } from "../support/local-cloud.ts";
import { newObjects } from "../support/s3.ts";

const Bucket = "governed";

test("every operation is known to policies", () => {
  expect(operations.filter(({ action }) => !isKnownAction("s3", action))).toEqual([]);
});

test("a policy is enforced, in S3's words", async () => {
  await using objects = await newObjects();
  await objects.s3.send(new CreateBucketCommand({ Bucket }));
  for (const Key of ["logs/a", "logs/b", "secret"])
    await objects.s3.send(new PutObjectCommand({ Bucket, Key, Body: "x" }));
  const policy = parsePolicy({
    Version: "2012-10-17",
    Statement: [
      {
        Effect: "Allow",
        Action: ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"],
        Resource: "arn:aws:s3:::governed/logs/*",
      },
      {
        Effect: "Allow",
        Action: "s3:ListBucket",
        Resource: "arn:aws:s3:::governed",
        Condition: { StringLike: { "s3:prefix": "logs/*" } },
      },
      { Effect: "Deny", Action: "s3:DeleteObject", Resource: "arn:aws:s3:::governed/logs/b" },
    ],
  });
  const cloud = openLocalCloud({ directory: objects.directory, engine: "state-only", policy });
  const s3 = new S3Client({ ...clientOptions(cloud), maxAttempts: 1 });
  const { username } = userInfo();
  expect((await s3.send(new GetObjectCommand({ Bucket, Key: "logs/a" }))).ContentLength).toBe(1);
  await expect(s3.send(new GetObjectCommand({ Bucket, Key: "secret" }))).rejects.toMatchObject({
    name: "AccessDenied",
    message: `User: arn:aws:iam::000000000000:user/${username} is not authorized to perform: s3:GetObject on resource: "arn:aws:s3:::governed/secret" because no identity-based policy allows the s3:GetObject action`,
  });
  expect((await s3.send(new ListObjectsV2Command({ Bucket, Prefix: "logs/" }))).KeyCount).toBe(2);
  const denied = { name: "AccessDenied" };
  await expect(s3.send(new ListObjectsV2Command({ Bucket }))).rejects.toMatchObject(denied);
  await expect(s3.send(new ListBucketsCommand({}))).rejects.toMatchObject(denied);
  // Who may not list is not told what is missing.
  await expect(s3.send(new GetObjectCommand({ Bucket, Key: "logs/missing" }))).rejects.toMatchObject(denied);
  const copy = (from: string): CopyObjectCommand =>
    new CopyObjectCommand({ Bucket, Key: "logs/c", CopySource: `${Bucket}/${from}` });
  await expect(s3.send(copy("secret"))).rejects.toMatchObject(denied);
  await s3.send(copy("logs/a"));
  await expect(s3.send(new DeleteObjectCommand({ Bucket, Key: "logs/b" }))).rejects.toThrow(/explicit deny/);
  const Objects = ["logs/a", "logs/b", "secret"].map((Key) => ({ Key }));
  const answer = await s3.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects } }));
  expect(answer.Deleted?.map(({ Key }) => Key)).toEqual(["logs/a"]);
  expect(answer.Errors?.map(({ Key, Code }) => [Key, Code])).toEqual([
    ["logs/b", "AccessDenied"],
    ["secret", "AccessDenied"],
  ]);
});

test("a fault plan goes for the object store as well, in its own terms", async () => {
  const calls = [
    { fault: "throttled", action: "ListBuckets", on: [1] },
    { fault: "unavailable", action: "ListBuckets", on: [2] },
    { fault: "denied", action: "ListBuckets", on: [3] },
    { fault: "request-lost", action: "PutObject", on: [2] },
    { fault: "reply-lost", action: "PutObject", on: [3] },
    { fault: "reply-lost", action: "GetObject", on: [1] },
  ] as const;
  await using objects = await newObjects({
    faults: { calls: calls.map((rule) => ({ ...rule, on: [...rule.on] })) },
  });
  const { s3 } = objects;
  await s3.send(new CreateBucketCommand({ Bucket }));
  for (const name of ["SlowDown", "ServiceUnavailable", "AccessDenied"]) {
    await expect(s3.send(new ListBucketsCommand({}))).rejects.toMatchObject({ name });
  }
  const put = async (Body: string): Promise<unknown> =>
    await s3.send(new PutObjectCommand({ Bucket, Key: "k", Body }));
  await put("first");
  await expect(put("second")).rejects.toThrow(/ECONNRESET/);
  await expect(s3.send(new GetObjectCommand({ Bucket, Key: "k" }))).rejects.toThrow(/ECONNRESET/);
  const read = async (): Promise<string | undefined> =>
    await (await s3.send(new GetObjectCommand({ Bucket, Key: "k" }))).Body?.transformToString();
  expect(await read()).toBe("first");
  await expect(put("third")).rejects.toThrow(/ECONNRESET/);
  expect(await read()).toBe("third");
});

test("a reset forgets all buckets", async () => {
  await using objects = await newObjects();
  await objects.s3.send(new CreateBucketCommand({ Bucket }));
  await resetLocalCloud({
    directory: objects.directory,
    baseImages: false,
    signal: new AbortController().signal,
  });
  expect((await objects.s3.send(new ListBucketsCommand({}))).Buckets).toEqual([]);
});

import { afterAll, beforeAll, expect, test } from "vitest";
import { CreateBucketCommand, GetObjectCommand } from "@aws-sdk/client-s3";
import { Cloud } from "../../src/aws/cloud.ts";
import {
  checkBucket,
  getObject,
  headObject,
  listObjects,
  longestUrlSeconds,
  presign,
  putObject,
  readS3Url,
  s3Url,
  urlSeconds,
} from "../../src/aws/s3.ts";
import { openLocalCloud } from "../../src/local/open.ts";
import { parsePolicy } from "../../src/local/policy/document.ts";
import { requestHandler } from "../../src/local/sdk-handler.ts";
import { clientOptions } from "../support/local-cloud.ts";
import { failureOf } from "../support/failure.ts";
import { newObjects, serveObjects, type Objects, type ServedObjects } from "../support/s3.ts";

const signal = new AbortController().signal;
let objects: Objects;
let served: ServedObjects;
let cloud: Cloud;

beforeAll(async () => {
  objects = await newObjects();
  served = await serveObjects(objects);
  cloud = new Cloud({
    ...clientOptions(objects.cloud),
    objects: { endpoint: served.url, forcePathStyle: true },
  });
  await objects.s3.send(new CreateBucketCommand({ Bucket: "team" }));
});

afterAll(async () => {
  await served[Symbol.asyncDispose]();
  await objects[Symbol.asyncDispose]();
});

const object = { bucket: "team", key: "some/where/a.txt" };

test("an object is put, looked at, listed and got", async () => {
  const etag = await putObject(cloud, object, Buffer.from("hello"), signal, { contentType: "text/plain" });
  expect(await headObject(cloud, object, signal)).toMatchObject({ size: 5, etag });
  const got = await getObject(cloud, object, signal);
  expect(Buffer.from(got.bytes).toString()).toBe("hello");
  const start = await getObject(cloud, object, signal, 2);
  expect(Buffer.from(start.bytes).toString()).toBe("he");
  expect(await listObjects(cloud, { bucket: "team", prefix: "some/" }, signal)).toMatchObject([
    { key: "some/where/a.txt", size: 5 },
  ]);
  const sent = await objects.s3.send(new GetObjectCommand({ Bucket: "team", Key: object.key }));
  expect(sent.ContentType).toBe("text/plain");
});

test("a file is put as it is", async () => {
  await putObject(cloud, { bucket: "team", key: "this" }, import.meta.filename, signal);
  const { bytes } = await getObject(cloud, { bucket: "team", key: "this" }, signal);
  expect(Buffer.from(bytes).toString()).toContain("a file is put as it is");
});

test("a put under a condition that does not hold is refused", async () => {
  const there = { bucket: "team", key: "once" };
  const etag = await putObject(cloud, there, Buffer.from("1"), signal, { replaces: "none" });
  await expect(putObject(cloud, there, Buffer.from("2"), signal, { replaces: "none" })).rejects.toThrow(
    /PreconditionFailed/,
  );
  await putObject(cloud, there, Buffer.from("2"), signal, { replaces: { etag } });
  await expect(putObject(cloud, there, Buffer.from("3"), signal, { replaces: { etag } })).rejects.toThrow(
    /PreconditionFailed/,
  );
});

test("what is not there is told apart", async () => {
  expect(await headObject(cloud, { bucket: "team", key: "no" }, signal)).toBeUndefined();
  const noObject = await failureOf(getObject(cloud, { bucket: "team", key: "no" }, signal));
  expect(noObject).toMatchObject({ kind: "not-found", message: "there is no object s3://team/no" });
  const nothing = await failureOf(checkBucket(cloud, { bucket: "nowhere", prefix: "" }, signal));
  expect(nothing.kind).toBe("usage");
  for (const attempt of [
    () => checkBucket(cloud, { bucket: "nowhere", prefix: "" }, signal),
    () => putObject(cloud, { bucket: "nowhere", key: "a" }, Buffer.from(""), signal),
    () => listObjects(cloud, { bucket: "nowhere", prefix: "" }, signal),
  ]) {
    expect(await failureOf(attempt())).toMatchObject({
      message: "there is no bucket nowhere",
      hint: "check the name, or make it: `aws s3 mb s3://nowhere`",
    });
  }
});

test("a presigned URL works for its method and its object alone", async () => {
  const target = { bucket: "team", key: "by url/ü+1 (2)'!*~" };
  const put = await presign(cloud, { ...target, method: "PUT", seconds: 60 });
  expect(put).not.toContain("checksum");
  expect((await fetch(put, { method: "PUT", body: "from a machine" })).status).toBe(200);
  const get = await presign(cloud, { ...target, method: "GET", seconds: 60 });
  expect(await (await fetch(get)).text()).toBe("from a machine");
  expect((await fetch(get, { method: "PUT", body: "x" })).status).toBe(403);
  expect((await fetch(get.replace("by%20url", "else"))).status).toBe(403);
});

test("a presigned URL is where AWS has the bucket, and works no longer than the credentials", async () => {
  const aws = (more: object): Cloud =>
    new Cloud({
      region: "eu-west-1",
      requestHandler: requestHandler(objects.cloud),
      credentials: { accessKeyId: "AKIA", secretAccessKey: "x", ...more },
    });
  const url = new URL(await presign(aws({}), { ...object, method: "GET", seconds: 300 }));
  expect(url.origin + url.pathname).toBe("https://team.s3.eu-west-1.amazonaws.com/some/where/a.txt");
  expect(url.searchParams.get("X-Amz-Expires")).toBe("300");
  const elsewhere = await presign(aws({}), { ...object, method: "GET", seconds: 300, region: "cn-north-1" });
  expect(elsewhere).toContain("https://team.s3.cn-north-1.amazonaws.com.cn/some/where/a.txt?");
  expect(elsewhere).toContain("cn-north-1%2Fs3%2Faws4_request");
  const dotted = await presign(aws({}), { bucket: "a.b", key: "c", method: "GET", seconds: 300 });
  expect(dotted).toContain("https://s3.eu-west-1.amazonaws.com/a.b/c?");

  expect(await urlSeconds(aws({}))).toBe(longestUrlSeconds);
  const session = aws({ sessionToken: "tok/en", expiration: new Date(Date.now() + 600_000) });
  expect(await urlSeconds(session)).toBeGreaterThan(590);
  expect(await urlSeconds(session)).toBeLessThanOrEqual(600);
  expect(await presign(session, { ...object, method: "GET", seconds: 300 })).toContain(
    "X-Amz-Security-Token=tok%2Fen",
  );
});

test("s3://bucket/prefix/ is read, and nothing else", () => {
  expect(readS3Url("s3://team/a/b", "--log")).toEqual({ bucket: "team", prefix: "a/b/" });
  expect(readS3Url("s3://team", "--log")).toEqual({ bucket: "team", prefix: "" });
  expect(s3Url(readS3Url("s3://team/", "--log"))).toBe("s3://team/");
  for (const wrong of [
    "team/a",
    "https://team/a",
    "s3:///a",
    "s3://Team/a",
    "s3://a..b/c",
    "s3://team//a",
    "s3://team/../a",
    "s3://team/a b",
    "s3://team/a\n",
  ]) {
    expect(() => readS3Url(wrong, "--log"), wrong).toThrow(/^--log /);
  }
});

test("who may not is told what would allow it", async () => {
  const limited = (statement: object): Cloud => {
    const policy = parsePolicy({ Version: "2012-10-17", Statement: [{ Effect: "Allow", ...statement }] });
    const { directory } = objects;
    return new Cloud(clientOptions(openLocalCloud({ engine: "state-only", directory, policy })));
  };
  const reader = limited({ Action: "s3:GetObject", Resource: "arn:aws:s3:::team/*" });
  const put = await failureOf(putObject(reader, object, Buffer.from(""), signal));
  expect(put.kind).toBe("cloud");
  expect(put.message).toMatch(/^s3:PutObject s3:\/\/team\/some\/where\/a.txt: /);
  expect(put.hint).toContain(
    '{"Effect":"Allow","Action":"s3:PutObject","Resource":"arn:aws:s3:::team/some/where/a.txt"}',
  );
  const check = await failureOf(checkBucket(reader, { bucket: "team", prefix: "logs/" }, signal));
  expect(check.hint).toContain('{"Effect":"Allow","Action":"s3:ListBucket","Resource":"arn:aws:s3:::team"}');

  const lister = limited({
    Action: "s3:ListBucket",
    Resource: "arn:aws:s3:::team",
    Condition: { StringLike: { "s3:prefix": "logs/*" } },
  });
  expect(await checkBucket(lister, { bucket: "team", prefix: "logs/" }, signal)).toEqual({ region: "local" });
});

/** S3 as it answers to whoever asks in the wrong Region; the hosts that were asked are kept. */
function elsewhere(
  hosts: string[],
  answer: { status: number; headers: Record<string, string>; body?: string },
): Cloud {
  return new Cloud({
    region: "eu-west-1",
    credentials: { accessKeyId: "AKIA", secretAccessKey: "x" },
    requestHandler: {
      metadata: { handlerProtocol: "scripted" },
      handle: async ({ hostname }: { readonly hostname: string }) => {
        hosts.push(hostname);
        const there = hostname.includes("us-west-2");
        const {
          status,
          headers,
          body = "",
        } = there ? { status: 200, headers: { "x-amz-bucket-region": "us-west-2" } } : answer;
        return await Promise.resolve({
          response: { statusCode: status, reason: "", headers, body: new TextEncoder().encode(body) },
        });
      },
      destroy: () => undefined,
      updateHttpClientConfig: () => undefined,
      httpHandlerConfigs: () => ({}),
    },
  });
}

test("a bucket in another Region is asked there, and its Region is known", async () => {
  const hosts: string[] = [];
  const away = elsewhere(hosts, { status: 301, headers: { "x-amz-bucket-region": "us-west-2" } });
  expect(await checkBucket(away, { bucket: "team", prefix: "" }, signal)).toEqual({ region: "us-west-2" });
  expect(hosts).toEqual(["team.s3.eu-west-1.amazonaws.com", "team.s3.us-west-2.amazonaws.com"]);
});

test("a bucket in a Region that S3 does not tell is an error that says so", async () => {
  const body = "<Error><Code>PermanentRedirect</Code><Message>use the endpoint</Message></Error>";
  const away = elsewhere([], { status: 301, headers: { "content-type": "application/xml" }, body });
  const failure = await failureOf(listObjects(away, { bucket: "team", prefix: "" }, signal));
  expect(failure).toMatchObject({ kind: "usage", message: "the bucket team is in another Region" });
  expect(failure.hint).toContain("--region");
});

test("without credentials nothing is sent", async () => {
  const nobody = new Cloud({
    region: "eu-west-1",
    requestHandler: requestHandler(objects.cloud),
    profile: "there-is-no-such-profile",
  });
  for (const attempt of [
    () => presign(nobody, { ...object, method: "GET", seconds: 1 }),
    () => checkBucket(nobody, { bucket: "team", prefix: "" }, signal),
  ]) {
    const failure = await failureOf(attempt());
    expect(failure).toMatchObject({ kind: "usage" });
    expect(failure.message).toMatch(/^no AWS credentials: /);
  }
});

import { request } from "node:http";
import { CreateBucketCommand, GetObjectCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { EC2Client, DescribeVpcsCommand } from "@aws-sdk/client-ec2";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  canonicalRequest,
  sha256Hex,
  signatureOf,
  signingKey,
  stringToSign,
} from "../../src/local/s3/signature.ts";
import { newObjects, presign, serveObjects, type Objects, type ServedObjects } from "../support/s3.ts";

let objects: Objects;
let served: ServedObjects;
const Bucket = "signed";
const clock = { ahead: 0 };

beforeAll(async () => {
  objects = await newObjects({ now: () => Date.now() + clock.ahead });
  served = await serveObjects(objects);
  await served.s3.send(new CreateBucketCommand({ Bucket }));
  await served.s3.send(new PutObjectCommand({ Bucket, Key: "a b", Body: "content" }));
});
afterAll(async () => {
  await served[Symbol.asyncDispose]();
  await objects[Symbol.asyncDispose]();
});

interface Seen {
  readonly status: number;
  readonly body: string;
  readonly headers: Headers;
}

async function fetched(url: string, init: RequestInit = {}): Promise<Seen> {
  const answer = await fetch(url, init);
  return { status: answer.status, body: await answer.text(), headers: answer.headers };
}

const urlOf = (key: string): string => `${served.url}/${Bucket}/${key}`;

function codeIn({ body }: Seen): string {
  return /<Code>(\w+)<\/Code>/.exec(body)?.[1] ?? body;
}

test("the example that AWS publishes", () => {
  // Amazon S3 API Reference, "Authenticating Requests: Using Query Parameters (AWS Signature Version 4)"
  const scope = { date: "20130524", region: "us-east-1", service: "s3" };
  const canonical = canonicalRequest({
    method: "GET",
    path: "/test.txt",
    query: [
      ["X-Amz-SignedHeaders", "host"],
      ["X-Amz-Algorithm", "AWS4-HMAC-SHA256"],
      ["X-Amz-Credential", "AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request"],
      ["X-Amz-Date", "20130524T000000Z"],
      ["X-Amz-Expires", "86400"],
    ],
    headers: { host: "examplebucket.s3.amazonaws.com" },
    signedHeaders: ["host"],
    payload: "UNSIGNED-PAYLOAD",
  });
  expect(sha256Hex(canonical)).toBe("3bfa292879f6447bbcda7001decf97f4a54dc650c8942174ae0a9121cf58ad04");
  const key = signingKey("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", scope);
  expect(signatureOf(key, stringToSign("20130524T000000Z", scope, canonical))).toBe(
    "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404",
  );
});

describe("presigned URLs", () => {
  test("get, head, put and delete", async () => {
    const put = await presign(served.s3, { method: "PUT", url: urlOf("put%20me"), seconds: 60 });
    expect(await fetched(put, { method: "PUT", body: "by URL" })).toMatchObject({ status: 200 });
    const get = await presign(served.s3, { method: "GET", url: urlOf("put%20me"), seconds: 60 });
    expect(await fetched(get)).toMatchObject({ status: 200, body: "by URL" });
    expect((await fetched(get, { headers: { range: "bytes=3-" } })).body).toBe("URL");
    // What it is signed for is all that it is good for.
    expect(codeIn(await fetched(get, { method: "PUT", body: "x" }))).toBe("SignatureDoesNotMatch");
    const head = await presign(served.s3, { method: "HEAD", url: urlOf("put%20me"), seconds: 60 });
    expect((await fetched(head, { method: "HEAD" })).headers.get("content-length")).toBe("6");
    const gone = await presign(served.s3, { method: "DELETE", url: urlOf("put%20me"), seconds: 60 });
    expect((await fetched(gone, { method: "DELETE" })).status).toBe(204);
    expect(codeIn(await fetched(get))).toBe("NoSuchKey");
  });

  test("an expired one", async () => {
    const url = await presign(served.s3, { method: "GET", url: urlOf("a%20b"), seconds: 60 });
    expect((await fetched(url)).body).toBe("content");
    clock.ahead = 61_000;
    try {
      const seen = await fetched(url);
      expect(seen.status).toBe(403);
      expect(seen.headers.get("content-type")).toBe("application/xml");
      expect(seen.body).toMatch(
        /^<\?xml version="1\.0" encoding="UTF-8"\?>\n<Error><Code>AccessDenied<\/Code><Message>Request has expired<\/Message><X-Amz-Expires>60<\/X-Amz-Expires><Expires>[\dTZ:-]+<\/Expires><ServerTime>/,
      );
    } finally {
      clock.ahead = 0;
    }
    const early = await presign(served.s3, {
      method: "GET",
      url: urlOf("a%20b"),
      seconds: 60,
      at: new Date(Date.now() + 3_600_000),
    });
    expect((await fetched(early)).body).toContain("Request is not valid yet");
  });

  test.each<[what: string, change: (url: string) => string, code: string]>([
    ["another key", (url) => url.replace("a%20b", "other"), "SignatureDoesNotMatch"],
    ["another bucket", (url) => url.replace("/signed/", "/signex/"), "SignatureDoesNotMatch"],
    ["a longer time", (url) => url.replace("X-Amz-Expires=60", "X-Amz-Expires=61"), "SignatureDoesNotMatch"],
    ["a further parameter", (url) => `${url}&response-content-type=x`, "SignatureDoesNotMatch"],
    ["another signature", (url) => url.replace(/(X-Amz-Signature=)./, "$1x"), "SignatureDoesNotMatch"],
    ["another owner", (url) => url.replace("Credential=local", "Credential=other"), "InvalidAccessKeyId"],
    ["another service", (url) => url.replace("%2Fs3%2F", "%2Fs4%2F"), "AuthorizationQueryParametersError"],
    ["no expiry", (url) => url.replace(/X-Amz-Expires=60&/, ""), "AuthorizationQueryParametersError"],
    [
      "more than a week",
      (url) => url.replace("Expires=60", "Expires=604801"),
      "AuthorizationQueryParametersError",
    ],
    ["no signature at all", (url) => url.replace(/\?.*/, ""), "AccessDenied"],
    [
      "an old signature",
      (url) => url.replace(/\?.*/, "?AWSAccessKeyId=local&Expires=1&Signature=x"),
      "InvalidRequest",
    ],
  ])("%s", async (_, change, code) => {
    const url = await presign(served.s3, { method: "GET", url: urlOf("a%20b"), seconds: 60 });
    const seen = await fetched(change(url));
    expect(codeIn(seen)).toBe(code);
    expect(seen.status).toBe(
      ["InvalidRequest", "AuthorizationQueryParametersError"].includes(code) ? 400 : 403,
    );
  });

  test("a refused upload leaves nothing, and its connection goes on", async () => {
    const url = await presign(served.s3, { method: "PUT", url: urlOf("refused"), seconds: 60 });
    const body = Buffer.alloc(3_000_000);
    expect(codeIn(await fetched(`${url}0`, { method: "PUT", body }))).toBe("SignatureDoesNotMatch");
    await expect(served.s3.send(new GetObjectCommand({ Bucket, Key: "refused" }))).rejects.toMatchObject({
      name: "NoSuchKey",
    });
    expect((await fetched(url, { method: "PUT", body })).status).toBe(200);
  });

  test("headers that are signed must come, and those of AWS must be signed", async () => {
    const url = await presign(served.s3, {
      method: "PUT",
      url: urlOf("typed"),
      seconds: 60,
      headers: { "content-type": "text/x" },
    });
    const put = async (headers: Record<string, string>): Promise<Seen> =>
      await fetched(url, { method: "PUT", body: "x", headers });
    expect(codeIn(await put({ "content-type": "text/y" }))).toBe("SignatureDoesNotMatch");
    expect(codeIn(await put({ "content-type": "text/x", "x-amz-meta-a": "b" }))).toBe("AccessDenied");
    expect((await put({ "content-type": "text/x" })).status).toBe(200);
  });

  test("what a client moved from its headers into the URL counts", async () => {
    const crc = "?x-amz-checksum-crc32=AAAAAA%3D%3D&x-amz-meta-who=me&x-id=PutObject";
    const url = await presign(served.s3, { method: "PUT", url: urlOf("hoisted") + crc, seconds: 60 });
    expect(codeIn(await fetched(url, { method: "PUT", body: "not empty" }))).toBe("BadDigest");
    expect((await fetched(url, { method: "PUT", body: "" })).status).toBe(200);
    const { Metadata } = await served.s3.send(new GetObjectCommand({ Bucket, Key: "hoisted" }));
    expect(Metadata).toEqual({ who: "me" });
  });
});

describe("signed requests", () => {
  const client = (credentials: {
    accessKeyId: string;
    secretAccessKey: string;
    sessionToken?: string;
  }): S3Client => new S3Client({ region: "local", endpoint: served.url, credentials, maxAttempts: 1 });

  test.each<[{ accessKeyId: string; secretAccessKey: string; sessionToken?: string }, string]>([
    [{ accessKeyId: "local", secretAccessKey: "wrong" }, "SignatureDoesNotMatch"],
    [{ accessKeyId: "other", secretAccessKey: "local" }, "InvalidAccessKeyId"],
    [{ accessKeyId: "local", secretAccessKey: "local", sessionToken: "x" }, "InvalidToken"],
  ])("%j: %s", async (credentials, name) => {
    const call = client(credentials).send(new GetObjectCommand({ Bucket, Key: "a b" }));
    await expect(call).rejects.toMatchObject({ name });
  });

  test("by a clock that is wrong", async () => {
    const s3 = new S3Client({
      region: "local",
      endpoint: served.url,
      credentials: { accessKeyId: "local", secretAccessKey: "local" },
      maxAttempts: 1,
      systemClockOffset: 16 * 60 * 1000,
    });
    await expect(s3.send(new GetObjectCommand({ Bucket, Key: "a b" }))).rejects.toMatchObject({
      name: "RequestTimeTooSkewed",
    });
  });

  test("any Region will do, and both ways to name a bucket", async () => {
    const credentials = { accessKeyId: "local", secretAccessKey: "local" };
    const s3 = new S3Client({ region: "eu-west-1", endpoint: served.url, credentials });
    expect((await s3.send(new GetObjectCommand({ Bucket, Key: "a b" }))).ContentLength).toBe(7);
    const { port } = new URL(served.url);
    const host = `${Bucket}.localhost:${port}`;
    const url = await presign(served.s3, { method: "GET", url: `http://${host}/a%20b`, seconds: 60 });
    const { pathname, search } = new URL(url);
    const seen = await asked(pathname + search, { host });
    expect(seen).toEqual({ status: 200, body: "content" });
    expect((await asked("/signed/a", { host: "rebound.example.com" })).status).toBe(403);
    expect((await asked(pathname + search, { host, origin: "http://example.com" })).status).toBe(403);
  });

  test("the other services are still there, on the same port", async () => {
    const ec2 = new EC2Client({
      region: "local",
      endpoint: served.url,
      credentials: { accessKeyId: "local", secretAccessKey: "local" },
    });
    expect((await ec2.send(new DescribeVpcsCommand({}))).Vpcs).toHaveLength(1);
  });

  /** A request with headers that fetch does not let through. */
  async function asked(
    path: string,
    headers: Record<string, string>,
  ): Promise<{ status: number; body: string }> {
    return await new Promise((resolve, reject) => {
      request(served.url + path, { headers }, (response) => {
        let body = "";
        response.setEncoding("utf8").on("data", (text: string) => (body += text));
        response.on("end", () => {
          resolve({ status: response.statusCode ?? 0, body });
        });
      })
        .on("error", reject)
        .end();
    });
  }
});

test.each<[string, string, object]>([
  ["GET", "/signed?acl", {}],
  ["GET", "/signed", {}],
  ["PUT", "/signed?versioning", {}],
  ["GET", "/signed/a?versionId=1", {}],
  ["PUT", "/signed/a?tagging", {}],
  ["POST", "/signed/a?restore", {}],
  ["PUT", "/signed/a", { "x-amz-tagging": "a=b" }],
  ["PUT", "/signed/a", { "x-amz-server-side-encryption": "aws:kms" }],
  ["PUT", "/signed/a", { "x-amz-storage-class": "GLACIER" }],
  ["DELETE", "/signed/a", { "if-match": '"x"' }],
  ["DELETE", "/", {}],
])("%s %s %j is not done, and said so", async (method, path, headers) => {
  const signer = await served.s3.config.signer();
  const url = new URL(served.url + path);
  const signed = await signer.sign({
    method,
    protocol: "http:",
    hostname: url.hostname,
    port: Number(url.port),
    path: url.pathname,
    query: Object.fromEntries(url.searchParams),
    headers: { host: url.host, "x-amz-content-sha256": "UNSIGNED-PAYLOAD", ...headers },
  });
  const seen = await fetched(url.href, { method, headers: { ...signed.headers } });
  expect([seen.status, codeIn(seen)]).toEqual([501, "NotImplemented"]);
});

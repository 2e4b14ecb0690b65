import { readFile } from "node:fs/promises";
import type { S3Client } from "@aws-sdk/client-s3";
import { BakeError, nothingStarted } from "../base/errors.ts";
import type { Send } from "./call.ts";
import { present, type Cloud } from "./cloud.ts";
import { isNotFound, problemOf } from "./cloud-error.ts";
import { explainS3Error } from "./s3-error.ts";
import { s3Url, type S3Object, type S3Place } from "./s3-url.ts";

export { longestUrlSeconds, presign, urlSeconds, type Presigned } from "./s3-presign.ts";
export { readS3Url, s3Url, type S3Object, type S3Place } from "./s3-url.ts";

/** An object as a listing tells of it. */
export interface ListedObject {
  readonly key: string;
  /** In bytes. */
  readonly size: number;
  readonly modifiedAt: Date | undefined;
}

/** The least that a way to S3 carries, in bytes a second: what an attempt may take goes by it. */
const slowestRate = 64 * 1024;

const attemptSeconds = (bytes: number): number => 30 + Math.ceil(bytes / slowestRate);

/** One call, its failures told in S3's terms. */
async function askS3<T>(
  cloud: Cloud,
  action: string,
  on: S3Place | S3Object,
  signal: AbortSignal,
  send: (client: S3Client, ...options: Parameters<Send<T>>) => Promise<T>,
  withinSeconds = 30,
): Promise<T> {
  const client = await cloud.s3();
  const explained: Send<T> = async (options) => {
    try {
      return await send(client, options);
    } catch (error) {
      throw explainS3Error(action, on, error);
    }
  };
  return await cloud.ask(action, signal, explained, { resource: s3Url(on), withinSeconds });
}

/** Under which conditions an object is put. */
export interface PutOptions {
  readonly contentType?: string;
  /** Only while the object is the one with this entity tag, or, with `none`, while there is none. */
  readonly replaces?: { readonly etag: string } | "none";
}

/**
 * Puts an object, all of it or nothing.
 * @param body bytes, or the path of a file
 * @returns its entity tag
 * @throws BakeError `not-found` for no such bucket, `cloud`; of an unmet condition the code is `PreconditionFailed`.
 */
export async function putObject(
  cloud: Cloud,
  object: S3Object,
  body: Uint8Array | string,
  signal: AbortSignal,
  options: PutOptions = {},
): Promise<string> {
  const { PutObjectCommand } = await import("./s3-client.ts");
  const bytes = typeof body === "string" ? await readFile(body) : body;
  const { contentType = "application/octet-stream", replaces } = options;
  const input = {
    Bucket: object.bucket,
    Key: object.key,
    Body: bytes,
    ContentType: contentType,
    // A bucket with Object Lock takes nothing without one.
    ChecksumAlgorithm: "SHA256",
    ...(replaces === undefined
      ? {}
      : replaces === "none"
        ? { IfNoneMatch: "*" }
        : { IfMatch: replaces.etag }),
  } as const;
  const send = (client: S3Client, o: { abortSignal: AbortSignal }) =>
    client.send(new PutObjectCommand(input), o);
  const put = await askS3(cloud, "s3:PutObject", object, signal, send, attemptSeconds(bytes.length));
  return present(put.ETag, "entity tag");
}

/**
 * Gets an object, or its first bytes.
 * @param first how many bytes; undefined for all
 * @throws BakeError `not-found`, `cloud`.
 */
export async function getObject(
  cloud: Cloud,
  object: S3Object,
  signal: AbortSignal,
  first?: number,
): Promise<{ readonly bytes: Uint8Array; readonly etag: string }> {
  const { GetObjectCommand } = await import("./s3-client.ts");
  const range = first === undefined ? {} : { Range: `bytes=0-${first - 1}` };
  return await askS3(
    cloud,
    "s3:GetObject",
    object,
    signal,
    async (client, o) => {
      const command = new GetObjectCommand({ Bucket: object.bucket, Key: object.key, ...range });
      const got = await client.send(command, o);
      return {
        bytes: await present(got.Body, "body").transformToByteArray(),
        etag: present(got.ETag, "entity tag"),
      };
    },
    600,
  );
}

/**
 * What an object is, without its content; undefined when it is not there.
 * @throws BakeError `cloud`.
 */
export async function headObject(
  cloud: Cloud,
  object: S3Object,
  signal: AbortSignal,
): Promise<
  { readonly size: number; readonly etag: string; readonly modifiedAt: Date | undefined } | undefined
> {
  const { HeadObjectCommand } = await import("./s3-client.ts");
  try {
    const head = await askS3(cloud, "s3:GetObject", object, signal, (client, o) =>
      client.send(new HeadObjectCommand({ Bucket: object.bucket, Key: object.key }), o),
    );
    return {
      size: head.ContentLength ?? 0,
      etag: present(head.ETag, "entity tag"),
      modifiedAt: head.LastModified,
    };
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

/**
 * Every object there, in order of its key.
 * @throws BakeError `not-found` for no such bucket, `cloud`.
 */
export async function listObjects(
  cloud: Cloud,
  place: S3Place,
  signal: AbortSignal,
): Promise<ListedObject[]> {
  const { ListObjectsV2Command } = await import("./s3-client.ts");
  const found: ListedObject[] = [];
  let token: string | undefined;
  do {
    const page = await askS3(cloud, "s3:ListBucket", place, signal, (client, o) => {
      const next = token === undefined ? {} : { ContinuationToken: token };
      return client.send(
        new ListObjectsV2Command({ Bucket: place.bucket, Prefix: place.prefix, ...next }),
        o,
      );
    });
    for (const { Key, Size, LastModified } of page.Contents ?? []) {
      if (Key !== undefined) found.push({ key: Key, size: Size ?? 0, modifiedAt: LastModified });
    }
    token = page.NextContinuationToken;
  } while (token !== undefined);
  return found;
}

/**
 * Makes sure, before anything is started, that a bucket is there and is one that the caller may use.
 * @returns the Region that it is in
 * @throws BakeError `usage` for no such bucket, `cloud` with the statement that would allow to look at it.
 */
export async function checkBucket(
  cloud: Cloud,
  place: S3Place,
  signal: AbortSignal,
): Promise<{ region: string }> {
  const { HeadBucketCommand, ListObjectsV2Command } = await import("./s3-client.ts");
  const own = await cloud.region();
  let region = own;
  try {
    const head = await askS3(cloud, "s3:ListBucket", place, signal, (client, o) =>
      client.send(new HeadBucketCommand({ Bucket: place.bucket }), o),
    );
    return { region: head.BucketRegion ?? own };
  } catch (error) {
    if (isNotFound(error) || signal.aborted) throw nothingStarted(error);
    if (error instanceof BakeError && error.kind === "usage") throw error;
    // The answer to a HEAD does not say why. A policy may also allow to list this prefix alone.
    if (problemOf(error) !== "denied" && problemOf(error) !== "permanent") throw error;
    region = regionIn(error) ?? own;
  }
  await askS3(cloud, "s3:ListBucket", place, signal, (client, o) =>
    client.send(new ListObjectsV2Command({ Bucket: place.bucket, Prefix: place.prefix, MaxKeys: 1 }), o),
  );
  return { region };
}

/** The Region of the bucket that a refusal was about: S3 tells it even to those that it refuses. */
function regionIn(error: unknown): string | undefined {
  for (let current = error; current instanceof Error; current = current.cause) {
    const region = memberOf(memberOf(memberOf(current, "$response"), "headers"), "x-amz-bucket-region");
    if (typeof region === "string") return region;
  }
  return undefined;
}

function memberOf(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined;
}

import { createHash } from "node:crypto";
import type { FileHandle } from "node:fs/promises";
import { algorithmNamed, runningDigest, type Algorithm } from "./checksums.ts";
import { readable, writeConditions, type ByteRange } from "./conditions.ts";
import { invalidArgument, invalidRequest, noSuchKey, notImplemented, preconditionFailed } from "./errors.ts";
import { checkBucketName, checkKey } from "./names.ts";
import { writeAll, type OpenObject } from "./object-file.ts";
import { quoted, xmlReply, type Operation, type S3Call } from "./operation.ts";
import { percentDecoded, type S3Response } from "./request.ts";
import {
  checksumElements,
  makeObject,
  objectHeaders,
  objectHeadersIn,
  recordOf,
  type Content,
} from "./writing.ts";

export interface CopySource {
  readonly bucket: string;
  readonly key: string;
}

/** What a copy is of. @throws S3Error `InvalidArgument`, `InvalidBucketName`, `NotImplemented` */
export function copySourceIn(header: string): CopySource {
  const [path = "", query] = header.split("?");
  if (query !== undefined) throw notImplemented("versions of objects");
  const [, bucket, key] = /^\/?([^/]+)\/(.+)$/s.exec(percentDecoded(path)) ?? [];
  if (bucket === undefined || key === undefined) {
    throw invalidArgument(
      "x-amz-copy-source",
      header,
      "Copy Source must mention the source bucket and key: sourcebucket/sourcekey",
    );
  }
  checkBucketName(bucket);
  return { bucket, key };
}

/** What a request may say of what it copies. */
export const copySourceHeaders = [
  "x-amz-copy-source-if-match",
  "x-amz-copy-source-if-none-match",
  "x-amz-copy-source-if-modified-since",
  "x-amz-copy-source-if-unmodified-since",
  "x-amz-source-expected-bucket-owner",
] as const;

/** The most that is copied by one request. */
const largestCopy = 5 * 1024 ** 3;

/** Opens the source of a copy, if the conditions of the request allow it. @throws S3Error */
export async function openSource({ store, headers }: S3Call): Promise<OpenObject> {
  const source = copySourceIn(headers["x-amz-copy-source"] ?? "");
  const object = await store.open(source.bucket, source.key);
  if (object === undefined) throw noSuchKey(source.key);
  try {
    if (readable(headers, object.record, "x-amz-copy-source-") === "not-modified") {
      throw preconditionFailed("x-amz-copy-source-If-None-Match");
    }
    if (object.record.size > largestCopy) {
      throw invalidRequest(
        `The specified copy source is larger than the maximum allowable size for a copy source: ${largestCopy}`,
      );
    }
    return object;
  } catch (error) {
    await object.close();
    throw error;
  }
}

/** Copies a part of an object, or all of it, to a file. */
export async function copyInto(
  file: FileHandle,
  source: OpenObject,
  range: ByteRange | undefined,
  algorithm: Algorithm | undefined,
): Promise<Content> {
  const { start, end } = range ?? { start: 0, end: source.record.size - 1 };
  const md5 = createHash("md5");
  const digest = algorithm === undefined ? undefined : runningDigest(algorithm);
  for await (const piece of await source.read(start, end)) {
    if (!Buffer.isBuffer(piece)) continue;
    md5.update(piece);
    digest?.update(piece);
    await writeAll(file, piece);
  }
  return {
    size: end - start + 1,
    etag: md5.digest("hex"),
    ...(algorithm === undefined || digest === undefined
      ? {}
      : { checksum: { algorithm, value: digest.digest().toString("base64"), type: "FULL_OBJECT" } }),
  };
}

async function copyObject(call: S3Call): Promise<S3Response> {
  const { headers } = call;
  checkKey(call.key);
  const replaces = directiveIn(headers) === "REPLACE";
  const from = copySourceIn(headers["x-amz-copy-source"] ?? "");
  if (!replaces && from.bucket === call.bucket && from.key === call.key) {
    throw invalidRequest(
      "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes.",
    );
  }
  const own = objectHeadersIn(headers);
  const wanted = headers["x-amz-checksum-algorithm"];
  await call.store.bucket(call.bucket);
  const source = await openSource(call);
  const algorithm = wanted === undefined ? source.record.checksum?.algorithm : algorithmNamed(wanted);
  const record = await makeObject(call, async (file) =>
    recordOf(
      call,
      await copyInto(file, source, undefined, algorithm),
      replaces ? own : source.record.headers,
    ),
  ).finally(async () => {
    await source.close();
  });
  return xmlReply("CopyObjectResult", {
    LastModified: new Date(record.modifiedAt),
    ETag: quoted(record.etag),
    ...checksumElements(record.checksum),
  });
}

function directiveIn(headers: S3Call["headers"]): "COPY" | "REPLACE" {
  const tagging = headers["x-amz-tagging-directive"] ?? "COPY";
  if (tagging !== "COPY" && tagging !== "REPLACE") {
    throw invalidArgument("x-amz-tagging-directive", tagging, "Unknown tagging directive.");
  }
  const directive = headers["x-amz-metadata-directive"] ?? "COPY";
  if (directive === "COPY" || directive === "REPLACE") return directive;
  throw invalidArgument("x-amz-metadata-directive", directive, "Unknown metadata directive.");
}

export const copyOperations: readonly Operation[] = [
  {
    action: "CopyObject",
    method: "PUT",
    on: "object",
    marks: ["x-amz-copy-source"],
    headers: [
      ...objectHeaders,
      ...copySourceHeaders,
      ...writeConditions,
      "x-amz-metadata-directive",
      "x-amz-tagging-directive",
      "x-amz-checksum-algorithm",
    ],
    run: copyObject,
  },
];

import type { FileHandle } from "node:fs/promises";
import { accountId } from "../state/schema.ts";
import {
  algorithmNamed,
  checksumIn,
  elementOf,
  headerOf,
  type Algorithm,
  type Checksum,
} from "./checksums.ts";
import { checkWritable } from "./conditions.ts";
import { S3Error, invalidRequest, notImplemented } from "./errors.ts";
import { finishObjectFile, writeAll, type ObjectRecord } from "./object-file.ts";
import type { S3Call } from "./operation.ts";

/** What a client may say of an object that is kept and comes back with it. */
const keptHeaders = [
  "content-type",
  "content-encoding",
  "content-language",
  "content-disposition",
  "cache-control",
  "expires",
] as const;

/** Headers of the requests that make an object. */
export const objectHeaders = [
  "x-amz-meta-",
  "x-amz-acl",
  "x-amz-storage-class",
  "x-amz-server-side-encryption",
] as const;

const largestMetadata = 2048;

/**
 * What is kept of the headers of a request that makes an object.
 * @throws S3Error for what would be promised and not done
 */
export function objectHeadersIn(headers: S3Call["headers"]): ObjectRecord["headers"] {
  checkAcl(headers);
  const storageClass = headers["x-amz-storage-class"] ?? "STANDARD";
  if (storageClass !== "STANDARD") throw notImplemented(`the storage class ${storageClass}`);
  const encryption = headers["x-amz-server-side-encryption"];
  if (encryption !== undefined && encryption !== "AES256")
    throw notImplemented(`encryption by ${encryption}`);
  const own = Object.entries(headers).filter(([name]) => name.startsWith("x-amz-meta-"));
  const size = own.reduce(
    (sum, [name, value]) => sum + name.length - "x-amz-meta-".length + Buffer.byteLength(value),
    0,
  );
  if (size > largestMetadata) {
    throw new S3Error(
      "MetadataTooLarge",
      "Your metadata headers exceed the maximum allowed metadata size",
      400,
      { Size: size, MaxSizeAllowed: largestMetadata },
    );
  }
  const kept = keptHeaders.flatMap((name): [string, string][] => {
    const value = name === "content-encoding" ? contentEncoding(headers[name]) : headers[name];
    return value === undefined || value === "" ? [] : [[name, value]];
  });
  return Object.fromEntries([["content-type", "binary/octet-stream"], ...kept, ...own]);
}

/** `aws-chunked` is of the way here and not of the object. */
function contentEncoding(value: string | undefined): string | undefined {
  const rest = value
    ?.split(",")
    .map((each) => each.trim())
    .filter((each) => each !== "aws-chunked");
  return rest?.join(",");
}

/** Access control lists are off, as they are for new buckets of S3: those that change nothing are taken all the same. */
export function checkAcl(headers: S3Call["headers"]): void {
  const acl = headers["x-amz-acl"];
  if (acl === undefined || acl === "private" || acl === "bucket-owner-full-control") return;
  throw new S3Error("AccessControlListNotSupported", "The bucket does not allow ACLs", 400);
}

/** @throws S3Error `AccessDenied` when the client takes the bucket for someone else's */
export function checkOwner(headers: S3Call["headers"]): void {
  for (const name of ["x-amz-expected-bucket-owner", "x-amz-source-expected-bucket-owner"]) {
    const expected = headers[name];
    if (expected !== undefined && expected !== accountId)
      throw new S3Error("AccessDenied", "Access Denied", 403);
  }
}

/** @throws S3Error `InvalidRequest` when a checksum is announced that does not come */
export function checkAnnounced(headers: S3Call["headers"]): void {
  const named = headers["x-amz-sdk-checksum-algorithm"];
  if (named === undefined) return;
  const algorithm = algorithmNamed(named);
  const given = checksumIn(headers)?.algorithm;
  if (given === algorithm || headers["x-amz-trailer"]?.toLowerCase() === headerOf(algorithm)) return;
  // Multipart uploads may be begun with the algorithm alone, and old clients send Content-MD5 instead.
  if (given === undefined && headers["x-amz-trailer"] === undefined && headers["content-md5"] !== undefined)
    return;
  throw invalidRequest(
    "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers were found.",
  );
}

/** What a body or a copy turned out to be, once it is in its file. */
export interface Content {
  readonly size: number;
  readonly etag: string;
  readonly checksum?: Checksum | undefined;
}

/** Writes the body of a request to a file. @throws S3Error for a body that is not what the request says */
export async function receiveInto(file: FileHandle, call: S3Call, algorithm?: Algorithm): Promise<Content> {
  const { size, md5, checksum } = await call.body.receive(async (piece) => {
    await writeAll(file, piece);
  }, algorithm);
  return {
    size,
    etag: md5.toString("hex"),
    checksum: checksum === undefined ? undefined : { ...checksum, type: "FULL_OBJECT" },
  };
}

export function recordOf(
  call: S3Call,
  { size, etag, checksum }: Content,
  headers: ObjectRecord["headers"],
  more: Pick<ObjectRecord, "uploadId"> = {},
): ObjectRecord {
  return {
    key: call.key,
    size,
    etag,
    modifiedAt: call.now(),
    headers,
    ...(checksum === undefined ? {} : { checksum }),
    ...more,
  };
}

/** What else happens at the moment at which an object takes its place. */
export interface ReplacementHooks {
  readonly before?: () => Promise<unknown>;
  readonly after?: () => Promise<void>;
}

/**
 * Makes an object: `fill` writes its content to a file, which then takes the place of what is there if the conditions of the
 * request allow that.
 * @throws S3Error
 */
export async function makeObject(
  call: S3Call,
  fill: (file: FileHandle) => Promise<ObjectRecord>,
  hooks: ReplacementHooks = {},
): Promise<ObjectRecord> {
  const { store, bucket, key, headers } = call;
  // Looked at once more when the content is here; nobody shall send it in vain.
  await store.bucket(bucket);
  return await store.withTemporaryFile(async (path, file) => {
    const record = await fill(file);
    await finishObjectFile(file, record);
    await store.exclusively(async () => {
      await hooks.before?.();
      const existing = await store.open(bucket, key);
      await existing?.close();
      checkWritable(headers, key, existing?.record);
      await store.put(bucket, key, path);
      await hooks.after?.();
    });
    return record;
  });
}

/** The checksum of a part, which has no type: as a header's or an element's name and its value. */
export function partChecksum(
  checksum: Checksum | undefined,
  named: (algorithm: Algorithm) => string,
): Record<string, string> {
  return checksum === undefined ? {} : { [named(checksum.algorithm)]: checksum.value };
}

/** The checksum of an object as headers. */
export function checksumHeaders(checksum: Checksum | undefined): Record<string, string> {
  if (checksum === undefined) return {};
  return { [headerOf(checksum.algorithm)]: checksum.value, "x-amz-checksum-type": checksum.type };
}

/** The checksum of an object as elements of XML. */
export function checksumElements(checksum: Checksum | undefined): Record<string, string> {
  if (checksum === undefined) return {};
  return { [elementOf(checksum.algorithm)]: checksum.value, ChecksumType: checksum.type };
}

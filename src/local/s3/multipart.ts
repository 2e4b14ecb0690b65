import { algorithmNamed, elementOf, headerOf, type Algorithm, type Checksum } from "./checksums.ts";
import { copyRangeIn } from "./conditions.ts";
import { copyInto, copySourceHeaders, openSource } from "./copy.ts";
import { invalidArgument, invalidRequest } from "./errors.ts";
import { checkKey } from "./names.ts";
import { finishObjectFile, type ObjectRecord } from "./object-file.ts";
import { bodyHeaders, emptyReply, quoted, xmlReply, type Operation, type S3Call } from "./operation.ts";
import type { S3Response } from "./request.ts";
import { beginUpload, endUpload, findUpload, putPart, type Upload } from "./uploads.ts";
import {
  checkAnnounced,
  objectHeaders,
  objectHeadersIn,
  partChecksum,
  receiveInto,
  recordOf,
  type Content,
} from "./writing.ts";
import type { FileHandle } from "node:fs/promises";

async function createMultipartUpload(call: S3Call): Promise<S3Response> {
  const { store, bucket, key, headers, now } = call;
  checkKey(key);
  const name = headers["x-amz-checksum-algorithm"];
  const algorithm = name === undefined ? undefined : algorithmNamed(name);
  const checksumType = checksumTypeIn(headers["x-amz-checksum-type"], algorithm);
  const upload = await beginUpload(store, bucket, {
    key,
    startedAt: now(),
    headers: objectHeadersIn(headers),
    ...(algorithm === undefined ? {} : { algorithm }),
    ...(checksumType === undefined ? {} : { checksumType }),
  });
  return xmlReply(
    "InitiateMultipartUploadResult",
    { Bucket: bucket, Key: key, UploadId: upload.id },
    {
      ...(algorithm === undefined ? {} : { "x-amz-checksum-algorithm": algorithm }),
      ...(checksumType === undefined ? {} : { "x-amz-checksum-type": checksumType }),
    },
  );
}

/** Which kinds of checksum each algorithm can be for an object of parts; the first is the usual one. */
const checksumTypes: Readonly<Record<Algorithm, readonly Checksum["type"][]>> = {
  CRC32: ["COMPOSITE", "FULL_OBJECT"],
  CRC32C: ["COMPOSITE", "FULL_OBJECT"],
  CRC64NVME: ["FULL_OBJECT"],
  SHA1: ["COMPOSITE"],
  SHA256: ["COMPOSITE"],
};

function checksumTypeIn(
  name: string | undefined,
  algorithm: Algorithm | undefined,
): Checksum["type"] | undefined {
  if (algorithm === undefined) {
    if (name === undefined) return undefined;
    throw invalidRequest(
      "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.",
    );
  }
  const types = checksumTypes[algorithm];
  const found = name === undefined ? types[0] : types.find((each) => each === name.toUpperCase());
  if (found !== undefined) return found;
  throw invalidRequest(
    `The ${name ?? ""} checksum type cannot be used with the ${algorithm.toLowerCase()} checksum algorithm.`,
  );
}

const mostParts = 10_000;

/** @throws S3Error `InvalidArgument` */
export function partNumber(text: string): number {
  const number = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (number >= 1 && number <= mostParts) return number;
  throw invalidArgument("partNumber", text, "Part number must be an integer between 1 and 10000, inclusive");
}

/** The upload that a call names. @throws S3Error `NoSuchBucket`, `NoSuchUpload` */
export async function uploadOf({ store, bucket, key, query }: S3Call): Promise<Upload> {
  return await findUpload(store, bucket, key, query.get("uploadId") ?? "");
}

async function makePart(
  call: S3Call,
  fill: (file: FileHandle, upload: Upload) => Promise<Content>,
): Promise<ObjectRecord> {
  const number = partNumber(call.query.get("partNumber") ?? "");
  const upload = await uploadOf(call);
  return await call.store.withTemporaryFile(async (path, file) => {
    const record = recordOf(call, await fill(file, upload), {});
    await finishObjectFile(file, record);
    await putPart(call.store, call.bucket, upload, number, path);
    return record;
  });
}

async function uploadPart(call: S3Call): Promise<S3Response> {
  checkAnnounced(call.headers);
  const record = await makePart(call, async (file, { algorithm }) => {
    const content = await receiveInto(file, call, algorithm);
    const used = content.checksum?.algorithm;
    if (algorithm !== undefined && used !== algorithm) {
      throw invalidRequest(
        `Checksum Type mismatch occurred, expected checksum Type: ${algorithm.toLowerCase()}, actual checksum Type: ${used?.toLowerCase() ?? "null"}`,
      );
    }
    return content;
  });
  return emptyReply(200, { etag: quoted(record.etag), ...partChecksum(record.checksum, headerOf) });
}

async function uploadPartCopy(call: S3Call): Promise<S3Response> {
  const header = call.headers["x-amz-copy-source-range"];
  const record = await makePart(call, async (file, { algorithm }) => {
    const source = await openSource(call);
    try {
      const range = header === undefined ? undefined : copyRangeIn(header, source.record.size);
      return await copyInto(file, source, range, algorithm);
    } finally {
      await source.close();
    }
  });
  return xmlReply("CopyPartResult", {
    LastModified: new Date(record.modifiedAt),
    ETag: quoted(record.etag),
    ...partChecksum(record.checksum, elementOf),
  });
}

async function abortMultipartUpload(call: S3Call): Promise<S3Response> {
  const { store, bucket } = call;
  await store.withTemporary(async (trash) => {
    await store.exclusively(async () => {
      await endUpload(store, bucket, await uploadOf(call), trash);
    });
  });
  return emptyReply(204);
}

export const multipartOperations: readonly Operation[] = [
  {
    action: "CreateMultipartUpload",
    method: "POST",
    on: "object",
    marks: ["uploads"],
    headers: [...objectHeaders, "x-amz-checksum-algorithm", "x-amz-checksum-type"],
    run: createMultipartUpload,
  },
  {
    action: "UploadPart",
    method: "PUT",
    on: "object",
    marks: ["partNumber", "uploadId"],
    headers: bodyHeaders,
    run: uploadPart,
  },
  {
    action: "UploadPartCopy",
    method: "PUT",
    on: "object",
    marks: ["partNumber", "uploadId", "x-amz-copy-source"],
    headers: [...copySourceHeaders, "x-amz-copy-source-range"],
    run: uploadPartCopy,
  },
  {
    action: "AbortMultipartUpload",
    method: "DELETE",
    on: "object",
    marks: ["uploadId"],
    run: abortMultipartUpload,
  },
];

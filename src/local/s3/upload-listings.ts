import { elementOf } from "./checksums.ts";
import { countIn, keyWriter, largestPage, optional, owner } from "./listing.ts";
import { uploadOf } from "./multipart.ts";
import { compareKeys } from "./names.ts";
import { quoted, xmlReply, type Operation, type S3Call } from "./operation.ts";
import type { S3Response } from "./request.ts";
import { allUploads, partsOf } from "./uploads.ts";
import { partChecksum } from "./writing.ts";

async function listParts(call: S3Call): Promise<S3Response> {
  const { store, bucket, key } = call;
  const upload = await uploadOf(call);
  const marker = countIn(call, "part-number-marker", 0);
  const most = Math.min(countIn(call, "max-parts", largestPage), largestPage);
  const behind = (await partsOf(store, bucket, upload)).filter(({ number }) => number > marker);
  const page = behind.slice(0, most);
  const truncated = page.length > 0 && page.length < behind.length;
  return xmlReply("ListPartsResult", {
    Bucket: bucket,
    Key: keyWriter(call)(key),
    UploadId: upload.id,
    Initiator: owner,
    Owner: owner,
    StorageClass: "STANDARD",
    PartNumberMarker: marker,
    NextPartNumberMarker: page.at(-1)?.number ?? 0,
    MaxParts: most,
    IsTruncated: truncated,
    ...optional("ChecksumAlgorithm", upload.algorithm),
    ...optional("ChecksumType", upload.checksumType),
    Part: page.map(({ number, modifiedAt, etag, size, checksum }) => {
      const own = partChecksum(checksum, elementOf);
      return {
        PartNumber: number,
        LastModified: new Date(modifiedAt),
        ETag: quoted(etag),
        Size: size,
        ...own,
      };
    }),
  });
}

async function listMultipartUploads(call: S3Call): Promise<S3Response> {
  const { store, bucket, query } = call;
  const written = keyWriter(call);
  const prefix = query.get("prefix") ?? "";
  const keyMarker = query.get("key-marker") ?? "";
  const idMarker = query.get("upload-id-marker") ?? "";
  const most = Math.min(countIn(call, "max-uploads", largestPage), largestPage);
  const all = (await allUploads(store, bucket)).filter(({ key }) => key.startsWith(prefix));
  // Behind the upload of that id if it is still there; without an id, behind all uploads of that key.
  const marked = all.findIndex(({ key, id }) => key === keyMarker && id === idMarker);
  const behind =
    marked >= 0 ? all.slice(marked + 1) : all.filter(({ key }) => compareKeys(key, keyMarker) > 0);
  const page = behind.slice(0, most);
  const last = page.at(-1);
  const truncated = last !== undefined && page.length < behind.length;
  return xmlReply("ListMultipartUploadsResult", {
    Bucket: bucket,
    KeyMarker: written(keyMarker),
    UploadIdMarker: idMarker,
    ...(truncated ? { NextKeyMarker: written(last.key), NextUploadIdMarker: last.id } : {}),
    Prefix: written(prefix),
    ...optional("EncodingType", query.get("encoding-type")),
    MaxUploads: most,
    IsTruncated: truncated,
    Upload: page.map(({ key, id, startedAt, algorithm, checksumType }) => ({
      Key: written(key),
      UploadId: id,
      Initiator: owner,
      Owner: owner,
      StorageClass: "STANDARD",
      Initiated: new Date(startedAt),
      ...optional("ChecksumAlgorithm", algorithm),
      ...optional("ChecksumType", checksumType),
    })),
  });
}

export const uploadListings: readonly Operation[] = [
  {
    action: "ListParts",
    method: "GET",
    on: "object",
    marks: ["uploadId"],
    query: ["max-parts", "part-number-marker", "encoding-type"],
    run: listParts,
  },
  {
    action: "ListMultipartUploads",
    method: "GET",
    on: "bucket",
    marks: ["uploads"],
    query: ["prefix", "key-marker", "upload-id-marker", "max-uploads", "encoding-type"],
    run: listMultipartUploads,
  },
];

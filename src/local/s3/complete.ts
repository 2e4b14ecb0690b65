import { createHash } from "node:crypto";
import type { FileHandle } from "node:fs/promises";
import { algorithms, elementOf, headerOf, runningDigest, wrongChecksum, type Checksum } from "./checksums.ts";
import { writeConditions } from "./conditions.ts";
import { S3Error, invalidRequest, malformedXml } from "./errors.ts";
import { partNumber, uploadOf } from "./multipart.ts";
import { writeAll, type ObjectRecord } from "./object-file.ts";
import { bodyHeaders, quoted, unquoted, xmlReply, type Operation, type S3Call } from "./operation.ts";
import type { S3Response } from "./request.ts";
import { endUpload, openPart, partsOf, type Part, type Upload } from "./uploads.ts";
import { checksumElements, makeObject, recordOf, type Content } from "./writing.ts";
import { childText, parseXml, type XmlElement } from "./xml.ts";

interface NamedPart {
  readonly number: number;
  readonly etag: string;
  /** The checksums that the client has for it, by their elements. */
  readonly checksums: ReadonlyMap<string, string>;
}

/** @throws S3Error `MalformedXML`, `InvalidPartOrder` */
function partsIn(text: string): NamedPart[] {
  const root = parseXml(text);
  const parts = root.children.map(namedPart);
  if (root.name !== "CompleteMultipartUpload" || parts.length === 0) throw malformedXml();
  if (parts.some(({ number }, index) => index > 0 && number <= (parts[index - 1]?.number ?? 0))) {
    throw new S3Error(
      "InvalidPartOrder",
      "The list of parts was not in ascending order. The parts list must be specified in order by part number.",
      400,
    );
  }
  return parts;
}

function namedPart(element: XmlElement): NamedPart {
  const [number, etag] = [childText(element, "PartNumber"), childText(element, "ETag")];
  const others = element.children.filter(({ name }) => name !== "PartNumber" && name !== "ETag");
  const known = new Set(algorithms.map(elementOf));
  if (element.name !== "Part" || number === undefined || etag === undefined) throw malformedXml();
  if (others.some(({ name }) => !known.has(name))) throw malformedXml();
  return {
    number: partNumber(number.trim()),
    etag: unquoted(etag),
    checksums: new Map(others.map(({ name, text }) => [name, text])),
  };
}

/** Every part but the last has at least so much. (Amazon S3 User Guide, "Multipart upload limits") */
const smallestPart = 5 * 1024 ** 2;

/**
 * The parts that an object is to be made of.
 * @throws S3Error `InvalidPart`, `EntityTooSmall`
 */
function chosenParts(named: readonly NamedPart[], there: readonly Part[], upload: Upload): Part[] {
  const byNumber = new Map(there.map((part) => [part.number, part]));
  return named.map(({ number, etag, checksums }, index) => {
    const part = byNumber.get(number);
    const own = part?.checksum === undefined ? undefined : checksums.get(elementOf(part.checksum.algorithm));
    if (part?.etag !== etag || (own !== undefined && own !== part.checksum?.value)) {
      throw new S3Error(
        "InvalidPart",
        "One or more of the specified parts could not be found.  The part may not have been uploaded, or the specified entity tag may not match the part's entity tag.",
        400,
        { UploadId: upload.id, PartNumber: number, ETag: etag },
      );
    }
    if (part.size < smallestPart && index < named.length - 1) {
      throw new S3Error(
        "EntityTooSmall",
        "Your proposed upload is smaller than the minimum allowed size",
        400,
        { ProposedSize: part.size, MinSizeAllowed: smallestPart, PartNumber: number, ETag: etag },
      );
    }
    return part;
  });
}

/** Puts the parts one behind the other. @throws S3Error `InvalidPart` when one has been replaced meanwhile */
async function joinParts(
  call: S3Call,
  upload: Upload,
  parts: readonly Part[],
  file: FileHandle,
): Promise<Content> {
  const { algorithm, checksumType } = upload;
  const md5 = createHash("md5");
  const whole = algorithm === undefined ? undefined : runningDigest(algorithm);
  const composite = algorithm === undefined ? undefined : runningDigest(algorithm);
  let size = 0;
  for (const { number, etag, checksum } of parts) {
    const part = await openPart(call.store, call.bucket, upload, number);
    try {
      if (part?.record.etag !== etag) throw new S3Error("InvalidPart", `Part ${number} was replaced`, 400);
      for await (const piece of await part.read(0, part.record.size - 1)) {
        if (!Buffer.isBuffer(piece)) continue;
        if (checksumType === "FULL_OBJECT") whole?.update(piece);
        await writeAll(file, piece);
      }
      md5.update(Buffer.from(etag, "hex"));
      composite?.update(Buffer.from(checksum?.value ?? "", "base64"));
      size += part.record.size;
    } finally {
      await part?.close();
    }
  }
  return {
    size,
    etag: `${md5.digest("hex")}-${parts.length}`,
    checksum:
      algorithm === undefined || whole === undefined || composite === undefined
        ? undefined
        : checksumType === "FULL_OBJECT"
          ? { algorithm, type: "FULL_OBJECT", value: whole.digest().toString("base64") }
          : {
              algorithm,
              type: "COMPOSITE",
              value: `${composite.digest().toString("base64")}-${parts.length}`,
            },
  };
}

/** @throws S3Error when the object is not what the client says */
function checkWhole(headers: S3Call["headers"], { size, checksum }: Content): void {
  const expected = headers["x-amz-mp-object-size"];
  if (expected !== undefined && expected !== String(size)) {
    throw invalidRequest(
      `The provided 'x-amz-mp-object-size' header value ${expected} does not match what was computed: ${size}`,
    );
  }
  for (const algorithm of algorithms) {
    const claimed = headers[headerOf(algorithm)];
    if (claimed !== undefined && !isChecksum(checksum, algorithm, claimed)) throw wrongChecksum(algorithm);
  }
}

function isChecksum(checksum: Checksum | undefined, algorithm: string, claimed: string): boolean {
  if (checksum?.algorithm !== algorithm) return false;
  // Clients give a composite checksum with the number of parts and without.
  return (
    claimed === checksum.value || (checksum.type === "COMPOSITE" && checksum.value.startsWith(`${claimed}-`))
  );
}

async function completeMultipartUpload(call: S3Call): Promise<S3Response> {
  const named = partsIn(await call.body.text(false));
  try {
    return completed(call, await assemble(call, named));
  } catch (error) {
    // A client that did not get the reply asks again.
    const earlier =
      error instanceof S3Error && error.code === "NoSuchUpload" ? await earlierResult(call) : undefined;
    if (earlier === undefined) throw error;
    return completed(call, earlier);
  }
}

async function assemble(call: S3Call, named: readonly NamedPart[]): Promise<ObjectRecord> {
  const { store, bucket, headers } = call;
  const upload = await uploadOf(call);
  const parts = chosenParts(named, await partsOf(store, bucket, upload), upload);
  return await store.withTemporary(
    async (trash) =>
      await makeObject(
        call,
        async (file) => {
          const content = await joinParts(call, upload, parts, file);
          checkWhole(headers, content);
          return recordOf(call, content, upload.headers, { uploadId: upload.id });
        },
        {
          before: async () => await uploadOf(call),
          after: async () => {
            await endUpload(store, bucket, upload, trash);
          },
        },
      ),
  );
}

async function earlierResult({ store, bucket, key, query }: S3Call): Promise<ObjectRecord | undefined> {
  const object = await store.open(bucket, key);
  await object?.close();
  return object?.record.uploadId === query.get("uploadId") ? object?.record : undefined;
}

function completed({ bucket, key }: S3Call, record: ObjectRecord): S3Response {
  return xmlReply("CompleteMultipartUploadResult", {
    Location: `/${bucket}/${key}`,
    Bucket: bucket,
    Key: key,
    ETag: quoted(record.etag),
    ...checksumElements(record.checksum),
  });
}

export const completeOperations: readonly Operation[] = [
  {
    action: "CompleteMultipartUpload",
    method: "POST",
    on: "object",
    marks: ["uploadId"],
    headers: [...bodyHeaders, ...writeConditions, "x-amz-mp-object-size", "x-amz-checksum-type"],
    run: completeMultipartUpload,
  },
];

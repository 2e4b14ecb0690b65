import { noSuchKey, invalidRequest, malformedXml, notImplemented, asS3Error } from "./errors.ts";
import { ApiError } from "../protocol/errors.ts";
import { rangeIn, readable, readConditions, writeConditions } from "./conditions.ts";
import type { ObjectRecord } from "./object-file.ts";
import { bodyHeaders, emptyReply, quoted, xmlReply, type Operation, type S3Call } from "./operation.ts";
import type { S3Response } from "./request.ts";
import {
  checkAnnounced,
  checksumHeaders,
  makeObject,
  objectHeaders,
  objectHeadersIn,
  receiveInto,
  recordOf,
} from "./writing.ts";
import { checkKey } from "./names.ts";
import { childText, parseXml } from "./xml.ts";

async function putObject(call: S3Call): Promise<S3Response> {
  const { headers } = call;
  checkKey(call.key);
  checkAnnounced(headers);
  const kept = objectHeadersIn(headers);
  const record = await makeObject(call, async (file) => recordOf(call, await receiveInto(file, call), kept));
  return emptyReply(200, {
    etag: quoted(record.etag),
    ...checksumHeaders(record.checksum),
    ...encryptionHeader(headers),
  });
}

function encryptionHeader(headers: S3Call["headers"]): Record<string, string> {
  const encryption = headers["x-amz-server-side-encryption"];
  return encryption === undefined ? {} : { "x-amz-server-side-encryption": encryption };
}

/** Parameters by which a client chooses what headers the reply has. */
const overrides: Readonly<Record<string, string>> = {
  "response-cache-control": "cache-control",
  "response-content-disposition": "content-disposition",
  "response-content-encoding": "content-encoding",
  "response-content-language": "content-language",
  "response-content-type": "content-type",
  "response-expires": "expires",
};

function replyHeaders({ query }: S3Call, record: ObjectRecord): Record<string, string> {
  const chosen = Object.entries(overrides).flatMap(([parameter, name]): [string, string][] => {
    const value = query.get(parameter);
    return value === undefined ? [] : [[name, value]];
  });
  return {
    ...record.headers,
    ...Object.fromEntries(chosen),
    etag: quoted(record.etag),
    "last-modified": new Date(record.modifiedAt).toUTCString(),
    "accept-ranges": "bytes",
  };
}

/** GetObject and HeadObject: the same but for the content. */
async function readObject(call: S3Call, withContent: boolean): Promise<S3Response> {
  const object = await call.store.open(call.bucket, call.key);
  if (object === undefined) throw noSuchKey(call.key);
  const { record } = object;
  let handedOn = false;
  try {
    const headers = replyHeaders(call, record);
    if (readable(call.headers, record) === "not-modified") {
      return emptyReply(304, { etag: quoted(record.etag), "last-modified": headers["last-modified"] ?? "" });
    }
    const range = rangeIn(call.headers["range"], record.size);
    const { start, end } = range ?? { start: 0, end: record.size - 1 };
    const wantsChecksum =
      call.headers["x-amz-checksum-mode"]?.toUpperCase() === "ENABLED" && range === undefined;
    handedOn = withContent;
    return {
      status: range === undefined ? 200 : 206,
      headers: {
        ...headers,
        "content-length": String(end - start + 1),
        ...(range === undefined ? {} : { "content-range": `bytes ${start}-${end}/${record.size}` }),
        ...(wantsChecksum ? checksumHeaders(record.checksum) : {}),
      },
      body: withContent ? await object.read(start, end) : "",
    };
  } finally {
    if (!handedOn) await object.close();
  }
}

async function deleteObject({ store, bucket, key }: S3Call): Promise<S3Response> {
  await store.remove(bucket, key);
  return emptyReply(204);
}

const mostDeletes = 1000;

async function deleteObjects(call: S3Call): Promise<S3Response> {
  const { store, bucket } = call;
  await store.bucket(bucket);
  if (!call.body.isChecked) {
    throw invalidRequest("Missing required header for this request: Content-MD5 OR x-amz-checksum-*");
  }
  checkAnnounced(call.headers);
  const { keys, quiet } = deletesIn(await call.body.text());
  const [deleted, failed]: [{ Key: string }[], { Key: string; Code: string; Message: string }[]] = [[], []];
  for (const key of keys) {
    try {
      await call.partly("DeleteObject", key, async () => {
        await store.remove(bucket, key);
      });
      deleted.push({ Key: key });
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      const { code, message } = asS3Error(error);
      failed.push({ Key: key, Code: code, Message: message });
    }
  }
  return xmlReply("DeleteResult", { Deleted: quiet ? [] : deleted, Error: failed });
}

/** @throws S3Error `MalformedXML` */
function deletesIn(text: string): { readonly keys: readonly string[]; readonly quiet: boolean } {
  const root = parseXml(text);
  const objects = root.children.filter(({ name }) => name === "Object");
  const others = root.children.filter(({ name }) => name !== "Object" && name !== "Quiet");
  if (root.name !== "Delete" || objects.length === 0 || objects.length > mostDeletes || others.length > 0) {
    throw malformedXml();
  }
  const keys = objects.map((object) => {
    const further = object.children.find(({ name }) => name !== "Key");
    if (further !== undefined) throw notImplemented(`${further.name} of an object to delete`);
    const key = childText(object, "Key");
    if (key === undefined || key === "") throw malformedXml();
    return key;
  });
  return { keys, quiet: childText(root, "Quiet") === "true" };
}

const reading = {
  on: "object",
  query: Object.keys(overrides),
  headers: [...readConditions, "range", "x-amz-checksum-mode"],
} as const;

export const objectOperations: readonly Operation[] = [
  {
    ...reading,
    action: "GetObject",
    method: "GET",
    run: async (call) => await readObject(call, true),
  },
  {
    ...reading,
    action: "HeadObject",
    method: "HEAD",
    run: async (call) => await readObject(call, false),
  },
  {
    action: "PutObject",
    method: "PUT",
    on: "object",
    headers: [...bodyHeaders, ...objectHeaders, ...writeConditions],
    run: putObject,
  },
  { action: "DeleteObject", method: "DELETE", on: "object", run: deleteObject },
  {
    action: "DeleteObjects",
    method: "POST",
    on: "bucket",
    marks: ["delete"],
    headers: bodyHeaders,
    run: deleteObjects,
  },
  {
    // There is no way to give an object tags here, so that none has any; clients that copy large objects ask.
    action: "GetObjectTagging",
    method: "GET",
    on: "object",
    marks: ["tagging"],
    run: async (call) => {
      const object = await call.store.open(call.bucket, call.key);
      if (object === undefined) throw noSuchKey(call.key);
      await object.close();
      return xmlReply("Tagging", { TagSet: "" });
    },
  },
];

import { accountId } from "../state/schema.ts";
import { checksumElements } from "./writing.ts";
import { invalidArgument } from "./errors.ts";
import { compareKeys } from "./names.ts";
import type { ObjectRecord } from "./object-file.ts";
import { quoted, xmlReply, type Operation, type S3Call } from "./operation.ts";
import type { S3Response } from "./request.ts";
import { uriEncoded } from "./signature.ts";
import type { ObjectStore } from "./store.ts";
import type { XmlContent } from "./xml.ts";

/** The most that one page of any listing holds. */
export const largestPage = 1000;

export const owner = { ID: accountId, DisplayName: "local" } as const;

/** One line of a listing: a key, or all keys that are the same up to the delimiter. */
type Line = { readonly key: string } | { readonly commonPrefix: string };

interface Page {
  readonly lines: readonly Line[];
  readonly truncated: boolean;
}

export interface PageRequest {
  readonly prefix: string;
  /** Empty for none. */
  readonly delimiter: string;
  /** Only what comes behind it; a common prefix that is behind it with some of its keys counts. */
  readonly after: string;
  /** A common prefix that was shown already. */
  readonly afterPrefix: string | undefined;
  readonly most: number;
}

/**
 * One page of a listing. Pure.
 * @param keys all that begin with the prefix, in order
 */
export function pageOf(keys: readonly string[], request: PageRequest): Page {
  const { prefix, delimiter, after, afterPrefix, most } = request;
  const lines: Line[] = [];
  let last: string | undefined = afterPrefix;
  for (const key of keys) {
    if (compareKeys(key, after) <= 0) continue;
    if (last !== undefined && key.startsWith(last)) continue;
    const at = delimiter === "" ? -1 : key.indexOf(delimiter, prefix.length);
    if (lines.length >= most) return { lines, truncated: most > 0 };
    if (at < 0) {
      lines.push({ key });
      continue;
    }
    last = key.slice(0, at + delimiter.length);
    lines.push({ commonPrefix: last });
  }
  return { lines, truncated: false };
}

/** A number in a query. @throws S3Error `InvalidArgument` */
export function countIn(call: S3Call, name: string, otherwise: number, most = 2_147_483_647): number {
  const text = call.query.get(name);
  if (text === undefined || text === "") return otherwise;
  if (!/^\d{1,10}$/.test(text) || Number(text) > most) {
    throw invalidArgument(name, text, `Provided ${name} not an integer or within integer range`);
  }
  return Number(text);
}

/** Writes keys as `encoding-type=url` wants it, or as they are. @throws S3Error `InvalidArgument` */
export function keyWriter(call: S3Call): (text: string) => string {
  const type = call.query.get("encoding-type");
  if (type === undefined) return (text) => text;
  if (type !== "url")
    throw invalidArgument("encoding-type", type, "Invalid Encoding Method specified in Request");
  return (text) => text.split("/").map(uriEncoded).join("/");
}

/** Where a listing goes on, as an opaque text. */
export function tokenOf(place: readonly string[]): string {
  return Buffer.from(JSON.stringify(place)).toString("base64url");
}

/** @throws S3Error `InvalidArgument` */
export function placeIn(token: string, parts: number): string[] {
  try {
    const place: unknown = JSON.parse(Buffer.from(token, "base64url").toString("utf8"));
    if (Array.isArray(place) && place.length === parts) {
      const texts = place.filter((each): each is string => typeof each === "string");
      if (texts.length === parts) return texts;
    }
  } catch {
    // Said below.
  }
  throw invalidArgument("continuation-token", token, "The continuation token provided is incorrect");
}

async function listObjectsV2(call: S3Call): Promise<S3Response> {
  const { store, bucket, query } = call;
  if (query.get("list-type") !== "2") {
    throw invalidArgument(
      "list-type",
      query.get("list-type") ?? "",
      "Invalid List Type specified in Request",
    );
  }
  const written = keyWriter(call);
  const prefix = query.get("prefix") ?? "";
  const delimiter = query.get("delimiter") ?? "";
  const most = Math.min(countIn(call, "max-keys", largestPage), largestPage);
  const token = query.get("continuation-token");
  const [kind = "", place = ""] = token === undefined ? [] : placeIn(token, 2);
  const page = pageOf(await store.keys(bucket, prefix), {
    prefix,
    delimiter,
    after: token === undefined ? (query.get("start-after") ?? "") : place,
    afterPrefix: kind === "prefix" ? place : undefined,
    most,
  });
  const lines = await shown(store, bucket, page.lines);
  const last = page.lines.at(-1);
  const next =
    !page.truncated || last === undefined
      ? undefined
      : tokenOf("key" in last ? ["key", last.key] : ["prefix", last.commonPrefix]);
  return xmlReply("ListBucketResult", {
    Name: bucket,
    Prefix: written(prefix),
    ...(delimiter === "" ? {} : { Delimiter: written(delimiter) }),
    ...optional("StartAfter", query.get("start-after"), written),
    ...optional("EncodingType", query.get("encoding-type")),
    ...optional("ContinuationToken", token),
    ...optional("NextContinuationToken", next),
    KeyCount: lines.length,
    MaxKeys: most,
    IsTruncated: page.truncated,
    Contents: lines.flatMap((line) =>
      "record" in line ? [contents(line.record, written, query.get("fetch-owner") === "true")] : [],
    ),
    CommonPrefixes: lines.flatMap((line) =>
      "commonPrefix" in line ? [{ Prefix: written(line.commonPrefix) }] : [],
    ),
  });
}

export function optional(
  name: string,
  value: string | undefined,
  written: (text: string) => string = (text) => text,
): Record<string, string> {
  return value === undefined ? {} : { [name]: written(value) };
}

type Shown = { readonly record: ObjectRecord } | { readonly commonPrefix: string };

/** The lines with what is known of their objects, without those that have gone since. */
async function shown(store: ObjectStore, bucket: string, lines: readonly Line[]): Promise<Shown[]> {
  const found: Shown[] = [];
  // A few at a time: opening a thousand files at once is no faster, and may be more than may be open.
  for (let start = 0; start < lines.length; start += 16) {
    const some = await Promise.all(
      lines.slice(start, start + 16).map(async (line): Promise<Shown | undefined> => {
        if ("commonPrefix" in line) return line;
        const object = await store.open(bucket, line.key);
        await object?.close();
        return object === undefined ? undefined : { record: object.record };
      }),
    );
    found.push(...some.filter((each) => each !== undefined));
  }
  return found;
}

function contents(record: ObjectRecord, written: (text: string) => string, withOwner: boolean): XmlContent {
  const { ChecksumType, ...checksum } = checksumElements(record.checksum);
  return {
    Key: written(record.key),
    LastModified: new Date(record.modifiedAt),
    ETag: quoted(record.etag),
    // Which algorithm it is by, and not the checksum itself.
    ...(Object.keys(checksum).length === 0
      ? {}
      : { ChecksumAlgorithm: record.checksum?.algorithm, ChecksumType }),
    Size: record.size,
    StorageClass: "STANDARD",
    ...(withOwner ? { Owner: owner } : {}),
  };
}

export const listingOperations: readonly Operation[] = [
  {
    action: "ListObjectsV2",
    method: "GET",
    on: "bucket",
    marks: ["list-type"],
    query: [
      "prefix",
      "delimiter",
      "max-keys",
      "continuation-token",
      "start-after",
      "encoding-type",
      "fetch-owner",
    ],
    run: listObjectsV2,
  },
];

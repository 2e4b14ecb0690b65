import { S3Error, invalidArgument, notImplemented, preconditionFailed } from "./errors.ts";
import type { ObjectRecord } from "./object-file.ts";
import { unquoted } from "./operation.ts";

type Headers = Readonly<Record<string, string>>;

/** The conditions under which an object may be read. */
export const readConditions = [
  "if-match",
  "if-none-match",
  "if-modified-since",
  "if-unmodified-since",
] as const;

/** S3 tells times in whole seconds, and compares them so. */
function seconds(milliseconds: number): number {
  return Math.floor(milliseconds / 1000);
}

/**
 * Whether an object may be read under the conditions of a request. An entity tag has the last word over a time.
 * (RFC 9110, section 13.2.2; Amazon S3 API Reference, "GetObject")
 * @param prefix what the names of the conditions begin with, for the source of a copy
 * @returns `not-modified` when the client has it already
 * @throws S3Error `PreconditionFailed`
 */
export function readable(headers: Headers, record: ObjectRecord, prefix = ""): "yes" | "not-modified" {
  const named = (name: string): string | undefined => headers[`${prefix}${name}`];
  const [match, noneMatch] = [named("if-match"), named("if-none-match")];
  const [modifiedSince, unmodifiedSince] = [
    timeIn(named("if-modified-since")),
    timeIn(named("if-unmodified-since")),
  ];
  const modified = seconds(record.modifiedAt);
  if (match !== undefined) {
    if (!hasTag(match, record)) throw preconditionFailed("If-Match");
  } else if (unmodifiedSince !== undefined && modified > seconds(unmodifiedSince)) {
    throw preconditionFailed("If-Unmodified-Since");
  }
  if (noneMatch !== undefined) return hasTag(noneMatch, record) ? "not-modified" : "yes";
  return modifiedSince !== undefined && modified <= seconds(modifiedSince) ? "not-modified" : "yes";
}

function hasTag(list: string, { etag }: ObjectRecord): boolean {
  return list.split(",").some((each) => each.trim() === "*" || unquoted(each) === etag);
}

/** A date that is none is passed over, as HTTP wants it. */
function timeIn(date: string | undefined): number | undefined {
  const at = Date.parse(date ?? "");
  return Number.isNaN(at) ? undefined : at;
}

/** The conditions under which an object may be replaced. */
export const writeConditions = ["if-match", "if-none-match"] as const;

/**
 * Checks the conditions of a write. (Amazon S3 User Guide, "How to prevent object overwrites with conditional writes")
 * @param existing what is there
 * @throws S3Error `PreconditionFailed`, `NoSuchKey`, `NotImplemented`
 */
export function checkWritable(headers: Headers, key: string, existing: ObjectRecord | undefined): void {
  const [match, noneMatch] = [headers["if-match"], headers["if-none-match"]];
  if (noneMatch !== undefined) {
    if (noneMatch.trim() !== "*") throw notImplemented("If-None-Match of a write with anything but *");
    if (existing !== undefined) throw preconditionFailed("If-None-Match");
  }
  if (match === undefined) return;
  if (existing === undefined) {
    throw new S3Error("NoSuchKey", "The specified key does not exist.", 404, { Key: key });
  }
  if (!hasTag(match, existing)) throw preconditionFailed("If-Match");
}

/** Bytes of an object, the last one included. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/**
 * The part of an object that a request asks for; undefined for all of it, which is also what a range gets that is none or
 * that is several.
 * @throws S3Error `InvalidRange` for one that the object does not have
 */
export function rangeIn(header: string | undefined, size: number): ByteRange | undefined {
  const [, from, to] = /^bytes=(\d*)-(\d*)$/.exec(header?.trim() ?? "") ?? [];
  if (from === undefined || to === undefined || (from === "" && to === "")) return undefined;
  const start = from === "" ? Math.max(0, size - Number(to)) : Number(from);
  const end = from === "" || to === "" ? size - 1 : Math.min(Number(to), size - 1);
  if (from !== "" && to !== "" && Number(from) > Number(to)) return undefined;
  if (start >= size || (from === "" && Number(to) === 0)) {
    throw new S3Error("InvalidRange", "The requested range is not satisfiable", 416, {
      RangeRequested: header ?? "",
      ActualObjectSize: size,
    });
  }
  return { start, end };
}

/**
 * The part of an object that is to be copied, which has to be there as a whole.
 * @throws S3Error `InvalidArgument`
 */
export function copyRangeIn(header: string, size: number): ByteRange {
  const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(header) ?? [];
  const [start, end] = [Number(from), Number(to)];
  if (from === undefined || start > end || end >= size) {
    throw invalidArgument(
      "x-amz-copy-source-range",
      header,
      `The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the zero-based offsets of the first and last bytes to copy, within the ${size} bytes of the source`,
    );
  }
  return { start, end };
}

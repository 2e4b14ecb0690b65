import type { Body } from "./body.ts";
import type { S3Response } from "./request.ts";
import type { ObjectStore } from "./store.ts";
import { s3Document, type XmlContent } from "./xml.ts";

/** One call of an operation. */
export interface S3Call {
  readonly store: ObjectStore;
  /** Empty where the operation is not about one. */
  readonly bucket: string;
  readonly key: string;
  readonly query: ReadonlyMap<string, string>;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Body;
  readonly region: string;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Runs a part of this call that has to be allowed by itself. */
  readonly partly: <T>(action: string, key: string, work: () => Promise<T>) => Promise<T>;
}

export interface Operation {
  /** As the API names it. */
  readonly action: string;
  readonly method: "GET" | "HEAD" | "PUT" | "POST" | "DELETE";
  readonly on: "service" | "bucket" | "object";
  /** Parameters and `x-amz-` headers that tell it from others of the same method. */
  readonly marks?: readonly string[];
  /** Further parameters that it takes. */
  readonly query?: readonly string[];
  /** Further `x-amz-` headers, conditions and ranges that it takes; `x-amz-meta-` stands for all of those. */
  readonly headers?: readonly string[];
  readonly run: (call: S3Call) => Promise<S3Response>;
}

export function xmlReply(root: string, content: XmlContent, headers: S3Response["headers"] = {}): S3Response {
  return {
    status: 200,
    headers: { "content-type": "application/xml", ...headers },
    body: s3Document(root, content),
  };
}

export function emptyReply(status: number, headers: S3Response["headers"] = {}): S3Response {
  return { status, headers, body: "" };
}

/** What a request may say about its body. */
export const bodyHeaders = [
  "x-amz-decoded-content-length",
  "x-amz-trailer",
  "x-amz-sdk-checksum-algorithm",
  "x-amz-checksum-crc32",
  "x-amz-checksum-crc32c",
  "x-amz-checksum-crc64nvme",
  "x-amz-checksum-sha1",
  "x-amz-checksum-sha256",
] as const;

/** An entity tag as it stands in headers and replies. */
export function quoted(etag: string): string {
  return `"${etag}"`;
}

/** An entity tag without its quotes, as clients give it with or without. */
export function unquoted(etag: string): string {
  return etag.trim().replace(/^(?:W\/)?"(.*)"$/, "$1");
}

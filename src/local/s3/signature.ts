import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import type { QueryParameters } from "./request.ts";

/*
 * Signature Version 4 as S3 has it. Pure. (Amazon S3 API Reference, "Authenticating Requests (AWS Signature Version 4)")
 */

export const algorithm = "AWS4-HMAC-SHA256";

/** What a signature is valid for. */
export interface Scope {
  /** Such as `20260102`. */
  readonly date: string;
  readonly region: string;
  readonly service: string;
}

export interface Signable {
  readonly method: string;
  /** Decoded. */
  readonly path: string;
  /** Decoded, without the signature itself. */
  readonly query: QueryParameters;
  readonly headers: Readonly<Record<string, string>>;
  /** In lower case. */
  readonly signedHeaders: readonly string[];
  /** A digest in hex, or a word such as `UNSIGNED-PAYLOAD`. */
  readonly payload: string;
}

export function sha256Hex(data: string): string {
  return createHash("sha256").update(data).digest("hex");
}

export function scopeText({ date, region, service }: Scope): string {
  return `${date}/${region}/${service}/aws4_request`;
}

/** Percent-encoding in which only letters, digits and `-._~` stay as they are. */
export function uriEncoded(text: string): string {
  return encodeURIComponent(text).replaceAll(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

/** S3 encodes a path once, and does not normalise it: other services do both otherwise. */
export function canonicalRequest(it: Signable): string {
  const query = it.query
    .map(([name, value]) => `${uriEncoded(name)}=${uriEncoded(value)}`)
    .map((pair): [string, string] => [pair.slice(0, pair.indexOf("=")), pair])
    .sort(([nameA, pairA], [nameB, pairB]) => compare(nameA, nameB) || compare(pairA, pairB))
    .map(([, pair]) => pair);
  const headers = it.signedHeaders.map(
    (name) => `${name}:${(it.headers[name] ?? "").trim().replaceAll(/ +/g, " ")}\n`,
  );
  return [
    it.method,
    it.path.split("/").map(uriEncoded).join("/"),
    query.join("&"),
    headers.join(""),
    it.signedHeaders.join(";"),
    it.payload,
  ].join("\n");
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** @param timestamp such as `20260102T030405Z` */
export function stringToSign(timestamp: string, scope: Scope, canonical: string): string {
  return [algorithm, timestamp, scopeText(scope), sha256Hex(canonical)].join("\n");
}

export function signingKey(secret: string, { date, region, service }: Scope): Buffer {
  const steps = [date, region, service, "aws4_request"];
  return steps.reduce((key: Buffer, step) => hmac(key, step), Buffer.from(`AWS4${secret}`));
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac("sha256", key).update(text).digest();
}

/** A signature, in hex. */
export function signatureOf(key: Buffer, text: string): string {
  return hmac(key, text).toString("hex");
}

export function isSame(signature: string, other: string): boolean {
  const [a, b] = [Buffer.from(signature), Buffer.from(other)];
  return a.length === b.length && timingSafeEqual(a, b);
}

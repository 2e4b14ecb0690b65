import type { Readable } from "node:stream";
import { S3Error } from "./errors.ts";

/** One HTTP request to the object store, however it came here. */
export interface S3Request {
  readonly method: string;
  /** As on the wire: percent-encoded, nothing normalised, since keys may hold `..` and `//`. */
  readonly path: string;
  /** The part behind the question mark as on the wire. */
  readonly query: string;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: AsyncIterable<Uint8Array>;
  /** Fires when the client does not wait any longer. */
  readonly signal?: AbortSignal | undefined;
}

export interface S3Response {
  readonly status: number;
  /** With `content-length` where the body is a stream. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Readable;
}

export type QueryParameters = readonly (readonly [name: string, value: string])[];

/** @throws S3Error `InvalidURI` */
export function percentDecoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new S3Error("InvalidURI", "Couldn't parse the specified URI.", 400, { URI: text });
  }
}

/**
 * The parameters of a query, decoded, in the order in which they came.
 * @throws S3Error `InvalidURI`
 */
export function queryParameters(query: string): QueryParameters {
  return query
    .split("&")
    .filter((pair) => pair !== "")
    .map((pair) => {
      const equals = pair.indexOf("=");
      const [name, value] = equals < 0 ? [pair, ""] : [pair.slice(0, equals), pair.slice(equals + 1)];
      return [percentDecoded(name.replaceAll("+", " ")), percentDecoded(value.replaceAll("+", " "))];
    });
}

/** What a request is about: the service as a whole, a bucket, or an object. */
export interface Target {
  readonly bucket: string | undefined;
  readonly key: string | undefined;
}

/** Host names of which the first part is the bucket: AWS's own, and `<bucket>.localhost`. */
const virtualHosts = [
  /^(.+)\.s3(?:[.-][a-z0-9-]+)*\.amazonaws\.com(?:\.cn)?$/,
  /^(.+?)(?:\.s3)?\.localhost$/,
] as const;

/**
 * What a request is about, by its host (`bucket.s3.local.amazonaws.com/key`, `bucket.localhost/key`) or, with any other
 * host, by its path (`/bucket/key`).
 * @throws S3Error `InvalidURI`
 */
export function targetOf({ path, headers }: Pick<S3Request, "path" | "headers">): Target {
  const whole = percentDecoded(path).replace(/^\//, "");
  const bucket = bucketInHost(headers["host"] ?? "");
  if (bucket !== undefined) return { bucket, key: whole === "" ? undefined : whole };
  if (whole === "") return { bucket: undefined, key: undefined };
  const slash = whole.indexOf("/");
  if (slash < 0) return { bucket: whole, key: undefined };
  const key = whole.slice(slash + 1);
  return { bucket: whole.slice(0, slash), key: key === "" ? undefined : key };
}

function bucketInHost(host: string): string | undefined {
  const name = host.replace(/:\d+$/, "").toLowerCase();
  for (const pattern of virtualHosts) {
    const bucket = pattern.exec(name)?.[1];
    // `s3.localhost` is the service itself.
    if (bucket !== undefined && bucket !== "s3") return bucket;
  }
  return undefined;
}

/**
 * Whether a request is for the object store and not for the services that share the endpoint: by the service in the scope of
 * its signature; without one of them, by having a path or a bucket in its host, which no request for the others has.
 */
export function isForS3({ path, query, headers }: Pick<S3Request, "path" | "query" | "headers">): boolean {
  const scope =
    /Credential=[^,\s]*\/(\w+)\/aws4_request/.exec(headers["authorization"] ?? "")?.[1] ??
    /(?:^|&)X-Amz-Credential=[^&]*(?:%2F|\/)(\w+)(?:%2F|\/)aws4_request/i.exec(query)?.[1];
  if (scope === "s3") return true;
  if (["ec2", "sts", "ssm"].includes(scope ?? "")) return false;
  return path !== "/" || bucketInHost(headers["host"] ?? "") !== undefined;
}

import { bucketOperations } from "./buckets.ts";
import { completeOperations } from "./complete.ts";
import { readConditions } from "./conditions.ts";
import { copyOperations } from "./copy.ts";
import { notImplemented } from "./errors.ts";
import { listingOperations } from "./listing.ts";
import { multipartOperations } from "./multipart.ts";
import { objectOperations } from "./objects.ts";
import type { Operation } from "./operation.ts";
import type { Target } from "./request.ts";
import { uploadListings } from "./upload-listings.ts";

/** All that the object store does. */
export const operations: readonly Operation[] = [
  ...bucketOperations,
  ...objectOperations,
  ...listingOperations,
  ...copyOperations,
  ...multipartOperations,
  ...completeOperations,
  ...uploadListings,
];

/** Headers that say nothing of what is to be done. */
const neutralHeaders = new Set([
  "x-amz-date",
  "x-amz-content-sha256",
  "x-amz-user-agent",
  "x-amz-expected-bucket-owner",
  // Checked where there is a body, and elsewhere sent by clients that would send one.
  "x-amz-sdk-checksum-algorithm",
]);

/** SDKs add the name of the operation that they mean. */
const neutralParameters = new Set(["x-id"]);

/** Names of headers that change what a request means, whatever they begin with. */
const meaningful = new Set<string>([...readConditions, "range", "if-range"]);

/**
 * The operation that a request means.
 * @throws S3Error `NotImplemented` for any that is not here, and for anything in the request that the operation does
 *   not take
 */
export function operationFor(
  method: string,
  target: Target,
  query: ReadonlyMap<string, string>,
  headers: Readonly<Record<string, string>>,
): Operation {
  const on = target.bucket === undefined ? "service" : target.key === undefined ? "bucket" : "object";
  const isGiven = (mark: string): boolean =>
    mark.startsWith("x-amz-") ? headers[mark] !== undefined : query.has(mark);
  const [found] = operations
    .filter((each) => each.method === method && each.on === on && (each.marks ?? []).every(isGiven))
    .sort((a, b) => (b.marks?.length ?? 0) - (a.marks?.length ?? 0));
  const parameters = [...query.keys()].filter((name) => !neutralParameters.has(name));
  if (found === undefined) {
    const what = parameters.length === 0 ? "" : ` with ?${parameters.join("&")}`;
    if (method === "GET" && on === "bucket") {
      throw notImplemented(`GET of a bucket${what}; to list objects, use version 2 (list-type=2)`);
    }
    throw notImplemented(`${method} of ${on === "object" ? "an" : "a"} ${on}${what}`);
  }
  const taken = new Set([...(found.marks ?? []), ...(found.query ?? [])]);
  const unknown = parameters.find((name) => !taken.has(name));
  if (unknown !== undefined) throw notImplemented(`the parameter ${unknown} of ${found.action}`);
  checkHeaders(found, headers);
  return found;
}

function checkHeaders(operation: Operation, headers: Readonly<Record<string, string>>): void {
  const taken = new Set([...(operation.marks ?? []), ...(operation.headers ?? [])]);
  for (const name of Object.keys(headers)) {
    if (!name.startsWith("x-amz-") && !meaningful.has(name)) continue;
    if (neutralHeaders.has(name) || taken.has(name)) continue;
    if (name.startsWith("x-amz-meta-") && taken.has("x-amz-meta-")) continue;
    throw notImplemented(`the header ${name} of ${operation.action}`);
  }
}

import { BakeError, systemCodeOf } from "../base/errors.ts";

/**
 * What an error means for whoever asked:
 * - `throttled`: too many calls, or too many at once; the same one later
 * - `not-found`: the thing does not exist, or EC2 does not show it yet
 * - `capacity`: there is no room for it here and now; somewhere else there may be
 * - `unavailable`: the service or the way to it failed; what became of the call is not known
 * - `in-use`: something still needs the thing
 * - `denied`: the caller may not
 * - `permanent`: the same call will fail again
 */
export type Problem =
  "throttled" | "not-found" | "capacity" | "unavailable" | "in-use" | "denied" | "permanent";

/**
 * The codes of EC2 ("Error codes for the Amazon EC2 API" in its developer guide), and those of STS, Systems Manager, S3,
 * Auto Scaling and SNS that are like them. What is not in here goes by its ending or its HTTP status.
 */
const codes: readonly (readonly [Problem, readonly string[]])[] = [
  [
    "throttled",
    [
      "RequestLimitExceeded",
      "EC2ThrottledException",
      "Throttling",
      "ThrottlingException",
      "ThrottledException",
      "RequestThrottled",
      "RequestThrottledException",
      "TooManyRequestsException",
      "SlowDown",
      "BandwidthLimitExceeded",
      "PriorRequestNotComplete",
      // One at a time: they go as soon as the others are done.
      "ConcurrentTagAccess",
      "ConcurrentSnapshotLimitExceeded",
      "ConcurrentCreateImageNoRebootLimitExceeded",
      "SnapshotCreationPerVolumeRateExceeded",
      // Auto Scaling's for a group that something else changes just now.
      "ResourceContentionFault",
    ],
  ],
  [
    "capacity",
    [
      "InsufficientInstanceCapacity",
      "InsufficientHostCapacity",
      "InsufficientReservedInstanceCapacity",
      "ReservationCapacityExceeded",
      "InsufficientCapacity",
      "InsufficientFreeAddressesInSubnet",
      "InsufficientAddressCapacity",
      "InsufficientVolumeCapacity",
      // The type is not offered in this zone.
      "Unsupported",
      // Limits are of a family of types, and spot has limits of its own.
      "InstanceLimitExceeded",
      "VcpuLimitExceeded",
      "MaxSpotInstanceCountExceeded",
      "SpotMaxPriceTooLow",
    ],
  ],
  [
    "unavailable",
    [
      "InternalError",
      "InternalFailure",
      "InternalServerError",
      "Unavailable",
      "ServiceUnavailable",
      "RequestTimeout",
      "RequestTimeoutException",
    ],
  ],
  ["in-use", ["DependencyViolation", "ResourceInUseException", "VolumeInUse"]],
  [
    "denied",
    ["UnauthorizedOperation", "AccessDenied", "AccessDeniedException", "AuthorizationErrorException"],
  ],
  // The second is said of an image that is pending, too.
  [
    "not-found",
    [
      "ParameterNotFound",
      "InvalidAMIID.Unavailable",
      "NoSuchBucket",
      "NoSuchKey",
      "NotFound",
      "NotFoundException",
    ],
  ],
];

const problems: ReadonlyMap<string, Problem> = new Map(
  codes.flatMap(([problem, names]) => names.map((name): [string, Problem] => [name, problem])),
);

/** What a system error of the connection is called. */
const connectionCodes = new Set([
  "ECONNRESET",
  "ECONNREFUSED",
  "ECONNABORTED",
  "EPIPE",
  "ETIMEDOUT",
  "ENOTFOUND",
  "EAI_AGAIN",
  "ENETUNREACH",
  "EHOSTUNREACH",
  "ERR_STREAM_PREMATURE_CLOSE",
  "UND_ERR_SOCKET",
]);

/** No answer came within the time that one attempt may take. */
export class NoAnswer extends Error {
  override readonly name = "TimeoutError";
}

/** What an error code means. @param status of HTTP, for a code that is not known */
export function problemOfCode(code: string, status: number): Problem {
  const known = problems.get(code);
  if (known !== undefined) return known;
  if (code.endsWith(".NotFound")) return "not-found";
  if (code.endsWith(".InUse")) return "in-use";
  if (status === 429) return "throttled";
  // S3's answer to a HEAD has no body, so no code either.
  if (status === 403 && code.startsWith("Unknown")) return "denied";
  return status >= 500 ? "unavailable" : "permanent";
}

/** The error code of the service behind an error, if it has one: `InvalidInstanceID.NotFound`. */
export function cloudCodeOf(error: unknown): string | undefined {
  for (let current = error; current instanceof Error; current = current.cause) {
    if ("$fault" in current) return current.name;
  }
  return undefined;
}

const reported = new WeakMap<Error, Problem>();

/** Gives an error of our own a meaning, as when the cloud tells of a failure otherwise than by an error. */
export function markProblem<E extends Error>(error: E, problem: Problem): E {
  reported.set(error, problem);
  return error;
}

/** What an error means, whoever wrapped it. */
export function problemOf(error: unknown): Problem {
  for (let current = error; current instanceof Error; current = current.cause) {
    // What stands behind it, such as a passed deadline of ours, is no failure of the cloud's.
    if (current instanceof BakeError && current.kind === "interrupted") return "permanent";
    const problem = reported.get(current) ?? problemOfOne(current);
    if (problem !== undefined) return problem;
  }
  return "permanent";
}

function problemOfOne(error: Error): Problem | undefined {
  const metadata = metadataOf(error);
  if ("$fault" in error) {
    // The SDK has learned how far this computer's clock is off, and signs the next attempt accordingly.
    if (metadata?.clockSkewCorrected === true) return "unavailable";
    return problemOfCode(error.name, metadata?.httpStatusCode ?? 0);
  }
  // What stands behind them is why there are none, and another attempt finds none either.
  if (error.name === "CredentialsProviderError" || error.name === "TokenProviderError") return "permanent";
  // An answer came that nobody can read, such as half of one, or the page of a proxy. The SDK marks whatever is thrown on the
  // way so, also what the cloud on this computer says of a file or a tool that is missing.
  if (metadata !== undefined && !(error instanceof BakeError)) return "unavailable";
  if (connectionCodes.has(systemCodeOf(error) ?? "")) return "unavailable";
  // What a passed deadline of one attempt looks like; an interruption never gets here.
  return error.name === "TimeoutError" || error.name === "AbortError" ? "unavailable" : undefined;
}

/** What the SDK notes on an error once there was an answer. */
function metadataOf(error: Error): { httpStatusCode?: number; clockSkewCorrected?: boolean } | undefined {
  if (!("$metadata" in error) || typeof error.$metadata !== "object" || error.$metadata === null) {
    return undefined;
  }
  const metadata = error.$metadata;
  const status = "httpStatusCode" in metadata ? Number(metadata.httpStatusCode) : 0;
  return {
    httpStatusCode: status,
    clockSkewCorrected: "clockSkewCorrected" in metadata && metadata.clockSkewCorrected === true,
  };
}

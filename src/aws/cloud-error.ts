import { BakeError, messageOf, systemCodeOf } from "../base/errors.ts";

/**
 * What an error means for whoever asked:
 * - `throttled`: too many calls; the same one later
 * - `not-found`: the thing does not exist, or EC2 does not show it yet
 * - `capacity`: there is no room for it here and now; somewhere else there may be
 * - `unavailable`: the service or the way to it failed; what became of the call is not known
 * - `in-use`: something still needs the thing
 * - `denied`: the caller may not
 * - `permanent`: the same call will fail again
 */
export type Problem =
  "throttled" | "not-found" | "capacity" | "unavailable" | "in-use" | "denied" | "permanent";

/** Codes whose name does not say what they are (EC2 User Guide, "Error codes for the Amazon EC2 API"). */
const problems: Readonly<Record<string, Problem>> = {
  RequestLimitExceeded: "throttled",
  EC2ThrottledException: "throttled",
  Throttling: "throttled",
  ThrottlingException: "throttled",
  ThrottledException: "throttled",
  RequestThrottled: "throttled",
  RequestThrottledException: "throttled",
  TooManyRequestsException: "throttled",
  SnapshotCreationPerVolumeRateExceeded: "throttled",

  InsufficientInstanceCapacity: "capacity",
  InsufficientHostCapacity: "capacity",
  InsufficientReservedInstanceCapacity: "capacity",
  InsufficientCapacity: "capacity",
  InsufficientFreeAddressesInSubnet: "capacity",
  InsufficientAddressCapacity: "capacity",
  InsufficientVolumeCapacity: "capacity",
  // The type is not offered in this zone.
  Unsupported: "capacity",
  InstanceLimitExceeded: "capacity",
  VcpuLimitExceeded: "capacity",
  MaxSpotInstanceCountExceeded: "capacity",
  SpotMaxPriceTooLow: "capacity",

  InternalError: "unavailable",
  InternalFailure: "unavailable",
  Unavailable: "unavailable",
  ServiceUnavailable: "unavailable",
  RequestTimeout: "unavailable",
  RequestTimeoutException: "unavailable",

  DependencyViolation: "in-use",
  "InvalidGroup.InUse": "in-use",
  "InvalidSnapshot.InUse": "in-use",
  "InvalidIPAddress.InUse": "in-use",

  UnauthorizedOperation: "denied",
  AccessDenied: "denied",
  AccessDeniedException: "denied",

  // As said of an image that is pending.
  "InvalidAMIID.Unavailable": "not-found",
  ParameterNotFound: "not-found",
};

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
  "UND_ERR_SOCKET",
]);

/** The error code of the service behind an error, if it has one: `InvalidInstanceID.NotFound`. */
export function cloudCodeOf(error: unknown): string | undefined {
  for (let current = error; current instanceof Error; current = current.cause) {
    if ("$fault" in current) return current.name;
  }
  return undefined;
}

/** What an error means, whoever wrapped it. */
export function problemOf(error: unknown): Problem {
  const code = cloudCodeOf(error);
  if (code !== undefined) {
    const known = problems[code];
    if (known !== undefined) return known;
    if (code.endsWith(".NotFound")) return "not-found";
    return statusOf(error) >= 500 ? "unavailable" : "permanent";
  }
  for (let current = error; current instanceof Error; current = current.cause) {
    if (connectionCodes.has(systemCodeOf(current) ?? "")) return "unavailable";
    // What a passed deadline of one attempt looks like; an interruption never gets here.
    if (current.name === "TimeoutError" || current.name === "AbortError") return "unavailable";
  }
  return "permanent";
}

function statusOf(error: unknown): number {
  for (let current = error; current instanceof Error; current = current.cause) {
    if (!("$metadata" in current)) continue;
    const metadata: unknown = current.$metadata;
    if (typeof metadata === "object" && metadata !== null && "httpStatusCode" in metadata) {
      return Number(metadata.httpStatusCode);
    }
  }
  return 0;
}

/** Whether the cloud says that the thing does not exist, or not yet. */
export function isNotFound(error: unknown): boolean {
  return problemOf(error) === "not-found";
}

/** Waits for a deletion; what is gone already is as good as deleted. */
export async function unlessGone(deletion: Promise<unknown>): Promise<void> {
  try {
    await deletion;
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}

/** Whether the thing cannot go because something still uses it. */
export function isInUse(error: unknown): boolean {
  return problemOf(error) === "in-use";
}

const uncertain = new WeakSet<object>();

/** Remembers of an error that it is unknown what became of the call. */
export function markUncertain(error: BakeError): BakeError {
  uncertain.add(error);
  return error;
}

/** Whether it is unknown what became of the call that failed: it may have made something. */
export function isUncertain(error: unknown): boolean {
  for (let current = error; current instanceof Error; current = current.cause) {
    if (uncertain.has(current)) return true;
  }
  return false;
}

/**
 * An error of the SDK in the terms of the program: which action failed on what, why, and what to do.
 * @param action such as `RunInstances`, or `ssm:GetParameter` when it is not EC2's
 */
export function explainCloudError(action: string, error: unknown, resource?: string): BakeError {
  if (error instanceof BakeError) return error;
  const code = cloudCodeOf(error);
  // Some thousand characters that only AWS can read.
  const message = messageOf(error).replace(/\s*Encoded authorization failure message: .*$/s, "");
  const what = resource === undefined ? action : `${action} ${resource}`;
  if (code !== undefined) {
    const hint = hintFor(code, action);
    return new BakeError(isNotFound(error) ? "not-found" : "cloud", `${what}: ${message} (${code})`, {
      cause: error,
      ...(hint === undefined ? {} : { hint }),
    });
  }
  if (error instanceof Error && error.name === "CredentialsProviderError") {
    return new BakeError("usage", `no AWS credentials: ${message}`, {
      cause: error,
      hint: "configure them with `aws configure`, choose a --profile, or try it on this computer with --local",
    });
  }
  if (message.includes("Region is missing")) {
    return new BakeError("usage", "no AWS Region is set", {
      cause: error,
      hint: "give --region, set AWS_REGION, or try it on this computer with --local",
    });
  }
  if (problemOf(error) === "unavailable") {
    return new BakeError("cloud", `${what}: no answer from AWS: ${message}`, {
      cause: error,
      hint: "check the network and the Region; `bake-ami cleanup` ends what may be left",
    });
  }
  return new BakeError("cloud", `${what}: ${message}`, { cause: error });
}

function hintFor(code: string, action: string): string | undefined {
  if (problems[code] === "denied") {
    const name = action.includes(":") ? action : `ec2:${action}`;
    const statement = JSON.stringify({ Effect: "Allow", Action: name, Resource: "*" });
    return `the caller's policy must allow it, for example ${statement}; docs/iam-policy.md has the whole policies`;
  }
  switch (code) {
    case "ExpiredToken":
    case "ExpiredTokenException":
    case "RequestExpired":
      return "the session has expired; sign in again";
    case "AuthFailure":
    case "InvalidClientTokenId":
    case "UnrecognizedClientException":
      return "the credentials are not valid here; check the profile and the Region";
    case "OptInRequired":
    case "PendingVerification":
      return "the account is not ready for EC2; see its messages in the AWS console";
    default:
      return undefined;
  }
}

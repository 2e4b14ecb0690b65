import { BakeError, messageOf } from "../base/errors.ts";

/** The EC2 or STS error code behind an error, if it has one: `InvalidInstanceID.NotFound`. */
export function cloudCodeOf(error: unknown): string | undefined {
  for (let current = error; current instanceof Error; current = current.cause) {
    if ("$fault" in current) return current.name;
  }
  return undefined;
}

/** Whether the cloud says that the thing does not exist, or not yet. */
export function isNotFound(error: unknown): boolean {
  return /\.(NotFound|Unavailable)$/.test(cloudCodeOf(error) ?? "");
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
  const code = cloudCodeOf(error);
  return code === "DependencyViolation" || code === "InvalidGroup.InUse" || code === "InvalidSnapshot.InUse";
}

/** An error of the SDK in the terms of the program: which action failed, why, and what to do. */
export function explainCloudError(action: string, error: unknown): BakeError {
  if (error instanceof BakeError) return error;
  const code = cloudCodeOf(error);
  const message = messageOf(error);
  if (code !== undefined) {
    const hint = hintFor(code, action);
    return new BakeError(isNotFound(error) ? "not-found" : "cloud", `${action}: ${message} (${code})`, {
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
  return new BakeError("cloud", `${action}: ${message}`, { cause: error });
}

function hintFor(code: string, action: string): string | undefined {
  switch (code) {
    case "UnauthorizedOperation":
    case "AccessDenied":
    case "AccessDeniedException":
      return `the caller's policy must allow ${action.includes(":") ? action : `ec2:${action}`}`;
    case "ExpiredToken":
    case "RequestExpired":
      return "the session has expired; sign in again";
    case "AuthFailure":
    case "InvalidClientTokenId":
      return "the credentials are not valid here; check the profile and the Region";
    default:
      return undefined;
  }
}

/** What an error means for whoever asked. */
export function problemOf(error: unknown): "capacity" | "permanent" {
  return (cloudCodeOf(error) ?? "").endsWith("Capacity") ? "capacity" : "permanent";
}

/** Whether it is unknown what became of the call that failed. */
export function isUncertain(error: unknown): boolean {
  return error instanceof BakeError && error.cause instanceof Error && error.cause.name === "TimeoutError";
}

import { BakeError, messageOf } from "../base/errors.ts";
import { denialOf, hintForDenial } from "./denial.ts";
import { cloudCodeOf, problemOf, problemOfCode } from "./problem.ts";

export { cloudCodeOf, problemOf, type Problem } from "./problem.ts";

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
  const what = resource === undefined ? action : `${action} ${resource}`;
  if (code !== undefined) return explainCode({ action, what, code }, error);
  const message = messageOf(error).replace(unreadableNote, "");
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

/** What the SDK adds for programmers who look at its errors in a debugger. */
const unreadableNote = /\s*Deserialization error: to see the raw response, .*$/s;

function explainCode(
  call: { readonly action: string; readonly what: string; readonly code: string },
  error: unknown,
): BakeError {
  const { action, what, code } = call;
  if (problemOfCode(code, 0) === "denied") {
    const denial = denialOf(action, messageOf(error));
    // The cause is shown under the message when it says more, and its encoded part says nothing to anybody.
    const cause = error instanceof Error ? new Error(denial.message, { cause: error }) : undefined;
    const on = denial.resource === undefined ? "" : ` on ${denial.resource}`;
    const needed = denial.action === denial.asked ? "" : `needs ${denial.action}${on}: `;
    return new BakeError("cloud", `${what}: ${needed}${denial.message} (${code})`, {
      cause,
      hint: hintForDenial(denial),
    });
  }
  const kind = problemOf(error) === "not-found" ? "not-found" : "cloud";
  const hint = hints.get(code) ?? (kind === "not-found" ? gone : undefined);
  return new BakeError(kind, `${what}: ${messageOf(error)} (${code})`, {
    cause: error,
    ...(hint === undefined ? {} : { hint }),
  });
}

const expired = "the session has expired; sign in again";
const invalid = "the credentials are not valid here; check the profile and the Region";
const gone = "somebody has deleted it, or it is in another account or Region";
const notReady = "the account is not ready for EC2; see its messages in the AWS console";

const hints: ReadonlyMap<string, string> = new Map([
  ["ExpiredToken", expired],
  ["ExpiredTokenException", expired],
  ["RequestExpired", "the session has expired, or this computer's clock is wrong; sign in again"],
  ["AuthFailure", invalid],
  ["InvalidClientTokenId", invalid],
  ["InvalidAccessKeyId", invalid],
  ["UnrecognizedClientException", invalid],
  ["SignatureDoesNotMatch", invalid],
  ["OptInRequired", notReady],
  ["PendingVerification", notReady],
  ["RequestLimitExceeded", "others use up this account's calls in this Region; try again later"],
  ["InstanceLimitExceeded", "choose other types with --type, or ask AWS for a higher quota"],
  ["VcpuLimitExceeded", "choose other types with --type, or ask AWS for a higher quota"],
]);

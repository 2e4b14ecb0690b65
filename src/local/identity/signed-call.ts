import { createHash } from "node:crypto";
import { ApiError } from "../protocol/errors.ts";
import { largestSkewMs, signatureIn, signatureTime } from "../s3/claims.ts";
import {
  algorithm,
  canonicalRequest,
  isSame,
  signatureOf,
  signingKey,
  stringToSign,
} from "../s3/signature.ts";
import { userCaller, type Caller } from "./caller.ts";
import type { KeyRing } from "./key-ring.ts";
import { roleKeyPrefix } from "./role-credentials.ts";

/** A request for EC2, STS or Systems Manager. */
export interface SignedCall {
  readonly service: "ec2" | "sts" | "ssm";
  readonly method: string;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** The part behind the question mark. */
  readonly query: string;
  readonly body: string;
}

export interface CallClocks {
  /** The cloud's, by which credentials end; milliseconds since the epoch. */
  readonly now: () => number;
  /** The computer's, by which clients sign. */
  readonly system: () => number;
}

/**
 * Who makes a call, by its `Authorization` header. Where anyone is served, what is not signed with the credentials of a role is
 * taken for the user's, whatever it is signed with.
 * @throws ApiError as the service refuses a request that is not, or wrongly, signed
 */
export async function callerOf(call: SignedCall, keys: KeyRing, clocks: CallClocks): Promise<Caller> {
  const header = call.headers["authorization"] ?? "";
  const given = header.startsWith(`${algorithm} `) ? signatureIn(header) : undefined;
  const [accessKeyId = "", date = "", region = "", service = "", end] = given?.credential.split("/") ?? [];
  if (keys.clients === "anyone" && !accessKeyId.startsWith(roleKeyPrefix)) return userCaller();
  const refused = (problem: Problem, message?: string): ApiError => refusal(call.service, problem, message);
  if (header === "") throw refused("missing");
  if (given === undefined || end !== "aws4_request") throw refused("incomplete");
  const token = call.headers["x-amz-security-token"];
  const found = await keys.find({ accessKeyId, token, presigned: false, now: clocks.now() });
  if (typeof found === "string") throw refused(found === "expired token" ? "expired" : "unknown");

  const timestamp = call.headers["x-amz-date"] ?? "";
  const at = signatureTime(timestamp);
  if (Number.isNaN(at)) throw refused("incomplete");
  if (Math.abs(clocks.system() - at) > largestSkewMs) {
    const now = basicTime(clocks.system());
    throw refused("late", `Signature expired or not yet current: ${timestamp}, and it is ${now} now`);
  }
  const scope = { date, region, service };
  if (service !== call.service) {
    throw refused("wrong", `Credential should be scoped to correct service: '${call.service}'.`);
  }
  if (date !== timestamp.slice(0, 8))
    throw refused("wrong", "Date in Credential scope does not match x-amz-date.");
  const isAllSigned = ["host", "x-amz-date", "x-amz-security-token"]
    .filter((name) => call.headers[name] !== undefined)
    .every((name) => given.signedHeaders.includes(name));
  if (!isAllSigned)
    throw refused("wrong", "'Host', 'X-Amz-Date' and 'X-Amz-Security-Token' must be signed headers.");
  const canonical = canonicalRequest({
    method: call.method,
    path: "/",
    query: [...new URLSearchParams(call.query)],
    headers: call.headers,
    signedHeaders: given.signedHeaders,
    payload: createHash("sha256").update(call.body).digest("hex"),
  });
  const key = signingKey(found.secretAccessKey, scope);
  const right = signatureOf(key, stringToSign(timestamp, scope, canonical));
  if (!isSame(right, given.signature)) throw refused("wrong");
  return found.caller;
}

type Problem = "missing" | "incomplete" | "unknown" | "expired" | "wrong" | "late";

type Refusal = readonly [code: string, status: number];

/**
 * What each service calls it. EC2 does not tell a wrong key from a wrong secret.
 * (Amazon EC2 Developer Guide, "Error codes"; STS and Systems Manager API References, "Common Errors")
 */
const codes: Readonly<Record<SignedCall["service"], Readonly<Record<Problem, Refusal>>>> = {
  ec2: {
    missing: ["MissingAuthenticationToken", 403],
    incomplete: ["IncompleteSignature", 400],
    unknown: ["AuthFailure", 401],
    expired: ["RequestExpired", 400],
    wrong: ["AuthFailure", 401],
    late: ["RequestExpired", 400],
  },
  sts: {
    missing: ["MissingAuthenticationToken", 403],
    incomplete: ["IncompleteSignature", 400],
    unknown: ["InvalidClientTokenId", 403],
    expired: ["ExpiredToken", 403],
    wrong: ["SignatureDoesNotMatch", 403],
    late: ["SignatureDoesNotMatch", 403],
  },
  ssm: {
    missing: ["MissingAuthenticationTokenException", 400],
    incomplete: ["IncompleteSignatureException", 400],
    unknown: ["UnrecognizedClientException", 400],
    expired: ["ExpiredTokenException", 400],
    wrong: ["InvalidSignatureException", 400],
    late: ["InvalidSignatureException", 400],
  },
};

const messages: Readonly<Record<Problem, string>> = {
  missing: "Request is missing Authentication Token",
  incomplete: "The Authorization header or the X-Amz-Date header is not whole",
  unknown: "The security token included in the request is invalid.",
  expired: "The security token included in the request is expired",
  wrong:
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.",
  late: "Request has expired.",
};

function refusal(service: SignedCall["service"], problem: Problem, message = messages[problem]): ApiError {
  const [code, status] = codes[service][problem];
  const isVague = code === "AuthFailure";
  const text = isVague ? "AWS was not able to validate the provided access credentials" : message;
  return new ApiError(code, text, status);
}

function basicTime(at: number): string {
  return new Date(at).toISOString().replaceAll(/[-:]|\.\d+/g, "");
}

import { S3Error, invalidRequest } from "./errors.ts";
import type { QueryParameters, S3Request } from "./request.ts";
import { algorithm } from "./signature.ts";

export interface Clocks {
  /** The cloud's, by which presigned URLs expire. */
  readonly now: () => number;
  /** The computer's, by which clients sign. */
  readonly system: () => number;
}

/** How a request says who signed it. */
export interface Claim {
  readonly credential: string;
  readonly signedHeaders: readonly string[];
  readonly signature: string;
  readonly timestamp: string;
  readonly payload: string;
}

export const largestSkewMs = 15 * 60 * 1000;
const longestExpiry = 604_800;

/** The error for a request without a signature that counts. */
export function unsigned(query: QueryParameters): S3Error {
  if (query.some(([name]) => name === "AWSAccessKeyId")) {
    return invalidRequest(
      "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.",
    );
  }
  return new S3Error("AccessDenied", "Access Denied", 403);
}

/** @throws S3Error for a header that claims nothing, or at the wrong time */
export function claimInHeader(header: string, headers: S3Request["headers"], { system }: Clocks): Claim {
  if (!header.startsWith(`${algorithm} `)) throw unsigned([["AWSAccessKeyId", ""]]);
  const given = signatureIn(header);
  if (given === undefined) {
    throw malformed(false, "the Credential, SignedHeaders and Signature must all be given.");
  }
  const payload = headers["x-amz-content-sha256"];
  if (payload === undefined) {
    throw invalidRequest("Missing required header for this request: x-amz-content-sha256");
  }
  const timestamp = headers["x-amz-date"] ?? basicForm(Date.parse(headers["date"] ?? ""));
  const at = signatureTime(timestamp);
  if (Number.isNaN(at)) {
    throw new S3Error("AccessDenied", "AWS authentication requires a valid Date or x-amz-date header", 403);
  }
  // Clients sign by the clock of the computer, which a cloud with a clock of its own does not move.
  if (Math.abs(system() - at) > largestSkewMs) {
    throw new S3Error(
      "RequestTimeTooSkewed",
      "The difference between the request time and the current time is too large.",
      403,
      {
        RequestTime: timestamp,
        ServerTime: new Date(system()).toISOString(),
        MaxAllowedSkewMilliseconds: largestSkewMs,
      },
    );
  }
  return { ...given, timestamp, payload };
}

/**
 * What an `Authorization` header of this algorithm says, for any service.
 * @returns undefined when a part of it is missing
 */
export function signatureIn(
  header: string,
): Pick<Claim, "credential" | "signedHeaders" | "signature"> | undefined {
  const parts = new Map(
    header
      .slice(algorithm.length)
      .split(",")
      .map((part) => {
        const equals = part.indexOf("=");
        return [part.slice(0, equals).trim(), part.slice(equals + 1).trim()];
      }),
  );
  const [credential, names, signature] = [
    parts.get("Credential"),
    parts.get("SignedHeaders"),
    parts.get("Signature"),
  ];
  if (credential === undefined || names === undefined || signature === undefined) return undefined;
  return { credential, signedHeaders: namesIn(names), signature };
}

/** @throws S3Error for a query that claims nothing, or not now */
export function claimInQuery(query: QueryParameters, headers: S3Request["headers"], { now }: Clocks): Claim {
  const values = new Map(query.map(([name, value]) => [name.toLowerCase(), value]));
  const [credential, names, signature, timestamp, expires] = [
    values.get("x-amz-credential"),
    values.get("x-amz-signedheaders"),
    values.get("x-amz-signature"),
    values.get("x-amz-date"),
    values.get("x-amz-expires"),
  ];
  if (
    credential === undefined ||
    names === undefined ||
    signature === undefined ||
    timestamp === undefined ||
    expires === undefined
  ) {
    throw malformed(
      true,
      "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.",
    );
  }
  if (values.get("x-amz-algorithm") !== algorithm) {
    throw malformed(true, `X-Amz-Algorithm only supports "${algorithm}"`);
  }
  const at = signatureTime(timestamp);
  if (Number.isNaN(at)) {
    throw malformed(true, "X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"");
  }
  if (!/^-?\d+$/.test(expires)) throw malformed(true, "X-Amz-Expires should be a number");
  if (Number(expires) < 0) throw malformed(true, "X-Amz-Expires must be non-negative");
  if (Number(expires) > longestExpiry) {
    throw malformed(
      true,
      "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than 604800 seconds",
    );
  }
  if (at - now() > largestSkewMs) throw new S3Error("AccessDenied", "Request is not valid yet", 403);
  const end = at + Number(expires) * 1000;
  if (now() > end) {
    throw new S3Error("AccessDenied", "Request has expired", 403, {
      "X-Amz-Expires": expires,
      Expires: new Date(end).toISOString().replace(/\.\d+/, ""),
      ServerTime: new Date(now()).toISOString().replace(/\.\d+/, ""),
    });
  }
  const payload = headers["x-amz-content-sha256"] ?? values.get("x-amz-content-sha256") ?? "UNSIGNED-PAYLOAD";
  return { credential, signedHeaders: namesIn(names), signature, timestamp, payload };
}

function namesIn(signedHeaders: string): string[] {
  return signedHeaders.toLowerCase().split(";");
}

export function malformed(presigned: boolean, why: string): S3Error {
  return presigned
    ? new S3Error("AuthorizationQueryParametersError", why, 400)
    : new S3Error("AuthorizationHeaderMalformed", `The authorization header is malformed; ${why}`, 400);
}

/** When something was signed: milliseconds since the epoch, or NaN. */
export function signatureTime(timestamp: string): number {
  const [, ...parts] = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(timestamp) ?? [];
  if (parts.length === 0) return Number.NaN;
  const [year = "", month = "", day = "", hour = "", minute = "", second = ""] = parts;
  return Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
}

function basicForm(at: number): string {
  return Number.isNaN(at) ? "" : new Date(at).toISOString().replaceAll(/[-:]|\.\d+/g, "");
}

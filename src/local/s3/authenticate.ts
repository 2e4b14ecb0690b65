import type { Caller } from "../identity/caller.ts";
import type { KeyProblem, KeyRing } from "../identity/key-ring.ts";
import { claimInHeader, claimInQuery, malformed, unsigned, type Claim, type Clocks } from "./claims.ts";
import { S3Error } from "./errors.ts";
import { percentDecoded, queryParameters, type QueryParameters, type S3Request } from "./request.ts";
import { canonicalRequest, isSame, signatureOf, signingKey, stringToSign, type Scope } from "./signature.ts";

/** What a request turned out to be. */
export interface Authenticated {
  readonly caller: Caller;
  readonly region: string;
  /** All parameters but those of the signature, and but those that stand for headers. */
  readonly query: QueryParameters;
  /** With the `x-amz-` parameters of a presigned URL, which stand for headers; without the token, which is checked. */
  readonly headers: Readonly<Record<string, string>>;
  readonly signed: Signed;
}

/** What the signatures of the parts of a body go on from. */
export interface Signed {
  readonly timestamp: string;
  readonly scope: Scope;
  readonly key: Buffer;
  readonly signature: string;
  /** What the signature says of the body. */
  readonly payload: string;
}

/**
 * Checks the signature of a request, in its `Authorization` header or in its query.
 * @throws S3Error as S3 does: `AccessDenied`, `SignatureDoesNotMatch`, `InvalidAccessKeyId`, `InvalidToken`,
 *   `ExpiredToken`, `RequestTimeTooSkewed`, `AuthorizationHeaderMalformed`, `AuthorizationQueryParametersError`, `InvalidRequest`
 */
export async function authenticate(
  request: S3Request,
  clocks: Clocks,
  keys: KeyRing,
): Promise<Authenticated> {
  const query = queryParameters(request.query);
  const { headers } = request;
  const presigned = query.some(([name]) => name.toLowerCase() === "x-amz-algorithm");
  const header = headers["authorization"];
  if (presigned && header !== undefined) {
    throw new S3Error(
      "InvalidArgument",
      "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string parameter or the Authorization header should be specified",
      400,
    );
  }
  if (!presigned && header === undefined) throw unsigned(query);
  const claim = presigned
    ? claimInQuery(query, headers, clocks)
    : claimInHeader(header ?? "", headers, clocks);
  const scope = scopeOf(claim, presigned);
  const { accessKeyId } = scope;
  const token = presigned
    ? query.find(([name]) => name.toLowerCase() === tokenName)?.[1]
    : headers[tokenName];
  const found = await keys.find({ accessKeyId, token, presigned, now: clocks.now() });
  if (typeof found === "string") throw refusalOf(found, accessKeyId);
  const unsignedHeaders = Object.keys(headers).filter(
    (name) => (name === "host" || name.startsWith("x-amz-")) && !claim.signedHeaders.includes(name),
  );
  if (unsignedHeaders.length > 0) {
    throw new S3Error(
      "AccessDenied",
      "There were headers present in the request which were not signed",
      403,
      { HeadersNotSigned: unsignedHeaders.join(", ") },
    );
  }
  const key = signingKey(found.secretAccessKey, scope);
  const canonical = canonicalRequest({
    method: request.method,
    path: percentDecoded(request.path),
    query: query.filter(([name]) => name.toLowerCase() !== "x-amz-signature"),
    headers,
    signedHeaders: claim.signedHeaders,
    payload: claim.payload,
  });
  const text = stringToSign(claim.timestamp, scope, canonical);
  const signature = signatureOf(key, text);
  if (!isSame(signature, claim.signature)) {
    throw new S3Error(
      "SignatureDoesNotMatch",
      "The request signature we calculated does not match the signature you provided. Check your key and signing method.",
      403,
      {
        AWSAccessKeyId: scope.accessKeyId,
        StringToSign: text,
        SignatureProvided: claim.signature,
        CanonicalRequest: canonical,
      },
    );
  }
  const { timestamp, payload } = claim;
  const signed = { timestamp, scope, key, signature, payload };
  return {
    caller: found.caller,
    region: scope.region,
    signed,
    ...(presigned ? withoutSignature(query, headers) : { query, headers: withoutToken(headers) }),
  };
}

const tokenName = "x-amz-security-token";

function withoutToken(headers: S3Request["headers"]): S3Request["headers"] {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => name !== tokenName));
}

/** (Amazon S3 API Reference, "List of error codes") */
function refusalOf(problem: KeyProblem, accessKeyId: string): S3Error {
  switch (problem) {
    case "unknown key":
      return new S3Error(
        "InvalidAccessKeyId",
        "The AWS Access Key Id you provided does not exist in our records.",
        403,
        { AWSAccessKeyId: accessKeyId },
      );
    case "bad token":
      return new S3Error("InvalidToken", "The provided token is malformed or otherwise invalid.", 400);
    case "expired token":
      return new S3Error("ExpiredToken", "The provided token has expired.", 400);
  }
}

/** @throws S3Error when it is no credential for S3 on the day of the signature */
function scopeOf(
  { credential, timestamp }: Claim,
  presigned: boolean,
): Scope & { readonly accessKeyId: string } {
  const [accessKeyId, date, region, service, end, ...more] = credential.split("/");
  if (
    accessKeyId === undefined ||
    date === undefined ||
    region === undefined ||
    service === undefined ||
    end !== "aws4_request" ||
    more.length > 0
  ) {
    throw malformed(
      presigned,
      'the Credential is mal-formed; expecting "<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request".',
    );
  }
  if (service !== "s3") {
    throw malformed(presigned, `incorrect service "${service}". This endpoint belongs to "s3".`);
  }
  if (date !== timestamp.slice(0, 8)) {
    throw malformed(
      presigned,
      `Invalid credential date "${date}". This date is not the same as X-Amz-Date: "${timestamp.slice(0, 8)}".`,
    );
  }
  return { accessKeyId, date, region, service };
}

const signatureParameters = new Set([
  "x-amz-algorithm",
  "x-amz-credential",
  "x-amz-date",
  "x-amz-expires",
  tokenName,
  "x-amz-signedheaders",
  "x-amz-signature",
]);

/** SDKs move headers into the URL that they presign: there they mean what they mean as headers. */
function withoutSignature(
  query: QueryParameters,
  headers: S3Request["headers"],
): Pick<Authenticated, "query" | "headers"> {
  const own = query.filter(([name]) => !signatureParameters.has(name.toLowerCase()));
  const isHeader = ([name]: readonly [string, string]): boolean => name.toLowerCase().startsWith("x-amz-");
  return {
    query: own.filter((pair) => !isHeader(pair)),
    headers: {
      ...Object.fromEntries(own.filter(isHeader).map(([name, value]) => [name.toLowerCase(), value])),
      ...headers,
    },
  };
}

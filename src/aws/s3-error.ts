import { BakeError, messageOf } from "../base/errors.ts";
import { cloudCodeOf, problemOf } from "./problem.ts";
import { hintForDenial } from "./denial.ts";
import { s3Url, type S3Object, type S3Place } from "./s3-url.ts";

/**
 * An error of S3 in the terms of the program. The answer to a HEAD has no body, so all that is known of it may be its status.
 * @param action that IAM has for the call: `s3:PutObject`
 * @returns a BakeError for what S3 alone says, and the error itself for what any service may say
 */
export function explainS3Error(action: string, on: S3Place | S3Object, error: unknown): unknown {
  const code = cloudCodeOf(error);
  if (code === undefined) return error;
  if (code === "NoSuchBucket" || (code === "NotFound" && !("key" in on))) {
    return new BakeError("not-found", `there is no bucket ${on.bucket}`, {
      cause: error,
      hint: `check the name, or make it: \`aws s3 mb s3://${on.bucket}\``,
    });
  }
  if (code === "NoSuchKey" || code === "NotFound") {
    return new BakeError("not-found", `there is no object ${s3Url(on)}`, { cause: error });
  }
  if (elsewhere.has(code)) {
    return new BakeError("usage", `the bucket ${on.bucket} is in another Region`, {
      cause: error,
      hint: `give its Region with --region: \`aws s3api get-bucket-location --bucket ${on.bucket}\` tells it`,
    });
  }
  return problemOf(error) === "denied" ? explainDenial(action, on, error) : error;
}

/** What S3 calls it when a bucket is not in the Region that was asked, and the answer does not tell which it is. */
const elsewhere = new Set([
  "PermanentRedirect",
  "IllegalLocationConstraintException",
  "AuthorizationHeaderMalformed",
]);

function explainDenial(action: string, on: S3Place | S3Object, error: unknown): BakeError {
  const said = messageOf(error);
  const explicit = /explicit deny/i.test(said);
  const resource =
    action === "s3:ListBucket" ? on.bucket : `${on.bucket}/${"key" in on ? on.key : `${on.prefix}*`}`;
  const message = /^(?:Unknown(?:Error)?|Access Denied|Forbidden|)$/i.test(said) ? "access denied" : said;
  return new BakeError("cloud", `${action} ${s3Url(on)}: ${message}`, {
    cause: error,
    hint: `${hintForDenial({ asked: action, action, resource: `arn:aws:s3:::${resource}`, explicit, message })}; the bucket's own policy must not deny it`,
  });
}

import { ApiError } from "../protocol/errors.ts";

/** What an error tells beside its code and message, by the names that S3 has for it. */
export type Details = Readonly<Record<string, string | number>>;

/**
 * An error in S3's own terms. (Amazon S3 API Reference, "Error responses")
 */
export class S3Error extends ApiError {
  readonly details: Details;

  constructor(code: string, message: string, status: number, details: Details = {}) {
    super(code, message, status);
    this.details = details;
  }
}

/** What S3 calls the errors that any service here may end with; those are named as EC2 names them. */
const codes: Readonly<Record<string, readonly [code: string, message: string | undefined, status: number]>> =
  {
    RequestLimitExceeded: ["SlowDown", "Please reduce your request rate.", 503],
    UnauthorizedOperation: ["AccessDenied", undefined, 403],
    InternalError: ["InternalError", "We encountered an internal error. Please try again.", 500],
    Unavailable: ["ServiceUnavailable", "Service is unable to handle request.", 503],
  };

/** An error of another service's naming as S3 would have it. */
export function asS3Error(error: ApiError): S3Error {
  if (error instanceof S3Error) return error;
  const [code = error.code, message = error.message, status = error.status] = codes[error.code] ?? [];
  return new S3Error(code, message, status);
}

export function noSuchBucket(bucket: string): S3Error {
  return new S3Error("NoSuchBucket", "The specified bucket does not exist", 404, { BucketName: bucket });
}

export function noSuchKey(key: string): S3Error {
  return new S3Error("NoSuchKey", "The specified key does not exist.", 404, { Key: key });
}

export function noSuchUpload(uploadId: string): S3Error {
  return new S3Error(
    "NoSuchUpload",
    "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.",
    404,
    { UploadId: uploadId },
  );
}

/** For all that S3 has and the local cloud has not: never passed over in silence. */
export function notImplemented(what: string): S3Error {
  return new S3Error("NotImplemented", `The local cloud does not implement ${what}`, 501);
}

export function invalidArgument(name: string, value: string, message: string): S3Error {
  return new S3Error("InvalidArgument", message, 400, { ArgumentName: name, ArgumentValue: value });
}

export function invalidRequest(message: string): S3Error {
  return new S3Error("InvalidRequest", message, 400);
}

export function preconditionFailed(condition: string): S3Error {
  return new S3Error(
    "PreconditionFailed",
    "At least one of the pre-conditions you specified did not hold",
    412,
    { Condition: condition },
  );
}

export function malformedXml(): S3Error {
  return new S3Error(
    "MalformedXML",
    "The XML you provided was not well-formed or did not validate against our published schema",
    400,
  );
}

export function incompleteBody(): S3Error {
  return new S3Error(
    "IncompleteBody",
    "You did not provide the number of bytes specified by the Content-Length HTTP header",
    400,
  );
}

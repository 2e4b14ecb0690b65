import { BakeError } from "../base/errors.ts";

/** Somewhere in a bucket. */
export interface S3Place {
  readonly bucket: string;
  /** What all keys there begin with: empty, or with a slash at its end. */
  readonly prefix: string;
}

/** One object. */
export interface S3Object {
  readonly bucket: string;
  readonly key: string;
}

/** ("Bucket naming rules" in the S3 user guide) */
const bucketName = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/;

/** These are themselves in a URL, in a tag's value, and to curl, which takes `..` and `//` out of a path. */
const plainKey = /^(?!\/)(?:(?!\.{1,2}\/)[A-Za-z0-9._=@:-]+\/)*$/;

const example = "for example s3://my-bucket/bake-ami/";

/**
 * Reads `s3://bucket/prefix/`; the last slash may be left out, and so may the prefix.
 * @param option that it was given with, for the message
 * @throws BakeError `usage` for anything else.
 */
export function readS3Url(text: string, option: string): S3Place {
  const [, bucket, path = ""] = /^s3:\/\/([^/]*)(?:\/(.*))?$/s.exec(text) ?? [];
  const refuse = (why: string): BakeError =>
    new BakeError("usage", `${option} ${text} ${why}`, { hint: example });
  if (bucket === undefined) throw refuse("is not of the form s3://bucket/prefix/");
  if (!bucketName.test(bucket) || bucket.includes("..")) throw refuse("does not name a bucket");
  const prefix = path === "" || path.endsWith("/") ? path : `${path}/`;
  if (!plainKey.test(prefix)) {
    throw refuse(
      "has a prefix with something else than letters, digits and . _ = @ : - between single slashes",
    );
  }
  return { bucket, prefix };
}

/** `s3://bucket/key`, as people and the AWS command line write it. */
export function s3Url(place: S3Place | S3Object): string {
  return `s3://${place.bucket}/${"key" in place ? place.key : place.prefix}`;
}

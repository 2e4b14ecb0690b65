import { S3Client, type S3ClientConfig } from "@aws-sdk/client-s3";

/* What is used of S3, in a file of its own so that it is loaded by those alone who need it. */

export {
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
} from "@aws-sdk/client-s3";

/**
 * Nothing is sent before it is used. A bucket in another Region is asked there. The SDK's own choice of a checksum would be
 * signed into a presigned PUT as that of an empty body.
 */
export function newClient(config: S3ClientConfig): S3Client {
  return new S3Client({
    ...config,
    followRegionRedirects: true,
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
  });
}

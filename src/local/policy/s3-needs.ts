import type { Asked, Need } from "./requirements.ts";
import { textAt, type Query } from "./request.ts";
import { keysOf } from "./subjects.ts";

/*
 * What each operation of the object store is authorised against.
 * (Service Authorization Reference, "Actions, resources, and condition keys for Amazon S3"; Amazon S3 User Guide,
 * "Required permissions for Amazon S3 API operations")
 */

type Needs = (asked: Asked) => readonly Need[];

function bucketArn(query: Query): string {
  return `arn:aws:s3:::${textAt(query, "Bucket") ?? ""}`;
}

function onBucket(action: string): Needs {
  return ({ query }) => [{ action, on: { arn: bucketArn(query), keys: new Map() } }];
}

function onObject(action: string): Needs {
  return ({ query }) => [
    { action, on: { arn: `${bucketArn(query)}/${textAt(query, "Key") ?? ""}`, keys: new Map() } },
  ];
}

/** A listing can be allowed by what is listed. */
const listing: Needs = ({ query }) => [
  {
    action: "s3:ListBucket",
    on: {
      arn: bucketArn(query),
      keys: keysOf({
        "s3:prefix": textAt(query, "Prefix"),
        "s3:delimiter": textAt(query, "Delimiter"),
        "s3:max-keys": textAt(query, "MaxKeys"),
      }),
    },
  },
];

const copy: Needs = (asked) => {
  const [bucket, key] = [textAt(asked.query, "CopySource.Bucket"), textAt(asked.query, "CopySource.Key")];
  const arn = `arn:aws:s3:::${bucket ?? ""}/${key ?? ""}`;
  return [{ action: "s3:GetObject", on: { arn, keys: new Map() } }, ...onObject("s3:PutObject")(asked)];
};

export const s3Needs: Readonly<Record<string, Needs>> = {
  AbortMultipartUpload: onObject("s3:AbortMultipartUpload"),
  CompleteMultipartUpload: onObject("s3:PutObject"),
  CopyObject: copy,
  CreateBucket: onBucket("s3:CreateBucket"),
  CreateMultipartUpload: onObject("s3:PutObject"),
  DeleteBucket: onBucket("s3:DeleteBucket"),
  DeleteObject: onObject("s3:DeleteObject"),
  // Each object is asked about by itself, and those that may not be deleted are told in the reply.
  DeleteObjects: () => [],
  GetBucketLocation: onBucket("s3:GetBucketLocation"),
  GetObject: onObject("s3:GetObject"),
  GetObjectTagging: onObject("s3:GetObjectTagging"),
  HeadBucket: onBucket("s3:ListBucket"),
  HeadObject: onObject("s3:GetObject"),
  ListBuckets: () => [{ action: "s3:ListAllMyBuckets" }],
  ListMultipartUploads: onBucket("s3:ListBucketMultipartUploads"),
  ListObjectsV2: listing,
  ListParts: onObject("s3:ListMultipartUploadParts"),
  PutObject: onObject("s3:PutObject"),
  UploadPart: onObject("s3:PutObject"),
  UploadPartCopy: copy,
};

import { invalidArgument, malformedXml, notImplemented, S3Error } from "./errors.ts";
import { countIn, optional, owner, placeIn, tokenOf } from "./listing.ts";
import { bodyHeaders, emptyReply, xmlReply, type Operation, type S3Call } from "./operation.ts";
import type { S3Response } from "./request.ts";
import { childText, parseXml } from "./xml.ts";
import { checkAcl } from "./writing.ts";

async function createBucket(call: S3Call): Promise<S3Response> {
  const { store, bucket, region, now, body } = call;
  checkAcl(call.headers);
  const text = (call.headers["content-length"] ?? "0") === "0" ? "" : await body.text();
  const wanted = text === "" ? undefined : locationIn(text);
  // The Region without a name of its own may go unnamed, and here the only one that there is.
  if (wanted === undefined && region !== "us-east-1" && region !== "local") {
    throw incompatible("unspecified");
  }
  if (wanted !== undefined && wanted !== region) throw incompatible(wanted);
  await store.createBucket({ name: bucket, region, createdAt: now() });
  return emptyReply(200, { location: `/${bucket}` });
}

function incompatible(location: string): S3Error {
  return new S3Error(
    "IllegalLocationConstraintException",
    `The ${location} location constraint is incompatible for the region specific endpoint this request was sent to.`,
    400,
  );
}

/** @throws S3Error `MalformedXML`, `NotImplemented` */
function locationIn(text: string): string | undefined {
  const root = parseXml(text);
  if (root.name !== "CreateBucketConfiguration") throw malformedXml();
  const other = root.children.find(({ name }) => name !== "LocationConstraint");
  if (other !== undefined) throw notImplemented(`${other.name} of a new bucket`);
  const location = childText(root, "LocationConstraint");
  return location === "" ? undefined : location;
}

const mostBuckets = 10_000;

async function listBuckets(call: S3Call): Promise<S3Response> {
  const { store, query } = call;
  const prefix = query.get("prefix") ?? "";
  const region = query.get("bucket-region");
  const most = countIn(call, "max-buckets", mostBuckets, mostBuckets);
  if (most < 1)
    throw invalidArgument("max-buckets", "0", "Argument max-buckets must be an integer between 1 and 10000");
  const token = query.get("continuation-token");
  const [after = ""] = token === undefined ? [] : placeIn(token, 1);
  const all = (await store.buckets()).filter(
    (bucket) =>
      bucket.name.startsWith(prefix) && bucket.name > after && bucket.region === (region ?? bucket.region),
  );
  const page = all.slice(0, most);
  const last = page.at(-1);
  return xmlReply("ListAllMyBucketsResult", {
    Owner: owner,
    Buckets: {
      Bucket: page.map((bucket) => ({
        Name: bucket.name,
        CreationDate: new Date(bucket.createdAt),
        BucketRegion: bucket.region,
      })),
    },
    ...optional("Prefix", query.get("prefix")),
    ...(last === undefined || page.length === all.length ? {} : { ContinuationToken: tokenOf([last.name]) }),
  });
}

export const bucketOperations: readonly Operation[] = [
  {
    action: "ListBuckets",
    method: "GET",
    on: "service",
    query: ["prefix", "max-buckets", "continuation-token", "bucket-region"],
    run: listBuckets,
  },
  {
    action: "CreateBucket",
    method: "PUT",
    on: "bucket",
    headers: [...bodyHeaders, "x-amz-acl"],
    run: createBucket,
  },
  {
    action: "HeadBucket",
    method: "HEAD",
    on: "bucket",
    run: async ({ store, bucket }) => {
      const { region } = await store.bucket(bucket);
      return emptyReply(200, { "x-amz-bucket-region": region, "x-amz-access-point-alias": "false" });
    },
  },
  {
    action: "GetBucketLocation",
    method: "GET",
    on: "bucket",
    marks: ["location"],
    run: async ({ store, bucket }) => {
      const { region } = await store.bucket(bucket);
      return xmlReply("LocationConstraint", region === "us-east-1" ? "" : region);
    },
  },
  {
    action: "DeleteBucket",
    method: "DELETE",
    on: "bucket",
    run: async ({ store, bucket }) => {
      await store.deleteBucket(bucket);
      return emptyReply(204);
    },
  },
];

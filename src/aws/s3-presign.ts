import type { S3Client } from "@aws-sdk/client-s3";
import { BakeError } from "../base/errors.ts";
import type { Cloud } from "./cloud.ts";
import { explainCloudError } from "./cloud-error.ts";
import { s3Url, type S3Object } from "./s3-url.ts";

export interface Presigned extends S3Object {
  readonly method: "GET" | "PUT";
  /** How long it is valid. */
  readonly seconds: number;
  /** That the bucket is in; the caller's own when absent. */
  readonly region?: string;
}

/** S3 takes no URL that is valid for longer. ("Sharing objects with presigned URLs" in the S3 user guide) */
export const longestUrlSeconds = 7 * 24 * 3600;

/**
 * A URL with which a machine without credentials of its own gets or puts one object. Nothing is asked for it: that the object
 * is there, and that the caller may do this, shows when the URL is used.
 * @throws BakeError `usage` when there are no credentials.
 */
export async function presign(cloud: Cloud, request: Presigned): Promise<string> {
  const { bucket, key, method, seconds } = request;
  const client = await cloud.s3();
  const region = request.region ?? (await cloud.region());
  const { url } = client.config.endpointProvider({
    Bucket: bucket,
    Region: region,
    UseFIPS: await client.config.useFipsEndpoint(),
    UseDualStack: await client.config.useDualstackEndpoint(),
    ...(await ownEndpoint(cloud, client)),
  });
  const path = `${url.pathname.replace(/\/$/, "")}/${key.split("/").map(encoded).join("/")}`;
  try {
    const signer: unknown = await client.config.signer();
    if (!isPresigner(signer)) throw new BakeError("failed", "the AWS SDK's signer does not presign any more");
    const signed = await signer.presign(
      {
        method,
        protocol: url.protocol,
        hostname: url.hostname,
        ...(url.port === "" ? {} : { port: Number(url.port) }),
        path,
        query: {},
        headers: { host: url.host, "x-amz-content-sha256": "UNSIGNED-PAYLOAD" },
      },
      {
        expiresIn: seconds,
        signingRegion: region,
        signingService: "s3",
        // What the client has learned of how far this computer's clock is off.
        signingDate: new Date(Date.now() + client.config.systemClockOffset),
      },
    );
    const query = Object.entries(signed.query ?? {}).map(
      ([name, value]) => `${encoded(name)}=${encoded(String(value))}`,
    );
    return `${url.origin}${path}?${query.join("&")}`;
  } catch (error) {
    throw explainCloudError("s3:Presign", error, s3Url(request));
  }
}

/**
 * For how many seconds a URL that is made now works at most: no longer than the credentials that sign it.
 * @throws BakeError `usage` when there are no credentials.
 */
export async function urlSeconds(cloud: Cloud): Promise<number> {
  const client = await cloud.s3();
  try {
    const { expiration } = await client.config.credentials();
    if (expiration === undefined) return longestUrlSeconds;
    const left = Math.floor((expiration.getTime() - cloud.clock.now()) / 1000);
    return Math.max(1, Math.min(longestUrlSeconds, left));
  } catch (error) {
    throw explainCloudError("s3:Presign", error);
  }
}

/** As signatures have it: letters, digits and `-._~` alone stay as they are. */
function encoded(text: string): string {
  return encodeURIComponent(text).replaceAll(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

interface OwnEndpoint {
  readonly Endpoint?: string;
  readonly ForcePathStyle?: boolean;
}

/** Where machines are told to go, else where the user's settings send this client. */
async function ownEndpoint({ objects }: Cloud, { config }: S3Client): Promise<OwnEndpoint> {
  if (objects !== undefined) return { Endpoint: objects.endpoint, ForcePathStyle: objects.forcePathStyle };
  const set =
    config.endpoint === undefined
      ? (process.env["AWS_ENDPOINT_URL_S3"] ?? process.env["AWS_ENDPOINT_URL"] ?? "")
      : urlOf(await config.endpoint());
  return set === "" ? {} : { Endpoint: set };
}

function urlOf(endpoint: {
  protocol: string;
  hostname: string;
  port?: number | undefined;
  path: string;
}): string {
  const port = endpoint.port === undefined ? "" : `:${endpoint.port}`;
  return `${endpoint.protocol}//${endpoint.hostname}${port}${endpoint.path}`;
}

interface Presigner {
  presign(request: object, options: object): Promise<{ readonly query?: Readonly<Record<string, unknown>> }>;
}

function isPresigner(signer: unknown): signer is Presigner {
  return (
    typeof signer === "object" &&
    signer !== null &&
    "presign" in signer &&
    typeof signer.presign === "function"
  );
}

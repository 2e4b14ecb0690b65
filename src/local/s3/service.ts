import { randomBytes, randomUUID } from "node:crypto";
import { BakeError, messageOf, systemCodeOf } from "../../base/errors.ts";
import type { Reply } from "../api.ts";
import type { Call, Interceptor } from "../cloud.ts";
import { ConnectionLost } from "../faults/call-faults.ts";
import type { Caller } from "../identity/caller.ts";
import type { KeyRing } from "../identity/key-ring.ts";
import { ApiError } from "../protocol/errors.ts";
import { authenticate } from "./authenticate.ts";
import { Body } from "./body.ts";
import { copySourceIn } from "./copy.ts";
import { asS3Error, S3Error } from "./errors.ts";
import { checkBucketName } from "./names.ts";
import { operationFor } from "./operations.ts";
import type { Operation, S3Call } from "./operation.ts";
import { targetOf, type S3Request, type S3Response } from "./request.ts";
import { ObjectStore } from "./store.ts";
import { checkOwner } from "./writing.ts";
import { s3Document } from "./xml.ts";

export interface ObjectServiceOptions {
  /** The cloud's; objects are kept in `objects` within. */
  readonly directory: string;
  /** With what requests may be signed. */
  readonly keys: KeyRing;
  readonly intercept: Interceptor;
  /** The cloud's clock, in milliseconds since the epoch. */
  readonly now: () => number;
}

/** An S3-compatible object store on this computer. */
export class ObjectService {
  readonly #store: ObjectStore;
  readonly #keys: KeyRing;
  readonly #intercept: Interceptor;
  readonly #now: () => number;

  constructor({ directory, keys, intercept, now }: ObjectServiceOptions) {
    this.#store = new ObjectStore(directory);
    this.#keys = keys;
    this.#intercept = intercept;
    this.#now = now;
  }

  /**
   * Answers one request.
   * @throws BakeError for what is no matter of the API, such as a damaged file
   * @throws ConnectionLost when there is no answer because the fault plan says so
   */
  async handle(request: S3Request): Promise<S3Response> {
    const requestId = randomBytes(8).toString("hex").toUpperCase();
    const reply = await this.#answer(request, requestId);
    const { "content-type": type, ...headers } = reply.headers;
    const hasNoContent = request.method === "HEAD" || reply.status === 204 || reply.status === 304;
    return {
      ...reply,
      headers: {
        ...headers,
        // What a HEAD has no content of is an error's, or the object's own type.
        ...(type === undefined || (reply.status >= 400 && request.method === "HEAD")
          ? {}
          : { "content-type": type }),
        "x-amz-request-id": requestId,
        "x-amz-id-2": hostId,
        server: "AmazonS3",
      },
      body: hasNoContent ? "" : reply.body,
    };
  }

  async #answer(request: S3Request, requestId: string): Promise<S3Response> {
    try {
      const { operation, call, caller, region } = await this.#read(request);
      const asked = { service: "s3", action: operation.action, caller, region, query: questionOf(call) };
      return await this.#intercepted(asked, async () => await operation.run(call), {
        request,
        requestId,
      });
    } catch (error) {
      if (error instanceof ApiError) return failure(asS3Error(error), request, requestId);
      if (error instanceof BakeError || error instanceof ConnectionLost) throw error;
      if (systemCodeOf(error) === "ENOSPC") return failure(diskFull(), request, requestId);
      throw new BakeError("failed", `the local cloud failed: ${messageOf(error)}`, { cause: error });
    }
  }

  /** What a request asks for. @throws S3Error */
  async #read(request: S3Request): Promise<{
    readonly operation: Operation;
    readonly call: S3Call;
    readonly caller: Caller;
    readonly region: string;
  }> {
    const now = this.#now;
    const authenticated = await authenticate(request, { now, system: Date.now }, this.#keys);
    const target = targetOf(request);
    const { caller, region, headers } = authenticated;
    const query = new Map(authenticated.query);
    if (target.bucket !== undefined) checkBucketName(target.bucket);
    const operation = operationFor(request.method, target, query, headers);
    checkOwner(headers);
    const bucket = target.bucket ?? "";
    const call: S3Call = {
      store: this.#store,
      bucket,
      key: target.key ?? "",
      query,
      headers,
      region,
      now,
      body: new Body(request, authenticated),
      partly: async (action, key, work) => {
        const done: { result?: Awaited<ReturnType<typeof work>> } = {};
        const asked = { service: "s3", action, caller, region, query: { Bucket: bucket, Key: key } };
        await this.#intercept(asked, async () => {
          done.result = await work();
          return replyOf({ status: 204, headers: {}, body: "" }, "");
        });
        if (!("result" in done)) throw new S3Error("InternalError", "The call was not carried out", 500);
        return done.result;
      },
    };
    return { operation, call, caller, region };
  }

  /** Lets interceptors see a call and its reply, which is a stream that they leave alone or give up. */
  async #intercepted(
    asked: Call,
    run: () => Promise<S3Response>,
    { request, requestId }: { readonly request: S3Request; readonly requestId: string },
  ): Promise<S3Response> {
    let own: { readonly response: S3Response; readonly reply: Reply } | undefined;
    let handedOn = false;
    try {
      const reply = await this.#intercept(asked, async () => {
        const response = await run().catch((error: unknown) => {
          if (error instanceof ApiError) return failure(asS3Error(error), request, requestId);
          throw error;
        });
        own = { response, reply: replyOf(response, requestId) };
        return own.reply;
      });
      handedOn = own?.reply === reply;
      if (own !== undefined && handedOn) return own.response;
      return { status: reply.status, headers: { "content-type": reply.contentType }, body: reply.body };
    } finally {
      if (!handedOn && own !== undefined && typeof own.response.body !== "string")
        own.response.body.destroy();
    }
  }
}

/** S3 tells by this which of its hosts answered. */
const hostId = Buffer.from(randomUUID()).toString("base64");

/** What a call is about, for those who decide about it. */
function questionOf({ bucket, key, query, headers }: S3Call): Call["query"] {
  const source = headers["x-amz-copy-source"];
  const from = source === undefined ? undefined : copySourceIn(source);
  return {
    ...(bucket === "" ? {} : { Bucket: bucket }),
    ...(key === "" ? {} : { Key: key }),
    ...(from === undefined ? {} : { CopySource: { Bucket: from.bucket, Key: from.key } }),
    ...Object.fromEntries(
      [
        ["Prefix", query.get("prefix")],
        ["Delimiter", query.get("delimiter")],
        ["MaxKeys", query.get("max-keys")],
      ].flatMap(([name, value]): [string, string][] =>
        name === undefined || value === undefined ? [] : [[name, value]],
      ),
    ),
  };
}

function replyOf({ status, headers, body }: S3Response, requestId: string): Reply {
  return {
    status,
    contentType: headers["content-type"] ?? "",
    body: typeof body === "string" ? body : "",
    requestId,
  };
}

/** The reply that an error becomes. (Amazon S3 API Reference, "REST error responses") */
export function failure(
  { code, message, status, details }: S3Error,
  { path }: Pick<S3Request, "path">,
  requestId: string,
): S3Response {
  return {
    status,
    headers: { "content-type": "application/xml" },
    body: s3Document("Error", {
      Code: code,
      Message: message,
      ...details,
      Resource: path,
      RequestId: requestId,
      HostId: hostId,
    }),
  };
}

/** None that clients try again, as they do after an internal error. */
function diskFull(): S3Error {
  return new S3Error(
    "InsufficientStorage",
    "The disk of this computer is full; make room there, or delete objects",
    507,
  );
}

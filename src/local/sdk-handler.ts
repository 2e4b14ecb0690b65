import type { Readable } from "node:stream";
import { BakeError } from "../base/errors.ts";
import { orInterrupted } from "../base/wait.ts";
import type { LocalCloud } from "./cloud.ts";
import { isForS3, type S3Response } from "./s3/request.ts";

/** What the AWS SDK's clients hand to a request handler, as far as it matters here. */
interface SdkRequest {
  readonly method: string;
  readonly hostname: string;
  readonly path: string;
  readonly query?: Readonly<Record<string, string | readonly string[] | null>>;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

interface SdkOptions {
  readonly abortSignal?: unknown;
}

/** What the clients want back. */
interface SdkResponse {
  readonly statusCode: number;
  readonly reason: string;
  readonly headers: Record<string, string>;
  readonly body: Uint8Array | Readable;
}

export interface SdkRequestHandler {
  readonly metadata: { readonly handlerProtocol: string };
  handle(request: SdkRequest, options?: SdkOptions): Promise<{ response: SdkResponse }>;
  destroy(): void;
  updateHttpClientConfig(): void;
  httpHandlerConfigs(): Record<string, never>;
}

/**
 * What `requestHandler` of an AWS SDK v3 client takes, so that its requests are answered by this cloud in this process.
 * An error that is none of the API's (no QEMU, a damaged state file) reaches the caller as the BakeError it is.
 */
export function requestHandler(cloud: LocalCloud): SdkRequestHandler {
  return {
    metadata: { handlerProtocol: "local" },
    handle: async (request, options = {}) => {
      const { abortSignal } = options;
      const signal = abortSignal instanceof AbortSignal ? abortSignal : undefined;
      const answer = answered(cloud, request, signal);
      const { status, headers, body } =
        signal === undefined ? await answer : await orInterrupted(answer, signal);
      return {
        response: {
          statusCode: status,
          reason: "",
          headers: { ...headers },
          body: typeof body === "string" ? new TextEncoder().encode(body) : body,
        },
      };
    },
    destroy: () => undefined,
    updateHttpClientConfig: () => undefined,
    httpHandlerConfigs: () => ({}),
  };
}

async function answered(
  cloud: LocalCloud,
  request: SdkRequest,
  signal: AbortSignal | undefined,
): Promise<S3Response> {
  const { method, path } = request;
  const query = queryString(request.query ?? {});
  const headers = lowerCaseNames({ host: request.hostname, ...request.headers });
  const head = { method, path, query, headers };
  if (isForS3(head)) {
    const length = lengthOf(request.body);
    const own = length === undefined ? headers : { "content-length": String(length), ...headers };
    return await cloud.objects.handle({ ...head, headers: own, body: bodyPieces(request.body), signal });
  }
  return await cloud.handle({ ...head, body: bodyText(request.body) });
}

function queryString(query: Readonly<Record<string, string | readonly string[] | null>>): string {
  const pairs = Object.entries(query).flatMap(([name, value]) =>
    (typeof value === "string" ? [value] : (value ?? [""])).map((each): [string, string] => [name, each]),
  );
  return new URLSearchParams(pairs).toString();
}

/** What an HTTP client of Node's would say of a body itself. */
function lengthOf(body: unknown): number | undefined {
  if (body === undefined || body === null) return 0;
  if (typeof body === "string") return Buffer.byteLength(body);
  return body instanceof Uint8Array || body instanceof ArrayBuffer ? body.byteLength : undefined;
}

async function* bodyPieces(body: unknown): AsyncGenerator<Uint8Array> {
  const stream = body instanceof Blob ? body.stream() : body;
  if (!isAsyncIterable(stream)) {
    if (stream !== undefined && stream !== null) yield bodyBytes(stream);
    return;
  }
  for await (const piece of stream) yield bodyBytes(piece);
}

function isAsyncIterable(value: unknown): value is AsyncIterable<unknown> {
  return typeof value === "object" && value !== null && Symbol.asyncIterator in value;
}

function bodyBytes(piece: unknown): Uint8Array {
  if (typeof piece === "string") return new TextEncoder().encode(piece);
  if (piece instanceof Uint8Array) return piece;
  if (piece instanceof ArrayBuffer) return new Uint8Array(piece);
  throw new BakeError(
    "failed",
    "the local cloud takes request bodies as text, bytes or streams of them only",
  );
}

function lowerCaseNames(headers: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]): [string, string][] =>
      // The clients leave some undefined, such as the length of a stream that nobody told them.
      value === undefined ? [] : [[name.toLowerCase(), value]],
    ),
  );
}

function bodyText(body: unknown): string {
  if (body === undefined || body === null) return "";
  if (typeof body === "string") return body;
  if (body instanceof Uint8Array) return new TextDecoder().decode(body);
  throw new BakeError("failed", "the local cloud takes request bodies as text or bytes only");
}

import { BakeError } from "../base/errors.ts";
import { orInterrupted } from "../base/wait.ts";
import type { LocalCloud } from "./cloud.ts";

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

/** What the clients want back: they read the body as a stream of bytes. */
interface SdkResponse {
  readonly statusCode: number;
  readonly reason: string;
  readonly headers: Record<string, string>;
  readonly body: Uint8Array;
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
      const answer = cloud.handle({
        method: request.method,
        path: request.path,
        query: queryString(request.query ?? {}),
        headers: lowerCaseNames({ host: request.hostname, ...request.headers }),
        body: bodyText(request.body),
      });
      const { abortSignal } = options;
      const response =
        abortSignal instanceof AbortSignal ? await orInterrupted(answer, abortSignal) : await answer;
      return {
        response: {
          statusCode: response.status,
          reason: "",
          headers: { ...response.headers },
          body: new TextEncoder().encode(response.body),
        },
      };
    },
    destroy: () => undefined,
    updateHttpClientConfig: () => undefined,
    httpHandlerConfigs: () => ({}),
  };
}

function queryString(query: Readonly<Record<string, string | readonly string[] | null>>): string {
  const pairs = Object.entries(query).flatMap(([name, value]) =>
    (typeof value === "string" ? [value] : (value ?? [""])).map((each): [string, string] => [name, each]),
  );
  return new URLSearchParams(pairs).toString();
}

function lowerCaseNames(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
}

function bodyText(body: unknown): string {
  if (body === undefined || body === null) return "";
  if (typeof body === "string") return body;
  if (body instanceof Uint8Array) return new TextDecoder().decode(body);
  throw new BakeError("failed", "the local cloud takes request bodies as text or bytes only");
}

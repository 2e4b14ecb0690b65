import { randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { BakeError, messageOf, systemCodeOf } from "../base/errors.ts";
import type { LocalCloud, LocalResponse } from "./cloud.ts";
import { ConnectionLost } from "./faults/call-faults.ts";
import { xmlDocument } from "./protocol/xml.ts";
import { answerOverHttp, isHostOfObjects, isRequestForS3 } from "./s3/http.ts";

export interface ServeOptions {
  readonly cloud: LocalCloud;
  /** On 127.0.0.1; 0 for any that is free. */
  readonly port: number;
  /** Fires when serving is to end. */
  readonly signal: AbortSignal;
  /** Told once requests are answered. */
  readonly onListening: (url: string) => void;
  /** Told of an error that is none of the API's. */
  readonly onError?: (error: unknown) => void;
}

const host = "127.0.0.1";

/** EC2's requests are small: user data of 16 KiB is the largest thing in one. */
const largestBody = 1024 * 1024;

/**
 * Answers EC2 and S3 clients on a loopback port until the signal fires.
 * @throws BakeError `usage` when the port cannot be had.
 */
export async function serveLocalCloud(options: ServeOptions): Promise<void> {
  const server = createServer((request, response) => {
    if (isRequestForS3(request) && refusal(request, true) === undefined) {
      const { cloud, onError } = options;
      void answerOverHttp(cloud.objects, request, response, onError ?? ((): void => undefined));
      return;
    }
    answer(request, options)
      .catch((error: unknown) => {
        if (error instanceof ConnectionLost) return undefined;
        options.onError?.(error);
        return failure(500, "InternalError", messageOf(error));
      })
      .then(
        (reply) => {
          if (reply === undefined) request.socket.destroy();
          else send(response, reply);
        },
        () => undefined,
      );
  });
  // A large object may take its time.
  server.requestTimeout = 0;
  const port = await listen(server, options.port);
  options.onListening(`http://${host}:${port}`);
  await new Promise<void>((resolve) => {
    const stop = (): void => {
      server.close(() => {
        resolve();
      });
      server.closeAllConnections();
    };
    if (options.signal.aborted) stop();
    else options.signal.addEventListener("abort", stop, { once: true });
  });
}

async function listen(server: Server, port: number): Promise<number> {
  return await new Promise<number>((resolve, reject) => {
    server.once("error", (error) => {
      const busy = systemCodeOf(error) === "EADDRINUSE";
      reject(
        new BakeError(
          "usage",
          busy ? `port ${port} is taken` : `cannot listen on port ${port}: ${error.message}`,
          {
            hint: "choose another with --port, or any free one with --port 0",
          },
        ),
      );
    });
    server.listen(port, host, () => {
      const address = server.address();
      resolve(typeof address === "object" && address !== null ? address.port : port);
    });
  });
}

async function answer(request: IncomingMessage, options: ServeOptions): Promise<LocalResponse> {
  const refused = refusal(request, false);
  if (refused !== undefined) return refused;
  const body = await readBody(request);
  if (body === undefined) return failure(413, "RequestEntityTooLarge", "The request is too large");
  const url = new URL(request.url ?? "/", `http://${host}`);
  return await options.cloud.handle({
    method: request.method ?? "GET",
    path: url.pathname,
    query: url.search.slice(1),
    headers: Object.fromEntries(
      Object.entries(request.headers).map(([key, value]) => [
        key,
        Array.isArray(value) ? value.join(",") : (value ?? ""),
      ]),
    ),
    body,
  });
}

/** A web page may make a browser send requests here, or point a name of its own at this address; neither is a client. */
function refusal(request: IncomingMessage, isForObjects: boolean): LocalResponse | undefined {
  if (request.headers.origin !== undefined)
    return failure(403, "AccessDenied", "Requests from web pages are refused");
  const name = (request.headers.host ?? "").replace(/:\d+$/, "");
  if (name === host || name === "localhost" || (isForObjects && isHostOfObjects(name))) return undefined;
  return failure(403, "AccessDenied", `This is ${host}, not ${name}`);
}

async function readBody(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request) {
    if (!Buffer.isBuffer(chunk)) continue;
    size += chunk.length;
    if (size <= largestBody) chunks.push(chunk);
  }
  return size > largestBody ? undefined : Buffer.concat(chunks).toString("utf8");
}

/** An error in the form that EC2 clients read. */
function failure(status: number, code: string, message: string): LocalResponse {
  return {
    status,
    headers: { "content-type": "text/xml;charset=UTF-8" },
    body: xmlDocument("Response", undefined, {
      Errors: { Error: { Code: code, Message: message } },
      RequestID: randomUUID(),
    }),
  };
}

function send(response: ServerResponse, reply: LocalResponse): void {
  response.writeHead(reply.status, { ...reply.headers, "content-length": Buffer.byteLength(reply.body) });
  response.end(reply.body);
}

import { randomUUID } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { messageOf } from "../base/errors.ts";
import type { LocalCloud, LocalResponse } from "./cloud.ts";
import { failureReply, serviceFor } from "./api.ts";
import { ConnectionLost } from "./faults/call-faults.ts";
import { ApiError } from "./protocol/errors.ts";
import { xmlDocument } from "./protocol/xml.ts";
import { answerOverHttp, isRequestForS3 } from "./s3/http.ts";

/** EC2's requests are small: user data of 16 KiB is the largest thing in one. */
const largestBody = 1024 * 1024;

/**
 * Answers one request over HTTP, for whichever service it is.
 * @param refusal the reply to a request that is not even looked at, or undefined
 * @param onError told of an error that is none of the API's
 */
export async function answerRequest(
  cloud: LocalCloud,
  request: IncomingMessage,
  response: ServerResponse,
  refusal: (isForObjects: boolean) => LocalResponse | undefined,
  onError: (error: unknown) => void,
): Promise<void> {
  if (isRequestForS3(request) && refusal(true) === undefined) {
    await answerOverHttp(cloud.objects, request, response, onError);
    return;
  }
  const reply = refusal(false) ?? (await answer(cloud, request, onError));
  if (reply === undefined) request.socket.destroy();
  else send(response, reply);
}

/** @returns undefined when there is to be no answer */
async function answer(
  cloud: LocalCloud,
  request: IncomingMessage,
  onError: (error: unknown) => void,
): Promise<LocalResponse | undefined> {
  const body = await readBody(request);
  if (body === undefined) return failure(413, "RequestEntityTooLarge", "The request is too large");
  // The host does not matter: it only makes the path a URL.
  const url = new URL(request.url ?? "/", "http://127.0.0.1");
  const asked = {
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
  };
  try {
    return await cloud.handle(asked);
  } catch (error) {
    if (error instanceof ConnectionLost) return undefined;
    onError(error);
    const failed = failureReply(serviceFor(asked), new ApiError("InternalError", messageOf(error), 500));
    return { status: failed.status, headers: { "content-type": failed.contentType }, body: failed.body };
  }
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
export function failure(status: number, code: string, message: string): LocalResponse {
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

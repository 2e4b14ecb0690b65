import { randomUUID } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { pipeline } from "node:stream/promises";
import { messageOf } from "../../base/errors.ts";
import { ConnectionLost } from "../faults/call-faults.ts";
import { S3Error } from "./errors.ts";
import { isForS3, type S3Request, type S3Response } from "./request.ts";
import { failure, type ObjectService } from "./service.ts";

/** Names of loopback beside its own, by which clients name a bucket: `<bucket>.localhost`. */
export function isHostOfObjects(name: string): boolean {
  return name.endsWith(".localhost");
}

/** The head of a request as it is on the wire. */
export function headOf(request: IncomingMessage): Pick<S3Request, "method" | "path" | "query" | "headers"> {
  const url = request.url ?? "/";
  const mark = url.indexOf("?");
  return {
    method: request.method ?? "GET",
    path: mark < 0 ? url : url.slice(0, mark),
    query: mark < 0 ? "" : url.slice(mark + 1),
    headers: Object.fromEntries(
      Object.entries(request.headers).map(([key, value]) => [
        key,
        asText(Array.isArray(value) ? value.join(",") : (value ?? "")),
      ]),
    ),
  };
}

/** Node takes the bytes of headers one by one for characters. */
function asText(header: string): string {
  return Buffer.from(header, "latin1").toString("utf8");
}

function asBytes(header: string): string {
  return Buffer.from(header, "utf8").toString("latin1");
}

export function isRequestForS3(request: IncomingMessage): boolean {
  return isForS3(headOf(request));
}

/**
 * Answers one request over HTTP, bodies as streams both ways.
 * @param onError told of an error that is none of the API's
 */
export async function answerOverHttp(
  objects: ObjectService,
  request: IncomingMessage,
  response: ServerResponse,
  onError: (error: unknown) => void,
): Promise<void> {
  const gone = new AbortController();
  response.once("close", () => {
    gone.abort();
  });
  const head = headOf(request);
  // The stream outlives a reader that has read enough: the connection still has to bring the reply.
  const body = request.iterator({ destroyOnReturn: false });
  const reply = await objects
    .handle({ ...head, body, signal: gone.signal })
    .catch((error: unknown): S3Response | undefined => {
      if (error instanceof ConnectionLost || gone.signal.aborted) return undefined;
      onError(error);
      return failure(new S3Error("InternalError", messageOf(error), 500), head, randomUUID());
    });
  if (reply === undefined) {
    request.socket.destroy();
    return;
  }
  const headers = Object.entries(reply.headers).map(([name, value]): [string, string] => [
    name,
    asBytes(value),
  ]);
  try {
    if (typeof reply.body === "string") {
      const hasContent = head.method !== "HEAD" && reply.status !== 204 && reply.status !== 304;
      const length = hasContent ? { "content-length": String(Buffer.byteLength(reply.body)) } : {};
      response.writeHead(reply.status, { ...Object.fromEntries(headers), ...length });
      response.end(reply.body);
    } else {
      response.writeHead(reply.status, Object.fromEntries(headers));
      await pipeline(reply.body, response);
    }
  } catch {
    // The client has gone: there is nobody to tell.
    response.destroy();
  }
  // What a refused request still sends has to be taken off the connection before its next one.
  request.resume();
}

import { createServer, type IncomingMessage, type Server } from "node:http";
import { BakeError, systemCodeOf } from "../base/errors.ts";
import type { LocalCloud, LocalResponse } from "./cloud.ts";
import { answerRequest, failure } from "./http.ts";
import { isHostOfObjects } from "./s3/http.ts";

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

/**
 * Answers EC2 and S3 clients on a loopback port until the signal fires.
 * @throws BakeError `usage` when the port cannot be had.
 */
export async function serveLocalCloud(options: ServeOptions): Promise<void> {
  const { cloud, onError = (): void => undefined } = options;
  const server = createServer((request, response) => {
    const refused = (isForObjects: boolean): LocalResponse | undefined => refusal(request, isForObjects);
    void answerRequest(cloud, request, response, refused, onError);
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

/** A web page may make a browser send requests here, or point a name of its own at this address; neither is a client. */
function refusal(request: IncomingMessage, isForObjects: boolean): LocalResponse | undefined {
  if (request.headers.origin !== undefined)
    return failure(403, "AccessDenied", "Requests from web pages are refused");
  const name = (request.headers.host ?? "").replace(/:\d+$/, "");
  if (name === host || name === "localhost" || (isForObjects && isHostOfObjects(name))) return undefined;
  return failure(403, "AccessDenied", `This is ${host}, not ${name}`);
}

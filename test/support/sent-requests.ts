import type { CloudOptions } from "../../src/aws/cloud.ts";
import type { LocalCloud } from "../../src/local/cloud.ts";
import { clientOptions } from "./local-cloud.ts";

/** A way to a local cloud that keeps what is sent to it. */
export interface Recorder {
  readonly options: CloudOptions;
  /** The parameters of every request of an action, in the order of the requests. */
  readonly sent: (action: string) => readonly Readonly<Record<string, string>>[];
}

/** What every client of a local cloud can be made with, and what they send. */
export function recorderOf(cloud: LocalCloud): Recorder {
  const all: URLSearchParams[] = [];
  const options = clientOptions(cloud);
  const handler = options.requestHandler;
  return {
    options: {
      ...options,
      requestHandler: {
        ...handler,
        handle: async (
          request: Parameters<typeof handler.handle>[0],
          rest?: Parameters<typeof handler.handle>[1],
        ) => {
          if (typeof request.body === "string") all.push(new URLSearchParams(request.body));
          return await handler.handle(request, rest);
        },
      },
    },
    sent: (action) =>
      all
        .filter((parameters) => parameters.get("Action") === action)
        .map((parameters) => Object.fromEntries(parameters)),
  };
}

import type { CloudOptions } from "../../src/aws/cloud.ts";

/** An answer to one request; `never` is none, even to somebody who gives up. */
export type Answer =
  | {
      readonly status: number;
      readonly body: string;
      readonly headers?: Readonly<Record<string, string>>;
    }
  | "never";

/** An error as EC2 writes it. */
export function xmlError(status: number, code: string, message: string): Exclude<Answer, "never"> {
  const body = `<?xml version="1.0"?><Response><Errors><Error><Code>${code}</Code><Message>${message}</Message></Error></Errors><RequestID>1</RequestID></Response>`;
  return { status, body };
}

/** Answers a client's requests from a script. */
export function scriptedHandler(
  answerTo: (parameters: URLSearchParams) => Answer,
): NonNullable<CloudOptions["requestHandler"]> {
  return {
    metadata: { handlerProtocol: "scripted" },
    handle: async (request: { readonly body?: unknown }) => {
      const answer = answerTo(new URLSearchParams(typeof request.body === "string" ? request.body : ""));
      if (answer === "never") return await new Promise<never>(() => undefined);
      return {
        response: {
          statusCode: answer.status,
          reason: "",
          headers: { "content-type": "text/xml;charset=UTF-8", ...answer.headers },
          body: new TextEncoder().encode(answer.body),
        },
      };
    },
    destroy: () => undefined,
    updateHttpClientConfig: () => undefined,
    httpHandlerConfigs: () => ({}),
  };
}

import type { CloudOptions } from "../../src/aws/cloud.ts";
import { readModel, type Model } from "./api-model.ts";
import { newerMembers } from "./newer-model.ts";
import { readQuery, valueProblems, writeXml } from "./wire-model.ts";

/*
 * Auto Scaling, Run Command and SNS on the wire alone: there is nothing behind them here. Every request and every scripted
 * reply is checked against AWS's model of the API, so that what a test asserts is what AWS would get and could answer.
 */

type Service = "autoscaling" | "ssm" | "sns";

/** One request, as the value that stands in AWS's model. */
export interface WireCall {
  readonly service: Service;
  readonly action: string;
  readonly input: unknown;
}

/** An error as the service says it. */
export interface WireError {
  readonly error: string;
  readonly message: string;
  readonly status?: number;
}

/** What the service says: a value, an error, or nothing because the connection breaks after the request. */
export type WireAnswer = { readonly value: unknown } | WireError | "lost";

type RequestHandler = NonNullable<CloudOptions["requestHandler"]>;

interface Request {
  readonly hostname: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

/** Times on the wire: text in XML, seconds in JSON; in scripts they are seconds. */
const timeMembers = /Time$/;

export interface Wire {
  /** For the clients. */
  readonly handler: RequestHandler;
  /** Every request to these services so far. */
  readonly calls: WireCall[];
  /** Where a request or a reply is not what the model says. */
  readonly problems: string[];
}

/**
 * Answers the clients of these three services from a script, and leaves all others to `otherwise`.
 * @param answerTo may be asked many times; it knows by the calls so far where it is
 */
export function openWire(answerTo: (call: WireCall) => WireAnswer, otherwise?: RequestHandler): Wire {
  const wire: Wire = {
    calls: [],
    problems: [],
    handler: {
      metadata: { handlerProtocol: "scripted" },
      handle: async (request: Request, options?: object) => {
        const call = readCall(request, wire.problems);
        if (call === undefined) {
          if (otherwise === undefined) throw new Error(`nobody answers for ${request.hostname}`);
          return await otherwise.handle(request, options);
        }
        wire.calls.push(call);
        const answer = answerTo(call);
        if (answer === "lost") throw Object.assign(new Error("socket hang up"), { code: "ECONNRESET" });
        return { response: responseTo(call, answer, wire.problems) };
      },
      destroy: () => undefined,
      updateHttpClientConfig: () => undefined,
      httpHandlerConfigs: () => ({}),
    },
  };
  return wire;
}

/** The names of the actions that were called, one after the other. */
export function actionsOf({ calls }: Wire): string[] {
  return calls.map(({ action }) => action);
}

/** What one action was given each time. */
export function inputsOf({ calls }: Wire, action: string): unknown[] {
  return calls.filter((call) => call.action === action).map(({ input }) => input);
}

function readCall({ hostname, headers, body }: Request, problems: string[]): WireCall | undefined {
  const text =
    typeof body === "string" ? body : body instanceof Uint8Array ? Buffer.from(body).toString() : "";
  const target = /^AmazonSSM\.(.+)$/.exec(headers["x-amz-target"] ?? "")?.[1];
  if (target !== undefined) {
    if (target === "GetParameter") return undefined;
    const input: unknown = JSON.parse(text);
    return checked({ service: "ssm", action: target, input }, readModel("ssm"), problems);
  }
  const service = (["autoscaling", "sns"] as const).find((name) => hostname.startsWith(`${name}.`));
  if (service === undefined) return undefined;
  const model = readModel(service);
  const parameters = new Map(new URLSearchParams(text));
  const action = parameters.get("Action") ?? "";
  parameters.delete("Action");
  parameters.delete("Version");
  const shape = model.operations[action]?.input?.shape;
  if (shape === undefined) {
    // An action that is newer than the model: today's SDK knows what it takes.
    const known = newerMembers(`${action}Type`, "input");
    const input = Object.fromEntries(parameters);
    for (const name of parameters.keys()) {
      if (!known.includes(name)) problems.push(`${action}: no parameter ${name}`);
    }
    return { service, action, input };
  }
  const input = readQuery(model, shape, parameters);
  for (const left of parameters.keys()) problems.push(`${action}: no parameter ${left}`);
  return checked({ service, action, input }, model, problems);
}

function checked(call: WireCall, model: Model, problems: string[]): WireCall {
  const shape = model.operations[call.action]?.input?.shape;
  if (shape === undefined) problems.push(`${call.action} is no action of ${call.service}`);
  else problems.push(...valueProblems(model, shape, call.input, "input"));
  return call;
}

function responseTo(call: WireCall, answer: Exclude<WireAnswer, "lost">, problems: string[]) {
  const { service, action } = call;
  const isJson = service === "ssm";
  const headers = { "content-type": isJson ? "application/x-amz-json-1.1" : "text/xml" };
  const encoded = (statusCode: number, body: string) => ({
    statusCode,
    reason: "",
    headers,
    body: new TextEncoder().encode(body),
  });
  if ("error" in answer) {
    const { error, message, status = 400 } = answer;
    return encoded(
      status,
      isJson
        ? JSON.stringify({ __type: error, message })
        : `<ErrorResponse><Error><Type>Sender</Type>${writeXml({ Code: error, Message: message })}</Error></ErrorResponse>`,
    );
  }
  const model = readModel(service);
  const output = model.operations[action]?.output?.shape;
  if (output !== undefined) problems.push(...valueProblems(model, output, answer.value, "output"));
  if (isJson) return encoded(200, JSON.stringify(answer.value));
  const body = writeXml(withTimes(answer.value));
  return encoded(200, `<${action}Response><${action}Result>${body}</${action}Result></${action}Response>`);
}

function withTimes(value: unknown, name = ""): unknown {
  if (Array.isArray(value)) return value.map((item) => withTimes(item));
  if (typeof value === "number" && timeMembers.test(name)) return new Date(value * 1000).toISOString();
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, withTimes(inner, key)]));
}

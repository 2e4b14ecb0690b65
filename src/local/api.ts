import { randomUUID } from "node:crypto";
import { nearest } from "../base/nearest.ts";
import { dryRunSucceeded, type Context } from "./actions/action.ts";
import { ApiError } from "./protocol/errors.ts";
import { parseJson } from "./protocol/json.ts";
import { flag, parseParameters, parseQuery, type QueryNode } from "./protocol/query.ts";
import { ec2, ssm, sts, type Service } from "./services.ts";

/** What a request asks for, as it came. */
export interface Asked {
  readonly service: Service;
  /** Empty when the request names none. */
  readonly action: string;
  /** With `Action` and `Version` where the protocol has them among the parameters. */
  readonly query: Readonly<Record<string, QueryNode>>;
}

interface Wire {
  readonly query: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** `X-Amz-Target` of a request for Systems Manager: the only service here that speaks JSON. */
const jsonTarget = /^AmazonSSM\.(\w+)$/;

/**
 * The service that a request is for: all of them share one endpoint here, and tell themselves apart by protocol and
 * version.
 */
export function serviceFor({ headers, query, body }: Wire): Service {
  if (headers["x-amz-target"] !== undefined) return ssm;
  return new RegExp(`(?:^|&)Version=${sts.version}(?:&|$)`).test(`${query}&${body}`) ? sts : ec2;
}

/** Reads a request. @throws ApiError when it is malformed */
export function readRequest(wire: Wire): Asked {
  const service = serviceFor(wire);
  if (service === ssm) {
    const action = jsonTarget.exec(wire.headers["x-amz-target"] ?? "")?.[1] ?? "";
    return { service, action, query: parseJson(wire.body) };
  }
  const query = parseQuery([wire.query, wire.body]);
  return { service, action: typeof query["Action"] === "string" ? query["Action"] : "", query };
}

export interface Reply {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
  readonly requestId: string;
}

/** The reply that an error becomes. */
export function failureReply(service: Service, error: ApiError): Reply {
  const requestId = randomUUID();
  const { contentType } = service;
  return { status: error.status, contentType, body: service.failure(error, requestId), requestId };
}

/**
 * Runs the action that a request names.
 * @throws ApiError
 */
export async function runAction(asked: Asked, contextFor: (dryRun: boolean) => Context): Promise<Reply> {
  const { service, action } = asked;
  if (action === "") throw new ApiError("MissingAction", "The request must contain the parameter Action");
  const parameters = parametersOf(asked);
  const found = service.actions.get(action);
  if (found === undefined) {
    const similar = nearest(action, [...service.actions.keys()]);
    const hint = similar === undefined ? "" : `; the nearest that it does is ${similar}`;
    throw new ApiError("InvalidAction", `The action ${action} is not implemented by the local cloud${hint}`);
  }
  const { DryRun, ...rest } = parameters;
  const dryRun = service.dryRuns && DryRun !== undefined && parseParameters(flag, DryRun);
  const content = await found.run(service.dryRuns ? rest : parameters, contextFor(dryRun));
  if (dryRun) throw dryRunSucceeded();
  const requestId = randomUUID();
  const { contentType } = service;
  return { status: 200, contentType, body: service.success(action, content, requestId), requestId };
}

function parametersOf({ service, query }: Asked): Readonly<Record<string, QueryNode>> {
  if (service === ssm) return query;
  const version = query["Version"];
  if (version === service.version) {
    return Object.fromEntries(
      Object.entries(query).filter(([name]) => name !== "Action" && name !== "Version"),
    );
  }
  throw new ApiError(
    "InvalidParameterValue",
    `The local cloud speaks version ${service.version} of ${service.name}, not ${typeof version === "string" ? version : "an unnamed one"}`,
  );
}

import { randomUUID } from "node:crypto";
import { nearest } from "../base/nearest.ts";
import type { Action, Context } from "./actions/action.ts";
import { createImage } from "./actions/create-image.ts";
import { describeInstanceActions } from "./actions/describe-instances.ts";
import { modifyInstanceActions } from "./actions/modify-instance.ts";
import { networkActions } from "./actions/describe-network.ts";
import { identityActions } from "./actions/identity.ts";
import { imageActions } from "./actions/images.ts";
import { instanceTypeActions } from "./actions/instance-types.ts";
import { instanceActions } from "./actions/instances.ts";
import { keyPairActions } from "./actions/key-pairs.ts";
import { runInstances } from "./actions/run-instances.ts";
import { securityGroupActions } from "./actions/security-groups.ts";
import { snapshotActions } from "./actions/snapshots.ts";
import { tagActions } from "./actions/tags.ts";
import { volumeActions } from "./actions/volumes.ts";
import { ApiError } from "./protocol/errors.ts";
import type { QueryNode } from "./protocol/query.ts";
import { xmlDocument, type XmlObject } from "./protocol/xml.ts";

/** One service of AWS with the actions that the local cloud has of it. */
export interface Service {
  readonly name: "ec2" | "sts";
  readonly version: string;
  readonly actions: ReadonlyMap<string, Action>;
  readonly success: (action: string, content: XmlObject, requestId: string) => string;
  readonly failure: (error: ApiError, requestId: string) => string;
}

const ec2: Service = {
  name: "ec2",
  version: "2016-11-15",
  actions: table([
    runInstances,
    createImage,
    ...instanceActions,
    ...describeInstanceActions,
    ...imageActions,
    ...tagActions,
    ...keyPairActions,
    ...securityGroupActions,
    ...networkActions,
    ...instanceTypeActions,
    ...snapshotActions,
    ...volumeActions,
    ...modifyInstanceActions,
  ]),
  success: (action, content, requestId) =>
    xmlDocument(`${action}Response`, "http://ec2.amazonaws.com/doc/2016-11-15/", { requestId, ...content }),
  failure: ({ code, message }, requestId) =>
    xmlDocument("Response", undefined, {
      Errors: { Error: { Code: code, Message: message } },
      RequestID: requestId,
    }),
};

const sts: Service = {
  name: "sts",
  version: "2011-06-15",
  actions: table(identityActions),
  success: (action, content, requestId) =>
    xmlDocument(`${action}Response`, "https://sts.amazonaws.com/doc/2011-06-15/", {
      [`${action}Result`]: content,
      ResponseMetadata: { RequestId: requestId },
    }),
  failure: ({ code, message }, requestId) =>
    xmlDocument("ErrorResponse", "https://sts.amazonaws.com/doc/2011-06-15/", {
      Error: { Type: "Sender", Code: code, Message: message },
      RequestId: requestId,
    }),
};

function table(actions: readonly Action[]): ReadonlyMap<string, Action> {
  return new Map(actions.map((action) => [action.name, action]));
}

/** The service that a request is for, by its version parameter: all services share one endpoint here. */
export function serviceFor(query: Readonly<Record<string, QueryNode>>): Service {
  return query["Version"] === sts.version ? sts : ec2;
}

export interface Reply {
  readonly status: number;
  readonly body: string;
  readonly requestId: string;
}

/** The reply that an error becomes. */
export function failureReply(service: Service, error: ApiError): Reply {
  const requestId = randomUUID();
  return { status: error.status, body: service.failure(error, requestId), requestId };
}

/**
 * Runs the action that a request names.
 * @throws ApiError
 */
export async function runAction(
  service: Service,
  query: Readonly<Record<string, QueryNode>>,
  contextFor: (dryRun: boolean) => Context,
): Promise<Reply> {
  const { Action: name, Version: version, ...parameters } = query;
  if (typeof name !== "string") {
    throw new ApiError("MissingAction", "The request must contain the parameter Action");
  }
  if (version !== service.version) {
    throw new ApiError(
      "InvalidParameterValue",
      `The local cloud speaks version ${service.version} of ${service.name}, not ${typeof version === "string" ? version : "an unnamed one"}`,
    );
  }
  const found = service.actions.get(name);
  if (found === undefined) {
    const similar = nearest(name, [...service.actions.keys()]);
    const hint = similar === undefined ? "" : `; the nearest that it does is ${similar}`;
    throw new ApiError("InvalidAction", `The action ${name} is not implemented by the local cloud${hint}`);
  }
  const content = await found.run(parameters, contextFor);
  const requestId = randomUUID();
  return { status: 200, body: service.success(name, content, requestId), requestId };
}

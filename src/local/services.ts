import type { Action } from "./actions/action.ts";
import { addressActions } from "./actions/addresses.ts";
import { createImage } from "./actions/create-image.ts";
import { describeInstanceActions } from "./actions/describe-instances.ts";
import { networkActions } from "./actions/describe-network.ts";
import { identityActions } from "./actions/identity.ts";
import { imageActions } from "./actions/images.ts";
import { instanceTypeActions } from "./actions/instance-types.ts";
import { instanceActions } from "./actions/instances.ts";
import { keyPairActions } from "./actions/key-pairs.ts";
import { launchTemplateActions } from "./actions/launch-templates.ts";
import { modifyInstanceActions } from "./actions/modify-instance.ts";
import { parameterActions } from "./actions/parameters.ts";
import { placementGroupActions } from "./actions/placement-groups.ts";
import { runInstances } from "./actions/run-instances.ts";
import { securityGroupActions } from "./actions/security-groups.ts";
import { snapshotActions } from "./actions/snapshots.ts";
import { spotRequestActions } from "./actions/spot-requests.ts";
import { tagActions } from "./actions/tags.ts";
import { templateVersionActions } from "./actions/template-versions.ts";
import { volumeActions } from "./actions/volumes.ts";
import type { ApiError } from "./protocol/errors.ts";
import { jsonText } from "./protocol/json.ts";
import { xmlDocument, type XmlObject } from "./protocol/xml.ts";

/** One service of AWS with the actions that the local cloud has of it, and how it speaks. */
export interface Service {
  readonly name: "ec2" | "sts" | "ssm";
  readonly version: string;
  readonly actions: ReadonlyMap<string, Action>;
  /** Whether its actions take `DryRun`. */
  readonly dryRuns: boolean;
  readonly contentType: string;
  readonly success: (action: string, content: XmlObject, requestId: string) => string;
  readonly failure: (error: ApiError, requestId: string) => string;
}

const xml = "text/xml;charset=UTF-8";

export const ec2: Service = {
  name: "ec2",
  version: "2016-11-15",
  actions: table([
    runInstances,
    createImage,
    ...instanceActions,
    ...describeInstanceActions,
    ...modifyInstanceActions,
    ...imageActions,
    ...snapshotActions,
    ...volumeActions,
    ...tagActions,
    ...keyPairActions,
    ...securityGroupActions,
    ...networkActions,
    ...instanceTypeActions,
    ...launchTemplateActions,
    ...templateVersionActions,
    ...spotRequestActions,
    ...placementGroupActions,
    ...addressActions,
  ]),
  dryRuns: true,
  contentType: xml,
  success: (action, content, requestId) =>
    xmlDocument(`${action}Response`, "http://ec2.amazonaws.com/doc/2016-11-15/", { requestId, ...content }),
  failure: ({ code, message }, requestId) =>
    xmlDocument("Response", undefined, {
      Errors: { Error: { Code: code, Message: message } },
      RequestID: requestId,
    }),
};

/** What other services call the errors that any action here may end with; those are named as EC2 names them. */
const stsCodes: Readonly<Record<string, string>> = {
  RequestLimitExceeded: "Throttling",
  UnauthorizedOperation: "AccessDenied",
  UnknownParameter: "ValidationError",
  InternalError: "InternalFailure",
  Unavailable: "ServiceUnavailable",
};

export const sts: Service = {
  name: "sts",
  version: "2011-06-15",
  actions: table(identityActions),
  dryRuns: false,
  contentType: xml,
  success: (action, content, requestId) =>
    xmlDocument(`${action}Response`, "https://sts.amazonaws.com/doc/2011-06-15/", {
      [`${action}Result`]: content,
      ResponseMetadata: { RequestId: requestId },
    }),
  failure: ({ code, message, status }, requestId) =>
    xmlDocument("ErrorResponse", "https://sts.amazonaws.com/doc/2011-06-15/", {
      Error: {
        Type: status < 500 ? "Sender" : "Receiver",
        Code: stsCodes[code] ?? code,
        Message: message,
      },
      RequestId: requestId,
    }),
};

const ssmCodes: Readonly<Record<string, string>> = {
  RequestLimitExceeded: "ThrottlingException",
  UnauthorizedOperation: "AccessDeniedException",
  InvalidAction: "UnknownOperationException",
  InternalError: "InternalServerError",
  Unavailable: "ServiceUnavailable",
  UnknownParameter: "ValidationException",
  MissingParameter: "ValidationException",
  InvalidParameterValue: "ValidationException",
  InvalidParameterCombination: "ValidationException",
};

export const ssm: Service = {
  name: "ssm",
  version: "2014-11-06",
  actions: table(parameterActions),
  dryRuns: false,
  contentType: "application/x-amz-json-1.1",
  success: (_, content) => jsonText(content),
  failure: ({ code, message }) => jsonText({ __type: ssmCodes[code] ?? code, message }),
};

/** All that one endpoint answers for. */
export const services: readonly Service[] = [ec2, sts, ssm];

function table(actions: readonly Action[]): ReadonlyMap<string, Action> {
  return new Map(actions.map((action) => [action.name, action]));
}

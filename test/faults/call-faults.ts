import type { Interceptor } from "../../src/local/cloud.ts";
import type { Reply } from "../../src/local/api.ts";
import { ConnectionLost } from "../../src/local/faults/call-faults.ts";
import { ApiError } from "../../src/local/protocol/errors.ts";

/** A call of a bake: the how manieth of its action, from 1. */
export interface CallName {
  readonly action: string;
  readonly number: number;
}

export const faults = [
  "throttled twice",
  "answer lost",
  "5xx once",
  "not found",
  "not shown",
  "denied",
  "interrupted",
] as const;
export type Fault = (typeof faults)[number];

/** What EC2 says when it does not know yet what a call names. The ids in a listing's filters are never "not found". */
const notFound: Readonly<Record<string, string>> = {
  AuthorizeSecurityGroupIngress: "InvalidGroup.NotFound",
  CreateImage: "InvalidInstanceID.NotFound",
  CreateSecurityGroup: "InvalidVpcID.NotFound",
  DeleteKeyPair: "InvalidKeyPair.NotFound",
  DeleteSecurityGroup: "InvalidGroup.NotFound",
  DeleteSnapshot: "InvalidSnapshot.NotFound",
  DeleteTags: "InvalidAMIID.NotFound",
  DeregisterImage: "InvalidAMIID.NotFound",
  DescribeImages: "InvalidAMIID.NotFound",
  DescribeInstances: "InvalidInstanceID.NotFound",
  DescribeKeyPairs: "InvalidKeyPair.NotFound",
  DescribeSecurityGroups: "InvalidGroup.NotFound",
  DescribeSnapshots: "InvalidSnapshot.NotFound",
  DescribeSubnets: "InvalidSubnetID.NotFound",
  DescribeVpcs: "InvalidVpcID.NotFound",
  ModifyImageAttribute: "InvalidAMIID.NotFound",
  ModifyInstanceAttribute: "InvalidInstanceID.NotFound",
  RunInstances: "InvalidGroup.NotFound",
  StopInstances: "InvalidInstanceID.NotFound",
  TerminateInstances: "InvalidInstanceID.NotFound",
};

/** Whether the fault can befall the call: a listing leaves out what is not known yet, and some calls name nothing. */
export function canHave(action: string, fault: Fault): boolean {
  if (fault === "not shown") return action.startsWith("Describe");
  return fault !== "not found" || notFound[action] !== undefined;
}

/** How many further calls of the action the fault befalls: who is denied stays denied. */
const lasts: Readonly<Record<Fault, number>> = {
  "throttled twice": 1,
  "answer lost": 0,
  "5xx once": 0,
  "not found": 1,
  "not shown": 1,
  denied: Infinity,
  interrupted: 0,
};

/** A fault at its place in a bake. */
export interface PlacedFault {
  readonly intercept: Interceptor;
  /** Fires for an interruption. */
  readonly signal: AbortSignal;
  /** How often the fault struck so far. */
  readonly strikes: () => number;
}

/** Does the fault to the call. */
export function faultAt(target: CallName, fault: Fault): PlacedFault {
  const controller = new AbortController();
  let seen = 0;
  let strikes = 0;
  return {
    strikes: () => strikes,
    signal: controller.signal,
    intercept: async ({ action }, carryOut) => {
      if (action !== target.action) return await carryOut();
      seen += 1;
      if (seen < target.number || seen > target.number + lasts[fault]) return await carryOut();
      strikes += 1;
      if (fault === "interrupted") controller.abort();
      return await strike(fault, action, carryOut);
    },
  };
}

async function strike(fault: Fault, action: string, carryOut: () => Promise<Reply>): Promise<Reply> {
  switch (fault) {
    case "throttled twice":
      throw new ApiError("RequestLimitExceeded", "Request limit exceeded.", 503);
    case "answer lost":
      await carryOut();
      throw new ConnectionLost(action);
    case "5xx once":
      throw new ApiError("InternalError", "An internal error has occurred", 500);
    case "not found":
      throw new ApiError(notFound[action] ?? "InvalidID", "It does not exist");
    case "not shown": {
      const reply = await carryOut();
      return { ...reply, body: reply.body.replace(/<(\w+(?:Set|Info))>.*<\/\1>/s, "<$1/>") };
    }
    case "denied":
      throw new ApiError("UnauthorizedOperation", "You are not authorized to perform this operation.", 403);
    case "interrupted":
      return await carryOut();
  }
}

import { callerArn } from "../actions/identity.ts";
import type { Interceptor } from "../cloud.ts";
import { Store } from "../state/store.ts";
import { authorize } from "./authorize.ts";
import type { PolicyDocument } from "./document.ts";

const readsObject = new Set(["GetObject", "HeadObject"]);

/** Lets those calls through that a policy allows. Parameters are not looked at yet: EC2 asks who may, then what for. */
export function policyInterceptor(policy: PolicyDocument, directory: string): Interceptor {
  const store = new Store(directory);
  return async (call, carryOut) => {
    const allow = async (action: string): Promise<void> => {
      authorize(policy, { ...call, action, caller: callerArn() }, await store.read());
    };
    await allow(call.action);
    const reply = await carryOut();
    // Who may not list a bucket is not told which objects it does not have. (Amazon S3 API Reference, "GetObject")
    if (readsObject.has(call.action) && reply.body.includes("<Code>NoSuchKey</Code>"))
      await allow("HeadBucket");
    return reply;
  };
}

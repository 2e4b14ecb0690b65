import type { Interceptor } from "../cloud.ts";
import { Store } from "../state/store.ts";
import { authorize } from "./authorize.ts";
import type { PolicyDocument } from "./document.ts";
import { rolePolicy } from "./role-policy.ts";

const readsObject = new Set(["GetObject", "HeadObject"]);

/**
 * Lets those calls through that a policy allows: of a role, its own. Parameters are not looked at yet: EC2 asks who may, then
 * what for.
 * @param policy the user's, who may do everything without one
 * @param directory the cloud's
 */
export function policyInterceptor(policy: PolicyDocument | undefined, directory: string): Interceptor {
  const store = new Store(directory);
  return async (call, carryOut) => {
    const { role } = call.caller;
    const effective = role === undefined ? policy : await rolePolicy(directory, role);
    if (effective === undefined) return await carryOut();
    const allow = async (action: string): Promise<void> => {
      authorize(effective, { ...call, action }, await store.read());
    };
    await allow(call.action);
    const reply = await carryOut();
    // Who may not list a bucket is not told which objects it does not have. (Amazon S3 API Reference, "GetObject")
    if (readsObject.has(call.action) && reply.body.includes("<Code>NoSuchKey</Code>"))
      await allow("HeadBucket");
    return reply;
  };
}

import { callerArn } from "../actions/identity.ts";
import type { Interceptor } from "../cloud.ts";
import { Store } from "../state/store.ts";
import { authorize } from "./authorize.ts";
import type { PolicyDocument } from "./document.ts";

/** Lets those calls through that a policy allows. Parameters are not looked at yet: EC2 asks who may, then what for. */
export function policyInterceptor(policy: PolicyDocument, directory: string): Interceptor {
  const store = new Store(directory);
  return async (call, carryOut) => {
    authorize(policy, { ...call, caller: callerArn() }, await store.read());
    return await carryOut();
  };
}

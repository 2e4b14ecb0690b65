import { userInfo } from "node:os";
import { z } from "zod";
import { accountId } from "../state/schema.ts";
import { action } from "./action.ts";

/** Who calls: there is one identity, named after the user of this computer. */
export function callerArn(): string {
  return `arn:aws:iam::${accountId}:user/${userInfo().username}`;
}

export const identityActions = [
  action("GetCallerIdentity", z.strictObject({}), async () => {
    const { uid } = userInfo();
    return Promise.resolve({ Arn: callerArn(), UserId: `LOCAL${uid}`, Account: accountId });
  }),
];

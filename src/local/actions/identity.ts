import { z } from "zod";
import { accountId } from "../state/schema.ts";
import { action } from "./action.ts";

export const identityActions = [
  action("GetCallerIdentity", z.strictObject({}), async ({ caller }) =>
    Promise.resolve({ Arn: caller.arn, UserId: caller.userId, Account: accountId }),
  ),
];

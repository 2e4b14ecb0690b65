import { userInfo } from "node:os";
import { z } from "zod";
import { accountId } from "../state/schema.ts";
import { action } from "./action.ts";

export const identityActions = [
  action("GetCallerIdentity", z.strictObject({}), async () => {
    const { username, uid } = userInfo();
    return Promise.resolve({
      Arn: `arn:aws:iam::${accountId}:user/${username}`,
      UserId: `LOCAL${uid}`,
      Account: accountId,
    });
  }),
];

import { userInfo } from "node:os";
import { accountId } from "../state/schema.ts";
import { roleId, type RoleSession } from "./role-credentials.ts";

/** Who makes a call. */
export interface Caller {
  /** As STS and refusals tell it. */
  readonly arn: string;
  readonly userId: string;
  /** The `aws:PrincipalArn` of policies. */
  readonly principalArn: string;
  /** Of a user, and of nobody else. */
  readonly userName?: string;
  /** The role that a machine has by its instance profile. */
  readonly role?: string;
}

/** Whoever has no role: one identity, named after the user of this computer. */
export function userCaller(): Caller {
  const { uid, username } = userInfo();
  const arn = `arn:aws:iam::${accountId}:user/${username}`;
  return { arn, userId: `LOCAL${uid}`, principalArn: arn, userName: username };
}

/** A machine by its role. (IAM User Guide, "IAM identifiers": the session of a role is named after the instance) */
export function machineCaller({ role, instanceId }: RoleSession): Caller {
  return {
    arn: `arn:aws:sts::${accountId}:assumed-role/${role}/${instanceId}`,
    userId: `${roleId(role)}:${instanceId}`,
    principalArn: `arn:aws:iam::${accountId}:role/${role}`,
    role,
  };
}

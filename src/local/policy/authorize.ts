import type { Caller } from "../identity/caller.ts";
import { ApiError } from "../protocol/errors.ts";
import { accountId, type State } from "../state/schema.ts";
import type { PolicyDocument } from "./document.ts";
import { evaluate, type Decision, type Question } from "./evaluate.ts";
import { questionsOf, type Asked } from "./requirements.ts";
import { Subjects } from "./subjects.ts";

/** One call of the API, and who makes it. */
export interface AuthorizedCall extends Omit<Asked, "subjects"> {
  readonly caller: Caller;
}

/**
 * Checks that a policy allows all that a call needs. Nothing else is looked at: there is one identity, one policy and no
 * other policies (of resources, organisations, boundaries) here.
 * @param state the cloud as it is, for the tags of what the call names
 * @throws ApiError `UnauthorizedOperation` (EC2), `AccessDenied` (STS, S3) or `AccessDeniedException` (SSM) for the first thing
 *   that is not allowed, worded as AWS does
 */
export function authorize(policy: PolicyDocument, call: AuthorizedCall, state: State): void {
  const { caller, region } = call;
  const known = new Map([
    ["aws:principalarn", caller.principalArn],
    ["aws:principalaccount", accountId],
    ["aws:userid", caller.userId],
    ...(caller.userName === undefined ? [] : [["aws:username", caller.userName] as const]),
  ]);
  const questions = questionsOf({ ...call, subjects: new Subjects(state, region) }, known);
  for (const question of questions ?? []) {
    const decision = evaluate(policy, question, known);
    if (decision !== "allowed") throw denial(call, question, decision);
  }
}

function denial(call: AuthorizedCall, question: Question, decision: Decision): ApiError {
  const { action, resource } = question;
  const named = call.service === "s3" ? `"${resource}"` : resource;
  const what = resource === "*" ? action : `${action} on resource: ${named}`;
  const why =
    decision === "explicitly denied"
      ? "with an explicit deny in an identity-based policy"
      : `because no identity-based policy allows the ${action} action`;
  const text = `User: ${call.caller.arn} is not authorized to perform: ${what} ${why}`;
  switch (call.service) {
    case "ssm":
      return new ApiError("AccessDeniedException", text);
    case "sts":
    case "s3":
      return new ApiError("AccessDenied", text, 403);
    default:
      return new ApiError(
        "UnauthorizedOperation",
        `You are not authorized to perform this operation. ${text}. Encoded authorization failure message: ${encoded(call, question, decision)}`,
        403,
      );
  }
}

/** EC2 lets those who may decode this see what it looked at; here it is base64 of the same JSON. */
function encoded({ caller }: AuthorizedCall, question: Question, decision: Decision): string {
  const items = [...question.keys].map(([key, values]) => ({
    key,
    values: { items: values.map((value) => ({ value })) },
  }));
  return Buffer.from(
    JSON.stringify({
      allowed: false,
      explicitDeny: decision === "explicitly denied",
      context: {
        principal: { arn: caller.arn },
        action: question.action,
        resource: question.resource,
        conditions: { items },
      },
    }),
  ).toString("base64url");
}

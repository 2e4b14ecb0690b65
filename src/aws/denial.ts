/** What a refusal of IAM says. */
export interface Denial {
  /** The action that was called, with its service: `ec2:RunInstances`. */
  readonly asked: string;
  /** The action that is not allowed; it may be another one that the call needs, such as `iam:PassRole`. */
  readonly action: string;
  /** The ARN that it was refused for, when IAM tells. */
  readonly resource: string | undefined;
  /** Whether a statement denies it, so that allowing it does not help. */
  readonly explicit: boolean;
  /** IAM's words, without the encoded part. */
  readonly message: string;
}

/**
 * Reads a refusal. EC2 says who may not do what, and then some thousand characters that only
 * `aws sts decode-authorization-message` can read.
 * ("Troubleshoot access denied error messages" in the IAM user guide)
 */
export function denialOf(calledAction: string, text: string): Denial {
  const asked = calledAction.includes(":") ? calledAction : `ec2:${calledAction}`;
  const message = text.replace(/\s*Encoded authorization failure message:.*$/is, "").trim();
  const [, action = asked, resource] =
    /not authorized to perform: ([a-z0-9-]+:\w+)(?: on resource: (\S+))?/i.exec(message) ?? [];
  return { asked, action, resource, explicit: /explicit deny/i.test(message), message };
}

/** The statement that would allow what was refused. */
export function hintForDenial({ action, resource, explicit }: Denial): string {
  if (explicit) {
    return `a policy denies ${action} explicitly, and no other can allow it then; ask whoever manages the account`;
  }
  // A call of EC2 needs many resources, and the next attempt would be refused for the next one.
  const wide = action.startsWith("ec2:") || resource === undefined;
  const statement = { Effect: "Allow", Action: action, Resource: wide ? "*" : resource };
  return `the caller's policy must allow it, for example ${JSON.stringify(statement)}; docs/iam-policy.md has the whole policies`;
}

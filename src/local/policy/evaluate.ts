import type { PolicyDocument, Statement } from "./document.ts";
import { expand, isArnLike, isLike, plainText, type Token, type Variables } from "./template.ts";
import { isResourceTag, operatorNamed, type Operator } from "./vocabulary.ts";

/** What a request tells about itself and about a resource; the names in lower case. */
export type Keys = ReadonlyMap<string, readonly string[]>;

/** One thing that a request needs to be allowed: an action on a resource. A call may need several. */
export interface Question {
  /** Such as `ec2:RunInstances`. */
  readonly action: string;
  /** An ARN, or `*` for an action that is not authorised against a resource. */
  readonly resource: string;
  readonly keys: Keys;
  /**
   * The resource does not exist, so nobody knows its tags: conditions on them do not stop the request, which then fails
   * with the error for what does not exist. Clients under tag-scoped policies rely on that when they delete twice.
   */
  readonly missing?: boolean;
}

export type Decision = "allowed" | "denied" | "explicitly denied";

/**
 * What a policy says to a question: an explicit Deny wins, then an Allow, and what is not allowed is denied.
 * (IAM User Guide, "Policy evaluation logic")
 */
export function evaluate(policy: PolicyDocument, question: Question, variables: Variables): Decision {
  const applies = policy.Statement.filter((statement) => isAbout(statement, question, variables));
  if (applies.some(({ Effect }) => Effect === "Deny")) return "explicitly denied";
  return applies.some(({ Effect }) => Effect === "Allow") ? "allowed" : "denied";
}

function isAbout(statement: Statement, question: Question, variables: Variables): boolean {
  const { Action, NotAction, Resource, NotResource } = statement;
  const isAction = (patterns: readonly string[]): boolean =>
    patterns.some((pattern) => isLike(expand(pattern, variables) ?? [], question.action, false));
  const isResource = (patterns: readonly string[]): boolean =>
    patterns.some((pattern) => matchesResource(pattern, question.resource, variables));
  if (Action === undefined ? isAction(NotAction ?? []) : !isAction(Action)) return false;
  if (Resource === undefined ? isResource(NotResource ?? []) : !isResource(Resource)) return false;
  return Object.entries(statement.Condition).every(([name, keys]) => {
    const operator = operatorNamed(name);
    if (operator === undefined) throw new Error(`the operator ${name} was let through`);
    return Object.entries(keys).every(([key, wanted]) => {
      if (question.missing === true && isResourceTag(key)) return statement.Effect === "Allow";
      return holds(operator, question.keys.get(key.toLowerCase()) ?? [], wanted, variables);
    });
  });
}

function matchesResource(pattern: string, resource: string, variables: Variables): boolean {
  if (pattern === "*") return true;
  const tokens = expand(pattern, variables);
  return tokens !== undefined && resource !== "*" && isArnLike(tokens, resource);
}

/** Whether a condition holds for the values that the request has for its key; none when it does not have the key. */
export function holds(
  operator: Operator,
  values: readonly string[],
  wanted: readonly string[],
  variables: Variables,
): boolean {
  if (operator.comparison === "null") {
    return wanted.some((each) => (each.toLowerCase() === "true") === (values.length === 0));
  }
  const patterns = wanted.map((each) => expand(each, variables)).filter((each) => each !== undefined);
  const matches = (value: string): boolean =>
    patterns.some((pattern) => compare(operator, value, pattern)) !== operator.negated;
  if (values.length === 0) {
    // Of all of no values anything can be said; "any" needs one.
    if (operator.quantifier === "all" || operator.ifExists) return true;
    return operator.quantifier === "single" && operator.negated;
  }
  return operator.quantifier === "any" ? values.some(matches) : values.every(matches);
}

function compare({ comparison, accepts }: Operator, value: string, pattern: readonly Token[]): boolean {
  switch (comparison) {
    case "text":
      return plainText(pattern) === value;
    case "text-any-case":
    case "flag":
      return plainText(pattern).toLowerCase() === value.toLowerCase();
    case "like":
      return isLike(pattern, value);
    case "number":
      return accepts(Number(value) - Number(plainText(pattern)));
    case "arn":
      return isArnLike(pattern, value);
    case "null":
      return false;
  }
}

import { describe, expect, test } from "vitest";
import { parsePolicy } from "../../src/local/policy/document.ts";
import { evaluate, type Decision } from "../../src/local/policy/evaluate.ts";
import { keysOf } from "../../src/local/policy/subjects.ts";

export const arn = "arn:aws:ec2:eu-west-1:000000000000:instance/i-0123456789abcdef0";
export const image = "arn:aws:ec2:eu-west-1::image/ami-0123456789abcdef0";

type Values = Parameters<typeof keysOf>[0];

/** What a policy says to a question. */
export interface Case {
  /** Allows everything where it says nothing. */
  readonly statement: object | readonly object[];
  readonly action?: string;
  readonly resource?: string;
  readonly keys?: Values;
  readonly missing?: boolean;
  readonly decision: Decision;
}

const variables = new Map([
  ["aws:principalarn", "arn:aws:iam::000000000000:user/ann*"],
  ["aws:username", "ann*"],
]);

function decide({
  statement,
  action = "ec2:StopInstances",
  resource = arn,
  keys = {},
  missing,
}: Case): Decision {
  const list = Array.isArray(statement) ? statement : [statement];
  const policy = parsePolicy({
    Version: "2012-10-17",
    Statement: list.map((each: object) => ({ Effect: "Allow", Action: "*", Resource: "*", ...each })),
  });
  const question = { action, resource, keys: keysOf(keys), ...(missing === undefined ? {} : { missing }) };
  return evaluate(policy, question, variables);
}

/** Rows by group, then by name. */
export type Cases = Readonly<Record<string, Readonly<Record<string, Case>>>>;

/** A statement with a condition. */
export const when = (Condition: object): object => ({ Condition });
export const yes = "allowed";
export const no = "denied";

/** One test for each row. */
export function decideAll(cases: Cases): void {
  for (const [group, rows] of Object.entries(cases)) {
    describe(group, () => {
      for (const [name, row] of Object.entries(rows)) {
        test(name, () => {
          expect(decide(row)).toBe(row.decision);
        });
      }
    });
  }
}

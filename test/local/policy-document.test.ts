import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { BakeError } from "../../src/base/errors.ts";
import { parsePolicy, readPolicy } from "../../src/local/policy/document.ts";

const plain = { Effect: "Allow", Action: "ec2:*", Resource: "*" };

function problemsOf(statement: object, document: object = {}): readonly string[] {
  try {
    parsePolicy({ Version: "2012-10-17", Statement: [{ ...plain, ...statement }], ...document });
    return [];
  } catch (error) {
    if (error instanceof BakeError && error.kind === "usage") return error.details;
    throw error;
  }
}

test("one thing and a list of things are the same", () => {
  expect(parsePolicy({ Version: "2012-10-17", Statement: plain })).toEqual({
    Version: "2012-10-17",
    Statement: [{ Effect: "Allow", Action: ["ec2:*"], Resource: ["*"], Condition: {} }],
  });
});

test("values of conditions may be numbers and flags", () => {
  const Condition = { Null: { "aws:TagKeys": false }, NumericEquals: { "ec2:VolumeSize": [8, "9"] } };
  expect(
    parsePolicy({ Version: "2012-10-17", Statement: { ...plain, Condition } }).Statement[0]?.Condition,
  ).toEqual({
    Null: { "aws:TagKeys": ["false"] },
    NumericEquals: { "ec2:VolumeSize": ["8", "9"] },
  });
});

describe("what is not evaluated is refused, with its place", () => {
  const refused: readonly (readonly [string, object, string])[] = [
    ["a principal", { Principal: "*" }, 'Statement[0]: Unrecognized key: "Principal"'],
    ["another effect", { Effect: "allow" }, "Statement[0].Effect: "],
    [
      "an action without a service",
      { Action: "RunInstances" },
      "Statement[0].Action[0]: an action looks like",
    ],
    ["Action and NotAction", { NotAction: "ec2:*" }, "Statement[0]: give either Action or NotAction"],
    ["no resource", { Resource: undefined }, "Statement[0]: give either Resource or NotResource"],
    ["no actions at all", { Action: [] }, "Statement[0].Action: "],
    [
      "a resource that is no ARN",
      { Resource: "instance/*" },
      'Statement[0].Resource[0]: a resource is "*" or an ARN',
    ],
    ["an ARN of five parts", { Resource: "arn:aws:ec2:*:*" }, "Statement[0].Resource[0]: a resource is"],
    [
      "a variable without a value",
      { Resource: "arn:aws:ec2:*:*:instance/${aws:PrincipalTag/x}" },
      "Statement[0].Resource[0]: the policy variable ${aws:PrincipalTag/x} has no value here",
    ],
    ["a Sid with a dash", { Sid: "a-b" }, "Statement[0].Sid: a Sid has letters and digits only"],
    [
      "an unknown operator",
      { Condition: { StringEqual: { "ec2:Region": "r" } } },
      "Statement[0].Condition.StringEqual.ec2:Region: the operator StringEqual is not evaluated here; the nearest is StringEquals",
    ],
    [
      "an operator on dates",
      { Condition: { DateLessThan: { "ec2:Region": "r" } } },
      "the operator DateLessThan is not",
    ],
    [
      "IfExists of Null",
      { Condition: { NullIfExists: { "ec2:Region": "true" } } },
      "the operator NullIfExists is not",
    ],
    [
      "an unknown key",
      { Condition: { StringEquals: { "aws:SourceIp": "1.2.3.4" } } },
      "Statement[0].Condition.StringEquals.aws:SourceIp: the key aws:SourceIp is not known here",
    ],
    [
      "a tag without a name",
      { Condition: { Null: { "aws:RequestTag/": "true" } } },
      "the key aws:RequestTag/ is not known",
    ],
    [
      "many values as one",
      { Condition: { StringEquals: { "aws:TagKeys": "a" } } },
      "say ForAllValues:StringEquals or ForAnyValue:StringEquals",
    ],
    ["an operator without keys", { Condition: { Date: {} } }, "Condition.Date: Date has no key to look at"],
    [
      "a number that is none",
      { Condition: { NumericEquals: { "ec2:VolumeSize": "big" } } },
      '"big" is no number',
    ],
    [
      "a number for a text",
      { Condition: { NumericEquals: { "ec2:Region": "1" } } },
      "NumericEquals is for numbers",
    ],
    [
      "Null of neither",
      { Condition: { Null: { "ec2:Region": "no" } } },
      'Null takes "true" or "false", not "no"',
    ],
    ["an ARN that is none", { Condition: { ArnLike: { "ec2:Vpc": "vpc-*" } } }, '"vpc-*" is no ARN'],
  ];
  for (const [name, statement, problem] of refused) {
    test(name, () => {
      expect(problemsOf(statement).join("\n")).toContain(problem);
    });
  }

  test("an older version", () => {
    expect(problemsOf({}, { Version: "2008-10-17" })).toEqual([
      'Version: only version "2012-10-17" is evaluated',
    ]);
  });

  test("a Sid twice", () => {
    const twice = { ...plain, Sid: "a" };
    expect(problemsOf({}, { Statement: [twice, twice] })).toEqual(["the Sid a is given more than once"]);
  });

  test("all problems at once", () => {
    expect(problemsOf({ Action: "Run", Resource: "x", Sid: "?" })).toHaveLength(3);
  });
});

test("a policy comes from a file", async () => {
  const directory = await mkdtemp(join(tmpdir(), "bake-ami-policy-"));
  try {
    const file = join(directory, "policy.json");
    await writeFile(file, JSON.stringify({ Version: "2012-10-17", Statement: plain }));
    expect((await readPolicy(file)).Statement).toHaveLength(1);
    await writeFile(file, "{");
    await expect(readPolicy(file)).rejects.toMatchObject({ kind: "usage" });
    await writeFile(file, "{}");
    await expect(readPolicy(file)).rejects.toThrow(`the policy ${file} cannot be enforced`);
    await expect(readPolicy(join(directory, "none"))).rejects.toThrow("cannot read the policy");
  } finally {
    await rm(directory, { recursive: true });
  }
});

import { describe, expect, test } from "vitest";
import { parsePolicy } from "../../src/local/policy/document.ts";
import { evaluate, type Decision } from "../../src/local/policy/evaluate.ts";
import { keysOf } from "../../src/local/policy/subjects.ts";

const arn = "arn:aws:ec2:eu-west-1:000000000000:instance/i-0123456789abcdef0";
const image = "arn:aws:ec2:eu-west-1::image/ami-0123456789abcdef0";

type Values = Parameters<typeof keysOf>[0];

interface Case {
  readonly statement: object | readonly object[];
  readonly action?: string;
  readonly resource?: string;
  readonly keys?: Values;
  readonly missing?: boolean;
  readonly decision?: Decision;
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

const when = (Condition: object): object => ({ Condition });
const yes = "allowed";
const no = "denied";

const cases: Readonly<Record<string, Readonly<Record<string, Case>>>> = {
  actions: {
    "by name": { statement: { Action: "ec2:StopInstances" }, decision: yes },
    "in any case": { statement: { Action: "EC2:stopinstances" }, decision: yes },
    "one of several": { statement: { Action: ["ec2:RunInstances", "ec2:Stop*"] }, decision: yes },
    "a wildcard in the middle": { statement: { Action: "ec2:*Instances" }, decision: yes },
    "a question mark is one letter": { statement: { Action: "ec2:StopInstance?" }, decision: yes },
    "not of another service": { statement: { Action: "ssm:*" }, decision: no },
    "not a part of a name": { statement: { Action: "ec2:StopInstance" }, decision: no },
    "NotAction allows the rest": { statement: { Action: undefined, NotAction: "ec2:Run*" }, decision: yes },
    "NotAction does not allow its own": {
      statement: { Action: undefined, NotAction: "ec2:Stop*" },
      decision: no,
    },
  },
  resources: {
    "by ARN": { statement: { Resource: arn }, decision: yes },
    "by type": { statement: { Resource: "arn:aws:ec2:*:*:instance/*" }, decision: yes },
    "not by another type": { statement: { Resource: "arn:aws:ec2:*:*:volume/*" }, decision: no },
    "not of another Region": { statement: { Resource: "arn:aws:ec2:us-*:*:instance/*" }, decision: no },
    "a wildcard stays in its part": { statement: { Resource: "arn:aws:*:*:*:instance/*" }, decision: yes },
    "a wildcard does not reach over a colon": {
      statement: { Resource: "arn:aws:ec2*:000000000000:a:b:*" },
      decision: no,
    },
    "the empty account of an image": {
      statement: { Resource: "arn:aws:ec2:*::image/*" },
      resource: image,
      decision: yes,
    },
    "a wildcard is an empty account as well": {
      statement: { Resource: "arn:aws:ec2:*:*:image/*" },
      resource: image,
      decision: yes,
    },
    "the last part may have colons": {
      statement: { Resource: "arn:aws:ssm:*:*:parameter/a*" },
      resource: "arn:aws:ssm:eu-west-1:000000000000:parameter/a:b",
      decision: yes,
    },
    "an action without resources needs the star": {
      statement: { Resource: "arn:aws:ec2:*:*:*" },
      resource: "*",
      decision: no,
    },
    "and has it": { statement: { Resource: "*" }, resource: "*", decision: yes },
    "NotResource allows the rest": {
      statement: { Resource: undefined, NotResource: "arn:aws:ec2:*::image/*" },
      decision: yes,
    },
    "NotResource does not allow its own": {
      statement: { Resource: undefined, NotResource: "arn:aws:ec2:*:*:instance/*" },
      decision: no,
    },
  },
  effects: {
    "nothing said is denied": { statement: { Action: "ec2:RunInstances" }, decision: no },
    "a Deny wins": { statement: [{}, { Effect: "Deny" }], decision: "explicitly denied" },
    "a Deny of something else does not": {
      statement: [{}, { Effect: "Deny", Action: "ec2:RunInstances" }],
      decision: yes,
    },
    "a Deny whose condition does not hold does not": {
      statement: [
        {},
        { Effect: "Deny", ...when({ StringNotEquals: { "ec2:MetadataHttpTokens": "required" } }) },
      ],
      keys: { "ec2:MetadataHttpTokens": "required" },
      decision: yes,
    },
    "a Deny by a negated operator holds for what is not said": {
      statement: [
        {},
        { Effect: "Deny", ...when({ StringNotEquals: { "ec2:MetadataHttpTokens": "required" } }) },
      ],
      decision: "explicitly denied",
    },
  },
  text: {
    StringEquals: {
      statement: when({ StringEquals: { "ec2:Region": "r" } }),
      keys: { "ec2:Region": "r" },
      decision: yes,
    },
    "the key in any case": {
      statement: when({ StringEquals: { "EC2:region": "r" } }),
      keys: { "ec2:Region": "r" },
      decision: yes,
    },
    "not the value in any case": {
      statement: when({ StringEquals: { "ec2:Region": "R" } }),
      keys: { "ec2:Region": "r" },
      decision: no,
    },
    "unless it is asked for": {
      statement: when({ StringEqualsIgnoreCase: { "ec2:Region": "R" } }),
      keys: { "ec2:Region": "r" },
      decision: yes,
    },
    "any of several values": {
      statement: when({ StringEquals: { "ec2:Region": ["a", "r"] } }),
      keys: { "ec2:Region": "r" },
      decision: yes,
    },
    "StringEquals takes a star as a letter": {
      statement: when({ StringEquals: { "ec2:Region": "*" } }),
      keys: { "ec2:Region": "r" },
      decision: no,
    },
    "StringEquals without the key": {
      statement: when({ StringEquals: { "ec2:Region": "r" } }),
      decision: no,
    },
    "StringEqualsIfExists without the key": {
      statement: when({ StringEqualsIfExists: { "ec2:Region": "r" } }),
      decision: yes,
    },
    "StringEqualsIfExists with another value": {
      statement: when({ StringEqualsIfExists: { "ec2:Region": "r" } }),
      keys: { "ec2:Region": "s" },
      decision: no,
    },
    StringLike: {
      statement: when({ StringLike: { "ec2:InstanceType": ["t?.*", "m5.*"] } }),
      keys: { "ec2:InstanceType": "t3.small" },
      decision: yes,
    },
    "StringLike as a whole": {
      statement: when({ StringLike: { "ec2:InstanceType": "t3" } }),
      keys: { "ec2:InstanceType": "t3.small" },
      decision: no,
    },
    "a dot is a dot": {
      statement: when({ StringLike: { "ec2:InstanceType": "t3.*" } }),
      keys: { "ec2:InstanceType": "t3xsmall" },
      decision: no,
    },
    "StringNotEquals none of them": {
      statement: when({ StringNotEquals: { "ec2:Region": ["a", "b"] } }),
      keys: { "ec2:Region": "c" },
      decision: yes,
    },
    "StringNotEquals one of them": {
      statement: when({ StringNotEquals: { "ec2:Region": ["a", "b"] } }),
      keys: { "ec2:Region": "b" },
      decision: no,
    },
    "StringNotLike without the key": {
      statement: when({ StringNotLike: { "ec2:Region": "a*" } }),
      decision: yes,
    },
    "all keys must hold": {
      statement: when({ StringEquals: { "ec2:Region": "r", "aws:RequestedRegion": "s" } }),
      keys: { "ec2:Region": "r", "aws:RequestedRegion": "r" },
      decision: no,
    },
    "all operators must hold": {
      statement: when({ StringEquals: { "ec2:Region": "r" }, Null: { "aws:RequestedRegion": "true" } }),
      keys: { "ec2:Region": "r", "aws:RequestedRegion": "r" },
      decision: no,
    },
  },
  tags: {
    "a tag of the request": {
      statement: when({ StringEquals: { "aws:RequestTag/team": "a" } }),
      keys: { "aws:RequestTag/team": "a" },
      decision: yes,
    },
    "Null false: the tag is there": {
      statement: when({ Null: { "aws:RequestTag/bake-ami:run": "false" } }),
      keys: { "aws:RequestTag/bake-ami:run": "" },
      decision: yes,
    },
    "Null false without the tag": {
      statement: when({ Null: { "aws:RequestTag/bake-ami:run": "false" } }),
      decision: no,
    },
    "Null true without the tag": {
      statement: when({ Null: { "aws:RequestTag/bake-ami:run": true } }),
      decision: yes,
    },
    "a tag of the resource by its older name": {
      statement: when({ StringEquals: { "ec2:ResourceTag/team": "a" } }),
      keys: { "ec2:ResourceTag/team": "a" },
      decision: yes,
    },
    "every tag key is one of these": {
      statement: when({ "ForAllValues:StringLike": { "aws:TagKeys": ["bake-ami:*", "Name"] } }),
      keys: { "aws:TagKeys": ["bake-ami:run", "Name"] },
      decision: yes,
    },
    "one tag key is none of these": {
      statement: when({ "ForAllValues:StringLike": { "aws:TagKeys": ["bake-ami:*"] } }),
      keys: { "aws:TagKeys": ["bake-ami:run", "Name"] },
      decision: no,
    },
    "ForAllValues of nothing holds": {
      statement: when({ "ForAllValues:StringEquals": { "aws:TagKeys": ["a"] } }),
      decision: yes,
    },
    "ForAnyValue needs one": {
      statement: when({ "ForAnyValue:StringEquals": { "aws:TagKeys": ["a"] } }),
      keys: { "aws:TagKeys": ["b", "a"] },
      decision: yes,
    },
    "ForAnyValue of nothing does not hold": {
      statement: when({ "ForAnyValue:StringEquals": { "aws:TagKeys": ["a"] } }),
      decision: no,
    },
    "ForAllValues negated: none of these": {
      statement: when({ "ForAllValues:StringNotEquals": { "aws:TagKeys": ["a"] } }),
      keys: { "aws:TagKeys": ["b", "a"] },
      decision: no,
    },
    "ForAnyValue negated: one that is none of these": {
      statement: when({ "ForAnyValue:StringNotEquals": { "aws:TagKeys": ["a"] } }),
      keys: { "aws:TagKeys": ["b", "a"] },
      decision: yes,
    },
    "nobody knows the tags of what does not exist": {
      statement: when({ StringEquals: { "aws:ResourceTag/team": "a" } }),
      missing: true,
      decision: yes,
    },
    "nor can they deny it": {
      statement: [{}, { Effect: "Deny", ...when({ Null: { "aws:ResourceTag/team": "true" } }) }],
      missing: true,
      decision: yes,
    },
    "other conditions hold for it all the same": {
      statement: when({ StringEquals: { "aws:ResourceTag/team": "a", "ec2:Region": "r" } }),
      missing: true,
      decision: no,
    },
  },
  "numbers, flags, ARNs": {
    NumericEquals: {
      statement: when({ NumericEquals: { "ec2:VolumeSize": 8 } }),
      keys: { "ec2:VolumeSize": 8 },
      decision: yes,
    },
    NumericLessThanEquals: {
      statement: when({ NumericLessThanEquals: { "ec2:VolumeSize": "100" } }),
      keys: { "ec2:VolumeSize": 100 },
      decision: yes,
    },
    "numbers are no text": {
      statement: when({ NumericLessThan: { "ec2:VolumeSize": "100" } }),
      keys: { "ec2:VolumeSize": 20 },
      decision: yes,
    },
    NumericGreaterThan: {
      statement: when({ NumericGreaterThan: { "ec2:VolumeSize": "100" } }),
      keys: { "ec2:VolumeSize": 100 },
      decision: no,
    },
    "NumericNotEquals without the key": {
      statement: when({ NumericNotEquals: { "ec2:VolumeSize": "1" } }),
      decision: yes,
    },
    Bool: {
      statement: when({ Bool: { "ec2:Encrypted": true } }),
      keys: { "ec2:Encrypted": "true" },
      decision: yes,
    },
    "Bool the other way": {
      statement: when({ Bool: { "ec2:Encrypted": "true" } }),
      keys: { "ec2:Encrypted": false },
      decision: no,
    },
    BoolIfExists: { statement: when({ BoolIfExists: { "ec2:Encrypted": "true" } }), decision: yes },
    ArnLike: {
      statement: when({ ArnLike: { "ec2:Vpc": "arn:aws:ec2:*:*:vpc/vpc-*" } }),
      keys: { "ec2:Vpc": "arn:aws:ec2:r:000000000000:vpc/vpc-1" },
      decision: yes,
    },
    ArnNotEquals: {
      statement: when({ ArnNotEquals: { "ec2:Vpc": "arn:aws:ec2:*:*:vpc/vpc-*" } }),
      keys: { "ec2:Vpc": "arn:aws:ec2:r:000000000000:vpc/vpc-1" },
      decision: no,
    },
  },
  variables: {
    "the caller's ARN": {
      statement: when({ StringEquals: { "aws:ResourceTag/owner": "${aws:PrincipalArn}" } }),
      keys: { "aws:ResourceTag/owner": "arn:aws:iam::000000000000:user/ann*" },
      decision: yes,
    },
    "what comes from a variable is no wildcard": {
      statement: when({ StringLike: { "aws:ResourceTag/owner": "${aws:username}" } }),
      keys: { "aws:ResourceTag/owner": "anna" },
      decision: no,
    },
    "beside a wildcard": {
      statement: when({ StringLike: { "aws:ResourceTag/owner": "*/${aws:username}" } }),
      keys: { "aws:ResourceTag/owner": "user/ann*" },
      decision: yes,
    },
    "in a resource": {
      statement: { Resource: "arn:aws:ssm:*:*:parameter/${aws:username}/*" },
      resource: "arn:aws:ssm:r:000000000000:parameter/ann*/x",
      decision: yes,
    },
    "an escaped star": {
      statement: when({ StringLike: { "aws:ResourceTag/owner": "ann${*}" } }),
      keys: { "aws:ResourceTag/owner": "anna" },
      decision: no,
    },
    "one without a value matches nothing": {
      statement: when({ StringEquals: { "aws:ResourceTag/owner": "${aws:userid}" } }),
      keys: { "aws:ResourceTag/owner": "" },
      decision: no,
    },
  },
};

for (const [group, rows] of Object.entries(cases)) {
  describe(group, () => {
    for (const [name, row] of Object.entries(rows)) {
      test(name, () => {
        expect(decide(row)).toBe(row.decision);
      });
    }
  });
}

import { decideAll, no, when, yes, type Cases } from "../support/policy-cases.ts";

const cases: Cases = {
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

decideAll(cases);

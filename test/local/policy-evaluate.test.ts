import { arn, image, decideAll, no, when, yes, type Cases } from "../support/policy-cases.ts";

const cases: Cases = {
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
};

decideAll(cases);

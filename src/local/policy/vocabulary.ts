/*
 * The operators and keys of conditions that the local cloud evaluates as IAM does. A policy with any other is refused:
 * a condition that is passed over would make a policy look safer, or laxer, than it is.
 * (Service Authorization Reference, "Condition keys for Amazon EC2" and "... Amazon S3"; IAM User Guide, "Condition operators")
 */

export type KeyKind = "text" | "number" | "flag" | "arn" | "list";

/** Keys that end in a slash go on with the key of a tag or the name of an attribute. */
const contextKeys: Readonly<Record<string, KeyKind>> = {
  "aws:PrincipalArn": "arn",
  "aws:PrincipalAccount": "text",
  "aws:userid": "text",
  "aws:username": "text",
  "aws:RequestedRegion": "text",
  "aws:RequestTag/": "text",
  "aws:ResourceTag/": "text",
  "aws:TagKeys": "list",
  "ec2:AllocationId": "text",
  "ec2:AssociatePublicIpAddress": "flag",
  "ec2:AvailabilityZone": "text",
  "ec2:CreateAction": "text",
  "ec2:Domain": "text",
  "ec2:EbsOptimized": "flag",
  "ec2:Encrypted": "flag",
  "ec2:InstanceMarketType": "text",
  "ec2:InstanceProfile": "arn",
  "ec2:InstanceType": "text",
  "ec2:IsLaunchTemplateResource": "flag",
  "ec2:LaunchTemplate": "arn",
  "ec2:MetadataHttpEndpoint": "text",
  "ec2:MetadataHttpPutResponseHopLimit": "number",
  "ec2:MetadataHttpTokens": "text",
  "ec2:Owner": "text",
  "ec2:PlacementGroup": "arn",
  "ec2:PlacementGroupName": "text",
  "ec2:PlacementGroupStrategy": "text",
  "ec2:Public": "flag",
  "ec2:PublicIpAddress": "text",
  "ec2:Region": "text",
  "ec2:ResourceTag/": "text",
  "ec2:Subnet": "arn",
  "ec2:Tenancy": "text",
  "ec2:VolumeInitializationRate": "number",
  "ec2:VolumeIops": "number",
  "ec2:VolumeSize": "number",
  "ec2:VolumeThroughput": "number",
  "ec2:VolumeType": "text",
  "ec2:Vpc": "arn",
  "iam:PassedToService": "text",
  "kms:GrantIsForAWSResource": "flag",
  "kms:ViaService": "text",
  "s3:delimiter": "text",
  "s3:max-keys": "number",
  "s3:prefix": "text",
};

export const keyNames = Object.keys(contextKeys);

/** What a key holds, or undefined for one that is not known. Keys are the same in upper and lower case. */
export function kindOfKey(key: string): KeyKind | undefined {
  const wanted = key.toLowerCase();
  const name = keyNames.find((known) => {
    const lower = known.toLowerCase();
    return lower.endsWith("/") ? wanted.startsWith(lower) && wanted.length > lower.length : wanted === lower;
  });
  return name === undefined ? undefined : contextKeys[name];
}

/** Whether a key tells the tags of a resource that exists already. */
export function isResourceTag(key: string): boolean {
  return /^(?:aws|ec2):resourcetag\//i.test(key);
}

/** The policy variables that have a value here, in lower case. */
export const variableNames = ["aws:PrincipalArn", "aws:PrincipalAccount", "aws:userid", "aws:username"];

export type Comparison = "text" | "text-any-case" | "like" | "number" | "flag" | "arn" | "null";

export interface Operator {
  readonly comparison: Comparison;
  /** For `StringNotEquals` and its kind: holds when no value matches. */
  readonly negated: boolean;
  /** How the values of the request's key are taken together. */
  readonly quantifier: "single" | "all" | "any";
  /** Holds as well when the request does not have the key. */
  readonly ifExists: boolean;
  /** For numbers, which differences match. */
  readonly accepts: (difference: number) => boolean;
}

const equal = (difference: number): boolean => difference === 0;

const operators: Readonly<Record<string, Pick<Operator, "comparison" | "negated" | "accepts">>> = {
  StringEquals: { comparison: "text", negated: false, accepts: equal },
  StringNotEquals: { comparison: "text", negated: true, accepts: equal },
  StringEqualsIgnoreCase: { comparison: "text-any-case", negated: false, accepts: equal },
  StringNotEqualsIgnoreCase: { comparison: "text-any-case", negated: true, accepts: equal },
  StringLike: { comparison: "like", negated: false, accepts: equal },
  StringNotLike: { comparison: "like", negated: true, accepts: equal },
  NumericEquals: { comparison: "number", negated: false, accepts: equal },
  NumericNotEquals: { comparison: "number", negated: true, accepts: equal },
  NumericLessThan: { comparison: "number", negated: false, accepts: (d) => d < 0 },
  NumericLessThanEquals: { comparison: "number", negated: false, accepts: (d) => d <= 0 },
  NumericGreaterThan: { comparison: "number", negated: false, accepts: (d) => d > 0 },
  NumericGreaterThanEquals: { comparison: "number", negated: false, accepts: (d) => d >= 0 },
  Bool: { comparison: "flag", negated: false, accepts: equal },
  ArnEquals: { comparison: "arn", negated: false, accepts: equal },
  ArnLike: { comparison: "arn", negated: false, accepts: equal },
  ArnNotEquals: { comparison: "arn", negated: true, accepts: equal },
  ArnNotLike: { comparison: "arn", negated: true, accepts: equal },
  Null: { comparison: "null", negated: false, accepts: equal },
};

export const operatorNames = Object.keys(operators);

/** An operator by the name that a policy gives it, or undefined for one that is not known. */
export function operatorNamed(name: string): Operator | undefined {
  const [, quantifier, base = "", ifExists] =
    /^(?:(ForAllValues|ForAnyValue):)?([A-Za-z]+?)(IfExists)?$/.exec(name) ?? [];
  const found = Object.hasOwn(operators, base) ? operators[base] : undefined;
  if (found === undefined) return undefined;
  // IAM's grammar has neither of them for Null.
  if (found.comparison === "null" && (quantifier !== undefined || ifExists !== undefined)) return undefined;
  return {
    ...found,
    quantifier: quantifier === undefined ? "single" : quantifier === "ForAllValues" ? "all" : "any",
    ifExists: ifExists !== undefined,
  };
}

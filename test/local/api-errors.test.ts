import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { LocalResponse } from "../../src/local/cloud.ts";
import { stateOnlyCloud, type StateOnlyCloud } from "../support/local-cloud.ts";

let local: StateOnlyCloud;

beforeAll(async () => {
  local = await stateOnlyCloud();
});
afterAll(async () => {
  await local[Symbol.asyncDispose]();
});

async function raw(body: string): Promise<LocalResponse> {
  return await local.cloud.handle({ method: "POST", path: "/", query: "", headers: {}, body });
}

describe("errors are EC2's own", () => {
  const missing = "i-0123456789abcdef0";
  const cases: readonly [what: string, query: string, code: string, message: RegExp][] = [
    [
      "unknown action",
      "Action=DescribeInstanzes",
      "InvalidAction",
      /nearest that it does is DescribeInstances/,
    ],
    ["no action", "", "MissingAction", /Action/],
    ["unknown parameter", "Action=DescribeVpcs&Colour=red", "UnknownParameter", /Colour/],
    ["unknown nested parameter", "Action=DescribeVpcs&Filter.1.Nam=a", "UnknownParameter", /Filter\.1\.Nam /],
    ["missing parameter", "Action=CreateImage&Name=abc", "MissingParameter", /InstanceId/],
    ["wrong type", "Action=DescribeVpcs&MaxResults=x", "InvalidParameterValue", /\(x\).*MaxResults/],
    ["given twice", "Action=DescribeVpcs&VpcId=a&VpcId=b", "InvalidQueryParameter", /VpcId/],
    ["value and parent", "Action=DescribeVpcs&VpcId=a&VpcId.1=b", "InvalidQueryParameter", /VpcId/],
    [
      "wrong filter",
      "Action=DescribeVpcs&Filter.1.Name=x&Filter.1.Value.1=y",
      "InvalidParameterValue",
      /'x'/,
    ],
    ["malformed id", "Action=TerminateInstances&InstanceId.1=i-xyz", "InvalidInstanceID.Malformed", /i-xyz/],
    [
      "no such instance",
      `Action=StopInstances&InstanceId.1=${missing}`,
      "InvalidInstanceID.NotFound",
      /does not exist/,
    ],
    [
      "no such image",
      "Action=DescribeImages&ImageId.1=ami-12345678",
      "InvalidAMIID.NotFound",
      /ami-12345678/,
    ],
    ["no such group", "Action=DescribeSecurityGroups&GroupName.1=no", "InvalidGroup.NotFound", /'no'/],
    ["no such key", "Action=DescribeKeyPairs&KeyName.1=no", "InvalidKeyPair.NotFound", /'no'/],
    [
      "no such subnet",
      "Action=DescribeSubnets&SubnetId.1=subnet-12345678",
      "InvalidSubnetID.NotFound",
      /subnet/,
    ],
    ["bad token", "Action=DescribeVpcs&NextToken=zzz", "InvalidParameterValue", /NextToken/],
    ["page too small", "Action=DescribeInstances&MaxResults=2", "InvalidParameterValue", /5 to 1000/],
    ["not a key", "Action=ImportKeyPair&KeyName=k&PublicKeyMaterial=AAAA", "InvalidKey.Format", /OpenSSH/],
    ["wrong version", "Action=DescribeVpcs&Version=1999-01-01", "InvalidParameterValue", /2016-11-15/],
  ];
  test.each(cases)("%s", async (_, query, code, message) => {
    const version = query.includes("Version") ? "" : "&Version=2016-11-15";
    const { status, body } = await raw(`${query}${version}`);
    expect(status).toBeGreaterThanOrEqual(400);
    expect(/<Code>(.*)<\/Code>/.exec(body)?.[1]).toBe(code);
    expect(/<Message>(.*)<\/Message>/.exec(body)?.[1]).toMatch(message);
    expect(body).toMatch(/<RequestID>[0-9a-f-]{36}<\/RequestID>/);
  });
});

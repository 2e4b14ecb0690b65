import {
  CreateTagsCommand,
  DeleteKeyPairCommand,
  DescribeInstancesCommand,
  EC2Client,
  ImportKeyPairCommand,
  RunInstancesCommand,
  StopInstancesCommand,
} from "@aws-sdk/client-ec2";
import { GetParameterCommand, SSMClient } from "@aws-sdk/client-ssm";
import { GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts";
import { userInfo } from "node:os";
import { z } from "zod";
import { expect, test } from "vitest";
import { messageOf } from "../../src/base/errors.ts";
import { newKeyPair } from "../../src/local/key-format.ts";
import { openLocalCloud } from "../../src/local/open.ts";
import { parsePolicy, type PolicyDocument } from "../../src/local/policy/document.ts";
import { clientOptions, stateOnlyCloud } from "../support/local-cloud.ts";

const user = `arn:aws:iam::000000000000:user/${userInfo().username}`;

function policyOf(...Statement: object[]): PolicyDocument {
  return parsePolicy({
    Version: "2012-10-17",
    Statement: Statement.map((each) => ({ Effect: "Allow", Resource: "*", ...each })),
  });
}

/** The error that a call ends with, in what its client shows. */
async function failure(call: Promise<unknown>): Promise<{ name: string; status: unknown; message: string }> {
  const error: unknown = await call.then(
    () => new Error("it went well"),
    (reason: unknown) => reason,
  );
  const { name, $metadata } = z
    .object({ name: z.string(), $metadata: z.object({ httpStatusCode: z.number() }) })
    .parse(error);
  return { name, status: $metadata.httpStatusCode, message: messageOf(error) };
}

test("EC2 refuses in its own words", async () => {
  await using local = await stateOnlyCloud({ policy: policyOf({ Action: "sts:*" }) });
  const { name, status, message } = await failure(local.ec2.send(new DescribeInstancesCommand({})));
  expect({ name, status }).toEqual({ name: "UnauthorizedOperation", status: 403 });
  const [text, encoded = ""] = message.split(" Encoded authorization failure message: ");
  expect(text).toBe(
    `You are not authorized to perform this operation. User: ${user} is not authorized to perform: ec2:DescribeInstances because no identity-based policy allows the ec2:DescribeInstances action.`,
  );
  expect(JSON.parse(Buffer.from(encoded, "base64url").toString())).toMatchObject({
    allowed: false,
    explicitDeny: false,
    context: { principal: { arn: user }, action: "ec2:DescribeInstances" },
  });
});

test("the resource is named, and an explicit deny as such", async () => {
  const deny = { Effect: "Deny", Action: "ec2:CreateTags", Resource: "arn:aws:ec2:*::image/*" };
  await using local = await stateOnlyCloud({ policy: policyOf({ Action: "*" }, deny) });
  const call = new CreateTagsCommand({ Resources: [local.imageId], Tags: [{ Key: "a", Value: "b" }] });
  expect((await failure(local.ec2.send(call))).message).toContain(
    `is not authorized to perform: ec2:CreateTags on resource: arn:aws:ec2:local::image/${local.imageId} with an explicit deny in an identity-based policy.`,
  );
});

test("STS tells everybody who they are, and Systems Manager refuses in its own words", async () => {
  await using local = await stateOnlyCloud({ policy: policyOf({ Effect: "Deny", Action: "*" }) });
  const sts = new STSClient(clientOptions(local.cloud));
  expect((await sts.send(new GetCallerIdentityCommand({}))).Arn).toBe(user);
  const ssm = new SSMClient(clientOptions(local.cloud));
  const Name = "/aws/service/ami-amazon-linux-latest/x";
  expect(await failure(ssm.send(new GetParameterCommand({ Name })))).toEqual({
    name: "AccessDeniedException",
    status: 400,
    message: `User: ${user} is not authorized to perform: ssm:GetParameter on resource: arn:aws:ssm:local::parameter${Name} with an explicit deny in an identity-based policy`,
  });
});

test("tags of a creation need ec2:CreateTags, and nothing is made without it", async () => {
  const key = { KeyName: "k", PublicKeyMaterial: Buffer.from(newKeyPair("ed25519").line) };
  const TagSpecifications = [{ ResourceType: "key-pair" as const, Tags: [{ Key: "a", Value: "b" }] }];
  await using local = await stateOnlyCloud({ policy: policyOf({ Action: "ec2:ImportKeyPair" }) });
  const refused = await failure(local.ec2.send(new ImportKeyPairCommand({ ...key, TagSpecifications })));
  expect(refused.message).toContain(
    "ec2:CreateTags on resource: arn:aws:ec2:local:000000000000:key-pair/k because",
  );
  await local.ec2.send(new ImportKeyPairCommand(key));
});

test("the tags of what there is decide", async () => {
  await using owner = await stateOnlyCloud();
  const run = async (team: string): Promise<string> => {
    const started = await owner.ec2.send(
      new RunInstancesCommand({
        ImageId: owner.imageId,
        MinCount: 1,
        MaxCount: 1,
        TagSpecifications: [{ ResourceType: "instance", Tags: [{ Key: "team", Value: team }] }],
      }),
    );
    return started.Instances?.[0]?.InstanceId ?? "";
  };
  const [a, b] = [await run("a"), await run("b")];
  const policy = policyOf({ Action: "ec2:*", Condition: { StringEquals: { "aws:ResourceTag/team": "a" } } });
  const cloud = openLocalCloud({ directory: owner.directory, engine: "state-only", policy });
  const ec2 = new EC2Client(clientOptions(cloud));
  await ec2.send(new StopInstancesCommand({ InstanceIds: [a] }));
  // All or nothing.
  expect((await failure(ec2.send(new StopInstancesCommand({ InstanceIds: [a, b] })))).message).toContain(b);
  const missing = "i-00000000000000000";
  expect((await failure(ec2.send(new StopInstancesCommand({ InstanceIds: [missing] })))).name).toBe(
    "InvalidInstanceID.NotFound",
  );
  // It is no error to delete a key pair that is not there; who may delete none at all is refused all the same.
  await ec2.send(new DeleteKeyPairCommand({ KeyName: "none" }));
});

test("a dry run tells whether it is allowed", async () => {
  await using local = await stateOnlyCloud({ policy: policyOf({ Action: "ec2:RunInstances" }) });
  const launch = { ImageId: local.imageId, MinCount: 1, MaxCount: 1, DryRun: true };
  expect((await failure(local.ec2.send(new RunInstancesCommand(launch)))).name).toBe("DryRunOperation");
  const IamInstanceProfile = { Name: "admin" };
  const refused = await failure(local.ec2.send(new RunInstancesCommand({ ...launch, IamInstanceProfile })));
  expect(refused).toMatchObject({ name: "UnauthorizedOperation", status: 403 });
  expect(refused.message).toContain("iam:PassRole on resource: arn:aws:iam::000000000000:role/admin because");
});

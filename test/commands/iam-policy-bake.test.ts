import {
  AuthorizeSecurityGroupIngressCommand,
  CreateImageCommand,
  CreateSecurityGroupCommand,
  CreateTagsCommand,
  DeleteKeyPairCommand,
  DeleteSecurityGroupCommand,
  DeleteTagsCommand,
  DescribeImagesCommand,
  DescribeInstanceTypesCommand,
  DescribeInstancesCommand,
  DescribeSecurityGroupsCommand,
  DescribeSubnetsCommand,
  DescribeVpcsCommand,
  EC2Client,
  ImportKeyPairCommand,
  ModifyImageAttributeCommand,
  ModifyInstanceAttributeCommand,
  RunInstancesCommand,
  StopInstancesCommand,
  TerminateInstancesCommand,
} from "@aws-sdk/client-ec2";
import { describe, expect, test } from "vitest";
import { Cloud } from "../../src/aws/cloud.ts";
import { deleteImage, describeImages } from "../../src/aws/images.ts";
import { sweepExpired } from "../../src/cleanup/sweep.ts";
import { newKeyPair } from "../../src/local/key-format.ts";
import { image, leaveAll, owner, specification, tagsOf } from "../support/leavings.ts";
import { clientOptions } from "../support/local-cloud.ts";
import { documented, shortenings, under, type Workplace } from "../support/policies.ts";

/*
 * The calls of a bake, one after the other, under its documented policy: the sweep at the start, the builder with what
 * gives access to it, a builder that is kept, the image, and the end of all that was temporary.
 */

interface Builder {
  readonly instanceId: string;
  readonly groupId: string;
  readonly keyPairId: string;
}

async function look(ec2: EC2Client): Promise<void> {
  await ec2.send(new DescribeInstanceTypesCommand({ InstanceTypes: ["t3.micro"] }));
  await ec2.send(new DescribeImagesCommand({ Owners: ["amazon"] }));
}

async function start(ec2: EC2Client, ImageId: string): Promise<Builder> {
  const { Vpcs } = await ec2.send(
    new DescribeVpcsCommand({ Filters: [{ Name: "is-default", Values: ["true"] }] }),
  );
  const VpcId = Vpcs?.[0]?.VpcId ?? "";
  const { Subnets } = await ec2.send(
    new DescribeSubnetsCommand({ Filters: [{ Name: "vpc-id", Values: [VpcId] }] }),
  );
  const KeyName = "bake-ami-r2";
  const key = await ec2.send(
    new ImportKeyPairCommand({
      KeyName,
      PublicKeyMaterial: Buffer.from(newKeyPair("ed25519").line),
      TagSpecifications: [specification("key-pair", tagsOf("builder-key", true))],
    }),
  );
  const { GroupId: groupId = "" } = await ec2.send(
    new CreateSecurityGroupCommand({
      GroupName: "bake-ami-r2",
      Description: "d",
      VpcId,
      TagSpecifications: [specification("security-group", tagsOf("builder-group", true))],
    }),
  );
  await ec2.send(
    new AuthorizeSecurityGroupIngressCommand({
      GroupId: groupId,
      IpPermissions: [
        { IpProtocol: "tcp", FromPort: 22, ToPort: 22, IpRanges: [{ CidrIp: "127.0.0.1/32" }] },
      ],
    }),
  );
  const tags = tagsOf("builder", true);
  const { Instances } = await ec2.send(
    new RunInstancesCommand({
      ImageId,
      InstanceType: "t3.micro",
      MinCount: 1,
      MaxCount: 1,
      KeyName,
      SubnetId: Subnets?.[0]?.SubnetId ?? "",
      SecurityGroupIds: [groupId],
      MetadataOptions: { HttpTokens: "required", HttpPutResponseHopLimit: 1 },
      TagSpecifications: [specification("instance", tags), specification("volume", tags)],
    }),
  );
  const instanceId = Instances?.[0]?.InstanceId ?? "";
  await ec2.send(new DescribeInstancesCommand({ InstanceIds: [instanceId] }));
  return { instanceId, groupId, keyPairId: key.KeyPairId ?? "" };
}

async function makeImage(ec2: EC2Client, InstanceId: string): Promise<void> {
  await ec2.send(new StopInstancesCommand({ InstanceIds: [InstanceId] }));
  const tags = tagsOf("image", true);
  const { ImageId = "" } = await ec2.send(
    new CreateImageCommand({
      InstanceId,
      Name: "baked",
      TagSpecifications: [specification("image", tags), specification("snapshot", tags)],
    }),
  );
  const { Images } = await ec2.send(new DescribeImagesCommand({ ImageIds: [ImageId] }));
  const snapshot = Images?.[0]?.BlockDeviceMappings?.[0]?.Ebs?.SnapshotId ?? "";
  await ec2.send(new ModifyImageAttributeCommand({ ImageId, ImdsSupport: { Value: "v2.0" } }));
  const Tags = [{ Key: "bake-ami:expires" }];
  await ec2.send(new DeleteTagsCommand({ Resources: [ImageId, snapshot], Tags }));
}

/** The undo of an image that is not finished when its bake ends. */
async function giveUp(cloud: Cloud, id: string): Promise<void> {
  const signal = new AbortController().signal;
  const [found] = await describeImages(cloud, [], [{ Name: "image-id", Values: [id] }], signal);
  if (found !== undefined) await deleteImage(cloud, found, signal);
}

async function end(ec2: EC2Client, { instanceId, groupId, keyPairId }: Builder): Promise<void> {
  await ec2.send(new DeleteKeyPairCommand({ KeyPairId: keyPairId }));
  const { SecurityGroups } = await ec2.send(
    new DescribeSecurityGroupsCommand({ Filters: [{ Name: "group-name", Values: ["default"] }] }),
  );
  const Groups = [SecurityGroups?.[0]?.GroupId ?? ""];
  await ec2.send(new ModifyInstanceAttributeCommand({ InstanceId: instanceId, Groups }));
  await ec2.send(new DeleteSecurityGroupCommand({ GroupId: groupId }));
  await ec2.send(new TerminateInstancesCommand({ InstanceIds: [instanceId] }));
}

async function bakeCalls({ local, unrestricted, listener }: Workplace): Promise<void> {
  await leaveAll(unrestricted);
  const cloud = new Cloud(clientOptions(local.cloud));
  await sweepExpired({ cloud, owner, listener, signal: new AbortController().signal });
  const ec2 = new EC2Client(clientOptions(local.cloud));
  await look(ec2);
  const builder = await start(ec2, local.imageId);
  for (const Key of ["bake-ami:kept", "bake-ami:digest"]) {
    const Tags = [{ Key, Value: "x" }];
    await ec2.send(new CreateTagsCommand({ Resources: [builder.instanceId], Tags }));
  }
  await makeImage(ec2, builder.instanceId);
  await giveUp(cloud, await image(unrestricted, "given up", true));
  await end(ec2, builder);
}

describe("bake.json", () => {
  test("is enough", async () => {
    const outcome = await under(documented("bake"), bakeCalls);
    expect(outcome).toEqual({ refused: [], warnings: [], error: undefined });
  });

  for (const { without, policy } of shortenings(documented("bake"))) {
    test(`needs ${without}`, async () => {
      const { refused, warnings, error } = await under(policy, bakeCalls);
      expect(refused).not.toEqual([]);
      expect([...warnings, ...(error === undefined ? [] : [error])]).not.toEqual([]);
    });
  }
});

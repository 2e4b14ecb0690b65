import {
  AuthorizeSecurityGroupIngressCommand,
  CreateImageCommand,
  CreateSecurityGroupCommand,
  CreateTagsCommand,
  DeleteKeyPairCommand,
  DeleteSecurityGroupCommand,
  DeleteSnapshotCommand,
  DeregisterImageCommand,
  DescribeImagesCommand,
  DescribeInstancesCommand,
  DescribeSnapshotsCommand,
  DescribeVpcsCommand,
  ImportKeyPairCommand,
  RunInstancesCommand,
  StopInstancesCommand,
  TerminateInstancesCommand,
} from "@aws-sdk/client-ec2";
import { GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts";
import { expect, test } from "vitest";
import { newKeyPair } from "../../src/local/key-format.ts";
import { clientOptions, stateOnlyCloud } from "../support/local-cloud.ts";

test("a bake's calls, one after the other, through the real SDK client", async () => {
  await using local = await stateOnlyCloud();
  const { ec2, imageId } = local;

  const identity = await new STSClient(clientOptions(local.cloud)).send(new GetCallerIdentityCommand({}));
  expect(identity.Arn).toMatch(/^arn:aws:iam::000000000000:user\/.+/);

  const { Vpcs } = await ec2.send(
    new DescribeVpcsCommand({ Filters: [{ Name: "is-default", Values: ["true"] }] }),
  );
  const vpcId = Vpcs?.[0]?.VpcId ?? "";
  const tags = [{ Key: "bake-ami:run", Value: "r <1> & more" }];

  const key = await ec2.send(
    new ImportKeyPairCommand({
      KeyName: "bake",
      PublicKeyMaterial: Buffer.from(`${newKeyPair("ed25519").line} me@here`),
      TagSpecifications: [{ ResourceType: "key-pair", Tags: tags }],
    }),
  );
  const { GroupId: groupId = "" } = await ec2.send(
    new CreateSecurityGroupCommand({
      GroupName: "bake",
      Description: "d",
      VpcId: vpcId,
      TagSpecifications: [{ ResourceType: "security-group", Tags: tags }],
    }),
  );
  await ec2.send(
    new AuthorizeSecurityGroupIngressCommand({
      GroupId: groupId,
      IpPermissions: [
        {
          IpProtocol: "tcp",
          FromPort: 22,
          ToPort: 22,
          IpRanges: [{ CidrIp: "127.0.0.1/32", Description: "me" }],
        },
      ],
    }),
  );
  const run = await ec2.send(
    new RunInstancesCommand({
      ImageId: imageId,
      InstanceType: "t3.micro",
      MinCount: 1,
      MaxCount: 1,
      KeyName: "bake",
      ClientToken: "token-1",
      SecurityGroupIds: [groupId],
      UserData: Buffer.from("#cloud-config\n").toString("base64"),
      InstanceInitiatedShutdownBehavior: "terminate",
      MetadataOptions: {
        HttpEndpoint: "enabled",
        HttpTokens: "required",
        HttpPutResponseHopLimit: 1,
        InstanceMetadataTags: "enabled",
      },
      TagSpecifications: [
        { ResourceType: "instance", Tags: tags },
        { ResourceType: "volume", Tags: tags },
      ],
    }),
  );
  expect(run.Instances).toHaveLength(1);
  const [started] = run.Instances ?? [];
  expect(started).toMatchObject({ ImageId: imageId, State: { Name: "pending" }, Tags: tags });
  const id = started?.InstanceId ?? "";

  const seen = async (): Promise<unknown> =>
    (
      await ec2.send(
        new DescribeInstancesCommand({ Filters: [{ Name: "tag:bake-ami:run", Values: ["r <1>*"] }] }),
      )
    ).Reservations?.[0]?.Instances?.[0];
  expect(await seen()).toMatchObject({
    InstanceId: id,
    State: { Code: 16, Name: "running" },
    SecurityGroups: [{ GroupId: groupId, GroupName: "bake" }],
    MetadataOptions: { HttpTokens: "required", InstanceMetadataTags: "enabled" },
    PublicIpAddress: "127.63.0.2",
  });

  await ec2.send(new StopInstancesCommand({ InstanceIds: [id] }));
  expect(await seen()).toMatchObject({ State: { Name: "stopped" } });

  const { ImageId: baked = "" } = await ec2.send(
    new CreateImageCommand({
      InstanceId: id,
      Name: "baked",
      Description: "d",
      TagSpecifications: [
        { ResourceType: "image", Tags: tags },
        { ResourceType: "snapshot", Tags: tags },
      ],
    }),
  );
  const images = await ec2.send(new DescribeImagesCommand({ Owners: ["self"] }));
  expect(images.Images).toMatchObject([{ ImageId: baked, State: "available", Name: "baked", Tags: tags }]);
  const snapshot = images.Images?.[0]?.BlockDeviceMappings?.[0]?.Ebs?.SnapshotId ?? "";
  await ec2.send(new CreateTagsCommand({ Resources: [baked, snapshot], Tags: [{ Key: "a", Value: "b" }] }));
  const snapshots = await ec2.send(
    new DescribeSnapshotsCommand({ OwnerIds: ["self"], Filters: [{ Name: "tag:a", Values: ["b"] }] }),
  );
  expect(snapshots.Snapshots).toMatchObject([{ SnapshotId: snapshot, State: "completed" }]);

  await expect(ec2.send(new DeleteSecurityGroupCommand({ GroupId: groupId }))).rejects.toMatchObject({
    name: "DependencyViolation",
  });
  await ec2.send(new TerminateInstancesCommand({ InstanceIds: [id] }));
  expect(await seen()).toMatchObject({ State: { Name: "terminated" } });
  await ec2.send(new DeleteSecurityGroupCommand({ GroupId: groupId }));
  await ec2.send(new DeleteKeyPairCommand({ KeyPairId: key.KeyPairId }));
  await ec2.send(new DeregisterImageCommand({ ImageId: baked }));
  await ec2.send(new DeleteSnapshotCommand({ SnapshotId: snapshot }));
  expect((await ec2.send(new DescribeImagesCommand({ Owners: ["self"] }))).Images).toEqual([]);
});

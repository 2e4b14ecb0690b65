import * as ec2 from "@aws-sdk/client-ec2";
import * as ssm from "@aws-sdk/client-ssm";
import { GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts";
import { drivePlacement, driveTemplates } from "./every-launch-action.ts";
import { clientOptions, type StateOnlyCloud } from "./local-cloud.ts";

const publicKey =
  "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJhXzhCs4DUEzZ5yDsNhG4oA4iTWKLkoTqiqvL0MDYKM test@example.com";

/**
 * Has every action of the local cloud carried out at least once through the real SDK, with as much in the requests, and so
 * in the replies, as there can be.
 */
export async function driveEveryAction(local: StateOnlyCloud): Promise<void> {
  const options = clientOptions(local.cloud);
  await new STSClient(options).send(new GetCallerIdentityCommand({}));
  await driveParameters(new ssm.SSMClient(options), local.imageId);
  await driveDescriptions(local.ec2);
  const access = await driveAccess(local.ec2);
  const instanceId = await driveInstance(local.ec2, local.imageId, access);
  await drivePlacement(local.ec2, local.imageId);
  await driveTemplates(local.ec2, local.imageId, access.groupId);
  await driveImages(local.ec2, instanceId);
  await driveEnd(local.ec2, instanceId, access);
}

async function driveParameters(client: ssm.SSMClient, imageId: string): Promise<void> {
  const Name = "/every/image";
  await client.send(
    new ssm.PutParameterCommand({ Name, Value: imageId, Type: "String", DataType: "aws:ec2:image" }),
  );
  await client.send(new ssm.GetParameterCommand({ Name, WithDecryption: true }));
  await client.send(new ssm.GetParametersCommand({ Names: [Name, "/no/such"] }));
  await client.send(
    new ssm.PutParameterCommand({
      Name: "/every/secret",
      Value: "x",
      Type: "SecureString",
      KeyId: "alias/aws/ssm",
      Description: "of every action",
      Tier: "Standard",
      Overwrite: true,
    }),
  );
  await client.send(
    new ssm.GetParametersByPathCommand({
      Path: "/every",
      Recursive: true,
      WithDecryption: true,
      MaxResults: 1,
      ParameterFilters: [{ Key: "Type", Option: "Equals", Values: ["SecureString"] }],
    }),
  );
  await client.send(
    new ssm.DescribeParametersCommand({
      MaxResults: 1,
      ParameterFilters: [{ Key: "Path", Option: "Recursive", Values: ["/every"] }],
    }),
  );
  await client.send(new ssm.DeleteParameterCommand({ Name }));
  await client.send(new ssm.DeleteParametersCommand({ Names: ["/every/secret", "/no/such"] }));
}

async function driveDescriptions(client: ec2.EC2Client): Promise<void> {
  await client.send(new ec2.DescribeRegionsCommand({}));
  await client.send(new ec2.DescribeAvailabilityZonesCommand({}));
  await client.send(new ec2.DescribeVpcsCommand({}));
  await client.send(new ec2.DescribeSubnetsCommand({}));
  await client.send(new ec2.DescribeInstanceTypesCommand({ MaxResults: 100 }));
  await client.send(new ec2.DescribeInstanceTypeOfferingsCommand({ LocationType: "availability-zone" }));
}

interface Access {
  readonly groupId: string;
  readonly keyPairId: string;
}

function tags(type: ec2.ResourceType): ec2.TagSpecification[] {
  return [{ ResourceType: type, Tags: [{ Key: "Name", Value: `a ${type} & <more>` }] }];
}

async function driveAccess(client: ec2.EC2Client): Promise<Access> {
  await client.send(new ec2.CreateKeyPairCommand({ KeyName: "made", KeyType: "ed25519" }));
  const pair = await client.send(
    new ec2.ImportKeyPairCommand({
      KeyName: "brought",
      PublicKeyMaterial: Buffer.from(publicKey),
      TagSpecifications: tags("key-pair"),
    }),
  );
  await client.send(new ec2.DescribeKeyPairsCommand({ IncludePublicKey: true }));
  const { GroupId: groupId = "" } = await client.send(
    new ec2.CreateSecurityGroupCommand({
      GroupName: "every",
      Description: "for every action",
      TagSpecifications: tags("security-group"),
    }),
  );
  const permission = (FromPort: number, source: object): ec2.IpPermission => ({
    IpProtocol: "tcp",
    FromPort,
    ToPort: FromPort,
    ...source,
  });
  const { SecurityGroupRules = [] } = await client.send(
    new ec2.AuthorizeSecurityGroupIngressCommand({
      GroupId: groupId,
      IpPermissions: [
        permission(22, { IpRanges: [{ CidrIp: "192.0.2.1/32", Description: "here" }] }),
        permission(80, { Ipv6Ranges: [{ CidrIpv6: "2001:db8::/64", Description: "there" }] }),
        permission(443, { UserIdGroupPairs: [{ GroupId: groupId, Description: "itself" }] }),
      ],
    }),
  );
  await client.send(new ec2.DescribeSecurityGroupsCommand({}));
  await client.send(
    new ec2.RevokeSecurityGroupIngressCommand({
      GroupId: groupId,
      SecurityGroupRuleIds: SecurityGroupRules.map(({ SecurityGroupRuleId = "" }) => SecurityGroupRuleId),
    }),
  );
  return { groupId, keyPairId: pair.KeyPairId ?? "" };
}

async function driveInstance(client: ec2.EC2Client, ImageId: string, access: Access): Promise<string> {
  const { Instances = [] } = await client.send(
    new ec2.RunInstancesCommand({
      ImageId,
      InstanceType: "m6i.large",
      MinCount: 1,
      MaxCount: 1,
      KeyName: "brought",
      ClientToken: "every",
      IamInstanceProfile: { Name: "every" },
      UserData: Buffer.from("#!/bin/sh\n").toString("base64"),
      MetadataOptions: { HttpTokens: "required", HttpPutResponseHopLimit: 1 },
      NetworkInterfaces: [{ DeviceIndex: 0, Groups: [access.groupId], AssociatePublicIpAddress: true }],
      BlockDeviceMappings: [
        { DeviceName: "/dev/xvda", Ebs: { VolumeSize: 20, Iops: 4000, Throughput: 500, Encrypted: true } },
      ],
      TagSpecifications: [...tags("instance"), ...tags("volume")],
    }),
  );
  const InstanceIds = Instances.map(({ InstanceId = "" }) => InstanceId);
  const [InstanceId = ""] = InstanceIds;
  await client.send(new ec2.DescribeInstancesCommand({ InstanceIds }));
  await client.send(new ec2.DescribeInstanceStatusCommand({ IncludeAllInstances: true }));
  await client.send(new ec2.DescribeVolumesCommand({}));
  await client.send(new ec2.CreateTagsCommand({ Resources: InstanceIds, Tags: [{ Key: "a", Value: "b" }] }));
  await client.send(new ec2.DescribeTagsCommand({}));
  await client.send(new ec2.DeleteTagsCommand({ Resources: InstanceIds, Tags: [{ Key: "a" }] }));
  await client.send(new ec2.RebootInstancesCommand({ InstanceIds }));
  await client.send(new ec2.GetConsoleOutputCommand({ InstanceId, Latest: true }));
  await client.send(new ec2.ModifyInstanceAttributeCommand({ InstanceId, Groups: [access.groupId] }));
  await client.send(new ec2.StopInstancesCommand({ InstanceIds }));
  await client.send(new ec2.DescribeInstancesCommand({}));
  await client.send(
    new ec2.ModifyInstanceAttributeCommand({ InstanceId, InstanceType: { Value: "m6i.xlarge" } }),
  );
  await client.send(
    new ec2.ModifyInstanceAttributeCommand({ InstanceId, UserData: { Value: Buffer.from("x") } }),
  );
  await client.send(new ec2.StartInstancesCommand({ InstanceIds }));
  await client.send(
    new ec2.RunInstancesCommand({
      ImageId,
      InstanceType: "t3.micro",
      MinCount: 1,
      MaxCount: 1,
      InstanceMarketOptions: { MarketType: "spot", SpotOptions: { SpotInstanceType: "one-time" } },
    }),
  );
  await client.send(
    new ec2.DescribeInstancesCommand({ Filters: [{ Name: "instance-lifecycle", Values: ["spot"] }] }),
  );
  return InstanceId;
}

async function driveImages(client: ec2.EC2Client, InstanceId: string): Promise<void> {
  const { ImageId = "" } = await client.send(
    new ec2.CreateImageCommand({
      InstanceId,
      Name: "every",
      Description: "of every action",
      NoReboot: true,
      TagSpecifications: [...tags("image"), ...tags("snapshot")],
    }),
  );
  await client.send(new ec2.ModifyImageAttributeCommand({ ImageId, ImdsSupport: { Value: "v2.0" } }));
  await client.send(
    new ec2.EnableImageDeprecationCommand({ ImageId, DeprecateAt: new Date(Date.now() + 86_400_000) }),
  );
  await client.send(new ec2.DescribeImagesCommand({ IncludeDeprecated: true }));
  await client.send(new ec2.DisableImageDeprecationCommand({ ImageId }));
  const { Snapshots = [] } = await client.send(new ec2.DescribeSnapshotsCommand({ OwnerIds: ["self"] }));
  await client.send(new ec2.DeregisterImageCommand({ ImageId }));
  for (const { SnapshotId } of Snapshots) await client.send(new ec2.DeleteSnapshotCommand({ SnapshotId }));
  const second = await client.send(new ec2.CreateImageCommand({ InstanceId, Name: "again", NoReboot: true }));
  await client.send(
    new ec2.DeregisterImageCommand({ ImageId: second.ImageId, DeleteAssociatedSnapshots: true }),
  );
}

async function driveEnd(client: ec2.EC2Client, InstanceId: string, access: Access): Promise<void> {
  await client.send(new ec2.TerminateInstancesCommand({ InstanceIds: [InstanceId] }));
  await client.send(new ec2.DescribeInstancesCommand({}));
  await client.send(new ec2.DeleteSecurityGroupCommand({ GroupId: access.groupId }));
  await client.send(new ec2.DeleteKeyPairCommand({ KeyPairId: access.keyPairId }));
}

import {
  CreateSecurityGroupCommand,
  DescribeInstancesCommand,
  DescribeVolumesCommand,
  RunInstancesCommand,
  StopInstancesCommand,
  TerminateInstancesCommand,
  type Instance,
  type RunInstancesCommandInput,
  type Volume,
} from "@aws-sdk/client-ec2";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { stateOnlyCloud, type StateOnlyCloud } from "../support/local-cloud.ts";

let local: StateOnlyCloud;

beforeEach(async () => {
  local = await stateOnlyCloud();
});
afterEach(async () => {
  await local[Symbol.asyncDispose]();
});

async function run(more: Partial<RunInstancesCommandInput> = {}): Promise<string[]> {
  const reply = await local.ec2.send(
    new RunInstancesCommand({
      ImageId: local.imageId,
      InstanceType: "t3.micro",
      MinCount: 1,
      MaxCount: 1,
      ...more,
    }),
  );
  return (reply.Instances ?? []).map(({ InstanceId = "" }) => InstanceId);
}

async function shown(): Promise<Instance[]> {
  const { Reservations = [] } = await local.ec2.send(new DescribeInstancesCommand({}));
  return Reservations.flatMap(({ Instances = [] }) => Instances);
}

async function states(): Promise<(string | undefined)[]> {
  return (await shown()).map(({ State }) => State?.Name);
}

describe("RunInstances", () => {
  test("a client token makes a repeated request the same one, and refuses another", async () => {
    const first = await run({ ClientToken: "t" });
    expect(await run({ ClientToken: "t" })).toEqual(first);
    expect(await states()).toEqual(["running"]);
    await expect(run({ ClientToken: "t", InstanceType: "t3.large" })).rejects.toMatchObject({
      name: "IdempotentParameterMismatch",
    });
  });

  test("a token of instances that have ended starts no others", async () => {
    const InstanceIds = await run({ ClientToken: "t" });
    await local.ec2.send(new TerminateInstancesCommand({ InstanceIds }));
    expect(await states()).toEqual(["terminated"]);
    await expect(run({ ClientToken: "t" })).rejects.toMatchObject({ name: "IdempotentInstanceTerminated" });
  });

  test("a dry run checks everything and starts nothing", async () => {
    await expect(run({ DryRun: true })).rejects.toMatchObject({ name: "DryRunOperation" });
    await expect(run({ DryRun: true, KeyName: "no" })).rejects.toMatchObject({
      name: "InvalidKeyPair.NotFound",
    });
    expect(await states()).toEqual([]);
  });

  const wrong: readonly [string, Partial<RunInstancesCommandInput>, string, RegExp][] = [
    ["an unknown type", { InstanceType: "m1.small" }, "InvalidParameterValue", /m1\.small/],
    ["another architecture", { InstanceType: "t4g.micro" }, "InvalidParameterValue", /'arm64'.*'x86_64'/],
    [
      "more than 16 KiB of user data",
      { UserData: Buffer.alloc(16385).toString("base64") },
      "InvalidParameterValue",
      /16384/,
    ],
    ["user data that is not base64", { UserData: "%%%" }, "InvalidParameterValue", /BASE64/],
    [
      "tags that metadata cannot show",
      {
        MetadataOptions: { InstanceMetadataTags: "enabled" },
        TagSpecifications: [{ ResourceType: "instance", Tags: [{ Key: "a b", Value: "" }] }],
      },
      "InvalidParameterValue",
      /'a b'/,
    ],
    [
      "tags for what it does not make",
      { TagSpecifications: [{ ResourceType: "image", Tags: [] }] },
      "InvalidParameterValue",
      /'image'/,
    ],
    [
      "a smaller disk than the image's",
      { BlockDeviceMappings: [{ DeviceName: "/dev/xvda", Ebs: { VolumeSize: 4 } }] },
      "InvalidBlockDeviceMapping",
      /4GB/,
    ],
    ["what it does not implement", { Monitoring: { Enabled: true } }, "UnknownParameter", /Monitoring/],
    [
      "a profile by two names",
      { IamInstanceProfile: { Name: "a", Arn: "arn:aws:iam::000000000000:instance-profile/a" } },
      "InvalidParameterCombination",
      /iamInstanceProfile/,
    ],
    [
      "a role for a profile",
      { IamInstanceProfile: { Arn: "arn:aws:iam::000000000000:role/a" } },
      "InvalidIamInstanceProfileArn.Malformed",
      /role\/a/,
    ],
    ["IPv6", { Ipv6AddressCount: 1 }, "InvalidParameterCombination", /IPv6 CIDR block/],
    [
      "IPv6 on an interface",
      { NetworkInterfaces: [{ DeviceIndex: 0, Ipv6AddressCount: 1 }] },
      "InvalidParameterCombination",
      /IPv6 CIDR block/,
    ],
    [
      "a persistent spot request that ends when it is interrupted",
      { InstanceMarketOptions: { MarketType: "spot", SpotOptions: { SpotInstanceType: "persistent" } } },
      "InvalidParameterCombination",
      /terminate .* persistent/,
    ],
    [
      "a one-time spot request that stops",
      {
        InstanceMarketOptions: { MarketType: "spot", SpotOptions: { InstanceInterruptionBehavior: "stop" } },
      },
      "InvalidParameterCombination",
      /'one-time'.*'stop'/,
    ],
    [
      "a price that is none",
      { InstanceMarketOptions: { MarketType: "spot", SpotOptions: { MaxPrice: "cheap" } } },
      "InvalidParameterValue",
      /cheap/,
    ],
    [
      "a protected spot instance",
      { InstanceMarketOptions: { MarketType: "spot" }, DisableApiTermination: true },
      "InvalidParameterCombination",
      /disableApiTermination/,
    ],
    [
      "tags of a spot request without one",
      { TagSpecifications: [{ ResourceType: "spot-instances-request", Tags: [{ Key: "a", Value: "b" }] }] },
      "InvalidParameterValue",
      /spot market/,
    ],
    [
      "an unknown placement group",
      { Placement: { GroupName: "no" } },
      "InvalidPlacementGroup.Unknown",
      /'no'/,
    ],
    [
      "a partition without a group",
      { Placement: { PartitionNumber: 1 } },
      "InvalidParameterCombination",
      /partition/,
    ],
    ["an unknown host", { Placement: { HostId: "h-0123456789abcdef0" } }, "InvalidHostID.NotFound", /h-0123/],
    ["what is no host", { Placement: { HostId: "rack" } }, "InvalidHostID.Malformed", /rack/],
    ["any host", { Placement: { Tenancy: "host" } }, "InsufficientHostCapacity", /has none/],
    [
      "EBS optimisation where there is none",
      { InstanceType: "t2.micro", EbsOptimized: true },
      "Unsupported",
      /EBS-optimized .*t2\.micro/,
    ],
    ["no image at all", { ImageId: undefined }, "MissingParameter", /ImageId/],
    ["an unknown zone", { Placement: { AvailabilityZone: "mars-1a" } }, "InvalidParameterValue", /mars-1a/],
  ];
  test.each(wrong)("refuses %s", async (_, more, name, message) => {
    const refused = run(more);
    await expect(refused).rejects.toMatchObject({ name });
    await expect(refused).rejects.toThrow(message);
    expect(await states()).toEqual([]);
  });

  test("a network interface gives subnet, groups and public address", async () => {
    const { GroupId = "" } = await local.ec2.send(
      new CreateSecurityGroupCommand({ GroupName: "g", Description: "d" }),
    );
    await run({
      NetworkInterfaces: [
        {
          DeviceIndex: 0,
          SubnetId: "subnet-0bacea3100000000b",
          Groups: [GroupId],
          AssociatePublicIpAddress: false,
        },
      ],
    });
    const { Reservations } = await local.ec2.send(new DescribeInstancesCommand({}));
    expect(Reservations?.[0]?.Instances?.[0]).toMatchObject({
      SubnetId: "subnet-0bacea3100000000b",
      Placement: { AvailabilityZone: "localb" },
      SecurityGroups: [{ GroupId, GroupName: "g" }],
    });
    expect(Reservations?.[0]?.Instances?.[0]?.PublicIpAddress).toBeUndefined();
  });
});

type Ebs = NonNullable<NonNullable<RunInstancesCommandInput["BlockDeviceMappings"]>[number]["Ebs"]>;

describe("the root volume", () => {
  const volumeOf = async (ebs: Ebs): Promise<Volume | undefined> => {
    const [id = ""] = await run({ BlockDeviceMappings: [{ DeviceName: "/dev/xvda", Ebs: ebs }] });
    const Filters = [{ Name: "attachment.instance-id", Values: [id] }];
    return (await local.ec2.send(new DescribeVolumesCommand({ Filters }))).Volumes?.[0];
  };

  test("is gp3 with its baseline, or with what is asked for", async () => {
    expect(await volumeOf({ VolumeSize: 8 })).toMatchObject({
      VolumeType: "gp3",
      Size: 8,
      Iops: 3000,
      Throughput: 125,
    });
    expect(await volumeOf({ VolumeSize: 160, Iops: 80_000, Throughput: 2000 })).toMatchObject({
      Size: 160,
      Iops: 80_000,
      Throughput: 2000,
      Encrypted: false,
    });
    expect(await volumeOf({ VolumeInitializationRate: 300 })).toMatchObject({
      VolumeInitializationRate: 300,
    });
    expect(await volumeOf({ VolumeType: "gp2" })).toMatchObject({ VolumeType: "gp2", Iops: 100 });
  });

  test("is encrypted with the account's key or with a given one", async () => {
    expect((await volumeOf({ Encrypted: true }))?.KmsKeyId).toMatch(
      /^arn:aws:kms:local:0{12}:key\/[0-9a-f-]{36}$/,
    );
    const key = "arn:aws:kms:local:000000000000:key/12345678-1234-1234-1234-123456789012";
    expect(await volumeOf({ Encrypted: true, KmsKeyId: key })).toMatchObject({
      Encrypted: true,
      KmsKeyId: key,
    });
  });

  const wrong: readonly [string, Ebs, string, RegExp][] = [
    ["too few IOPS", { Iops: 2999 }, "InvalidParameterValue", /3000 to 80000/],
    ["too many", { VolumeSize: 1000, Iops: 80_001 }, "InvalidParameterValue", /3000 to 80000/],
    ["too many for the size", { VolumeSize: 8, Iops: 4001 }, "InvalidParameterValue", /500 IOPS per GiB/],
    ["too little throughput", { Throughput: 124 }, "InvalidParameterValue", /125 to 2000/],
    ["too much", { VolumeSize: 100, Iops: 10_000, Throughput: 2001 }, "InvalidParameterValue", /125 to 2000/],
    ["too much for the IOPS", { Throughput: 751 }, "InvalidParameterValue", /0\.25/],
    ["IOPS of gp2", { VolumeType: "gp2", Iops: 3000 }, "InvalidParameterCombination", /gp2/],
    ["too slow an initialization", { VolumeInitializationRate: 99 }, "InvalidParameterValue", /100 to 300/],
    ["too quick a one", { VolumeInitializationRate: 301 }, "InvalidParameterValue", /100 to 300/],
    ["a key without encryption", { KmsKeyId: "alias/a" }, "InvalidParameterDependency", /Encrypted/],
    ["what is no key", { Encrypted: true, KmsKeyId: "mine" }, "InvalidParameterValue", /mine/],
  ];
  test.each(wrong)("is refused with %s", async (_, ebs, name, message) => {
    const refused = volumeOf(ebs);
    await expect(refused).rejects.toMatchObject({ name });
    await expect(refused).rejects.toThrow(message);
  });
});

describe("a spot instance", () => {
  const spot: Partial<RunInstancesCommandInput> = {
    InstanceMarketOptions: { MarketType: "spot", SpotOptions: { SpotInstanceType: "one-time" } },
  };

  test("says what it is, and can be terminated but not stopped", async () => {
    const InstanceIds = await run(spot);
    const [instance] = await shown();
    expect(instance).toMatchObject({ InstanceLifecycle: "spot" });
    expect(instance?.SpotInstanceRequestId).toMatch(/^sir-[0-9a-f]{8}$/);
    await expect(local.ec2.send(new StopInstancesCommand({ InstanceIds }))).rejects.toMatchObject({
      name: "UnsupportedOperation",
    });
    await local.ec2.send(new TerminateInstancesCommand({ InstanceIds }));
    expect(await states()).toEqual(["terminated"]);
  });
});

test("an instance shows where it is and its profile", async () => {
  await run({ IamInstanceProfile: { Name: "web" }, SubnetId: "subnet-0bacea3100000000b" });
  const [instance] = await shown();
  expect(instance).toMatchObject({
    IamInstanceProfile: { Arn: "arn:aws:iam::000000000000:instance-profile/web" },
    SubnetId: "subnet-0bacea3100000000b",
    VpcId: "vpc-0bacea3100000000a",
    Placement: { AvailabilityZone: "localb", Tenancy: "default" },
  });
  expect(instance?.PublicDnsName).toBe(instance?.PublicIpAddress);
  expect(instance?.PrivateIpAddress).toMatch(/^169\.254\.(?:12[89]|1[3-6]\d)\./);
  expect(instance?.InstanceLifecycle).toBeUndefined();
});

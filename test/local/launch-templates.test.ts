import {
  CreateLaunchTemplateCommand,
  CreateLaunchTemplateVersionCommand,
  DeleteLaunchTemplateCommand,
  DeleteLaunchTemplateVersionsCommand,
  DescribeInstancesCommand,
  DescribeLaunchTemplatesCommand,
  DescribeLaunchTemplateVersionsCommand,
  DescribeVolumesCommand,
  ModifyLaunchTemplateCommand,
  RunInstancesCommand,
  type DescribeLaunchTemplateVersionsCommandInput,
  type Instance,
  type LaunchTemplateVersion,
  type RequestLaunchTemplateData,
  type RunInstancesCommandInput,
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

const userData = Buffer.from("#!/bin/sh\n").toString("base64");

async function create(data: RequestLaunchTemplateData, rest: object = {}): Promise<string> {
  const { LaunchTemplate } = await local.ec2.send(
    new CreateLaunchTemplateCommand({ LaunchTemplateName: "web", LaunchTemplateData: data, ...rest }),
  );
  return LaunchTemplate?.LaunchTemplateId ?? "";
}

async function addVersion(
  data: RequestLaunchTemplateData,
  rest: object = {},
): Promise<LaunchTemplateVersion> {
  const { LaunchTemplateVersion: version = {} } = await local.ec2.send(
    new CreateLaunchTemplateVersionCommand({ LaunchTemplateName: "web", LaunchTemplateData: data, ...rest }),
  );
  return version;
}

async function versions(
  request: DescribeLaunchTemplateVersionsCommandInput = { LaunchTemplateName: "web" },
): Promise<(number | undefined)[]> {
  const reply = await local.ec2.send(new DescribeLaunchTemplateVersionsCommand(request));
  return (reply.LaunchTemplateVersions ?? []).map(({ VersionNumber }) => VersionNumber);
}

async function run(more: Partial<RunInstancesCommandInput>): Promise<Instance> {
  const reply = await local.ec2.send(new RunInstancesCommand({ MinCount: 1, MaxCount: 1, ...more }));
  return reply.Instances?.[0] ?? {};
}

function tagsOf({ Tags = [] }: Instance): Readonly<Record<string, string>> {
  return Object.fromEntries(Tags.map(({ Key = "", Value = "" }) => [Key, Value]));
}

describe("a launch template", () => {
  test("is shown as it was made, with its tags", async () => {
    const LaunchTemplateId = await create(
      {
        ImageId: "resolve:ssm:/aws/service/debian/release/12/latest/amd64",
        InstanceType: "t3.small",
        UserData: userData,
        EbsOptimized: true,
        DisableApiTermination: true,
        IamInstanceProfile: { Name: "web" },
        Placement: { Tenancy: "dedicated" },
        SecurityGroupIds: ["sg-1"],
        MetadataOptions: { HttpTokens: "required", InstanceMetadataTags: "enabled" },
        BlockDeviceMappings: [
          { DeviceName: "/dev/xvda", Ebs: { VolumeSize: 20, VolumeInitializationRate: 200 } },
        ],
        NetworkInterfaces: [{ DeviceIndex: 0, Groups: ["sg-2"], AssociatePublicIpAddress: true }],
        InstanceMarketOptions: {
          MarketType: "spot",
          SpotOptions: { SpotInstanceType: "persistent", InstanceInterruptionBehavior: "stop" },
        },
        TagSpecifications: [{ ResourceType: "instance", Tags: [{ Key: "a", Value: "b" }] }],
      },
      { TagSpecifications: [{ ResourceType: "launch-template", Tags: [{ Key: "team", Value: "x" }] }] },
    );
    const Filters = [{ Name: "tag:team", Values: ["x"] }];
    const { LaunchTemplates } = await local.ec2.send(new DescribeLaunchTemplatesCommand({ Filters }));
    expect(LaunchTemplates).toMatchObject([
      {
        LaunchTemplateId,
        LaunchTemplateName: "web",
        DefaultVersionNumber: 1,
        LatestVersionNumber: 1,
        Tags: [{ Key: "team", Value: "x" }],
      },
    ]);
    const described = async (ResolveAlias: boolean): Promise<LaunchTemplateVersion | undefined> => {
      const request = { LaunchTemplateId, ResolveAlias };
      return (await local.ec2.send(new DescribeLaunchTemplateVersionsCommand(request)))
        .LaunchTemplateVersions?.[0];
    };
    expect(await described(false)).toMatchObject({
      DefaultVersion: true,
      LaunchTemplateData: {
        ImageId: "resolve:ssm:/aws/service/debian/release/12/latest/amd64",
        InstanceType: "t3.small",
        UserData: userData,
        EbsOptimized: true,
        DisableApiTermination: true,
        IamInstanceProfile: { Name: "web" },
        Placement: { Tenancy: "dedicated" },
        SecurityGroupIds: ["sg-1"],
        MetadataOptions: { HttpTokens: "required", InstanceMetadataTags: "enabled" },
        BlockDeviceMappings: [
          { DeviceName: "/dev/xvda", Ebs: { VolumeSize: 20, VolumeInitializationRate: 200 } },
        ],
        NetworkInterfaces: [{ DeviceIndex: 0, Groups: ["sg-2"], AssociatePublicIpAddress: true }],
        InstanceMarketOptions: {
          MarketType: "spot",
          SpotOptions: { SpotInstanceType: "persistent", InstanceInterruptionBehavior: "stop" },
        },
        TagSpecifications: [{ ResourceType: "instance", Tags: [{ Key: "a", Value: "b" }] }],
      },
    });
    expect((await described(true))?.LaunchTemplateData?.ImageId).toBe(local.imageId);
  });

  test("has numbered versions that do not change, of which one is the default", async () => {
    await create({ InstanceType: "t3.small", KeyName: "k" });
    const second = await addVersion(
      { InstanceType: "t3.large" },
      { SourceVersion: "1", VersionDescription: "new" },
    );
    expect(second).toMatchObject({
      VersionNumber: 2,
      DefaultVersion: false,
      VersionDescription: "new",
      LaunchTemplateData: { InstanceType: "t3.large", KeyName: "k" },
    });
    expect((await addVersion({ InstanceType: "t3.nano" })).LaunchTemplateData?.KeyName).toBeUndefined();
    expect(await versions()).toEqual([3, 2, 1]);
    expect(await versions({ LaunchTemplateName: "web", Versions: ["$Default", "$Latest"] })).toEqual([1, 3]);
    expect(await versions({ LaunchTemplateName: "web", MinVersion: "2", MaxVersion: "$Latest" })).toEqual([
      3, 2,
    ]);
    expect(await versions({ Versions: ["$Latest"] })).toEqual([3]);
    const { LaunchTemplate } = await local.ec2.send(
      new ModifyLaunchTemplateCommand({ LaunchTemplateName: "web", DefaultVersion: "2" }),
    );
    expect(LaunchTemplate).toMatchObject({ DefaultVersionNumber: 2, LatestVersionNumber: 3 });
    const Filters = [{ Name: "is-default-version", Values: ["true"] }];
    expect(await versions({ LaunchTemplateName: "web", Filters })).toEqual([2]);
  });

  test("keeps its default when versions are deleted, and gives no number twice", async () => {
    await create({ InstanceType: "t3.small" });
    await addVersion({ InstanceType: "t3.large" });
    const reply = await local.ec2.send(
      new DeleteLaunchTemplateVersionsCommand({ LaunchTemplateName: "web", Versions: ["1", "2", "7"] }),
    );
    expect(reply.SuccessfullyDeletedLaunchTemplateVersions).toMatchObject([{ VersionNumber: 2 }]);
    expect(reply.UnsuccessfullyDeletedLaunchTemplateVersions).toMatchObject([
      { VersionNumber: 1, ResponseError: { Code: "unexpectedError" } },
      { VersionNumber: 7, ResponseError: { Code: "launchTemplateVersionDoesNotExist" } },
    ]);
    expect((await addVersion({ InstanceType: "t3.nano" })).VersionNumber).toBe(3);
  });

  test("a client token makes a repeated call the same one, and refuses another", async () => {
    const first = await create({ InstanceType: "t3.small" }, { ClientToken: "t" });
    expect(await create({ InstanceType: "t3.small" }, { ClientToken: "t" })).toBe(first);
    await expect(create({ InstanceType: "t3.nano" }, { ClientToken: "t" })).rejects.toMatchObject({
      name: "IdempotentParameterMismatch",
    });
    await expect(create({ InstanceType: "t3.small" })).rejects.toMatchObject({
      name: "InvalidLaunchTemplateName.AlreadyExistsException",
    });
    await addVersion({ InstanceType: "t3.nano" }, { ClientToken: "v" });
    await addVersion({ InstanceType: "t3.nano" }, { ClientToken: "v" });
    expect(await versions()).toEqual([2, 1]);
  });

  test("goes with all of its versions", async () => {
    const LaunchTemplateId = await create({ InstanceType: "t3.small" });
    await local.ec2.send(new DeleteLaunchTemplateCommand({ LaunchTemplateId }));
    await expect(versions()).rejects.toMatchObject({ name: "InvalidLaunchTemplateName.NotFoundException" });
    await expect(versions({ LaunchTemplateId })).rejects.toMatchObject({
      name: "InvalidLaunchTemplateId.NotFound",
    });
  });

  const wrong: readonly [string, RequestLaunchTemplateData, object, string][] = [
    [
      "a short name",
      { KeyName: "k" },
      { LaunchTemplateName: "ab" },
      "InvalidLaunchTemplateName.MalformedException",
    ],
    [
      "too much user data",
      { UserData: Buffer.alloc(16_385).toString("base64") },
      {},
      "InvalidParameterValue",
    ],
    [
      "tags of what a launch does not make",
      { TagSpecifications: [{ ResourceType: "image", Tags: [{ Key: "a", Value: "b" }] }] },
      {},
      "InvalidParameterValue",
    ],
    ["what is not implemented", { RamDiskId: "ari-1" }, {}, "UnknownParameter"],
  ];
  test.each(wrong)("is refused with %s", async (_, data, rest, name) => {
    await expect(create(data, rest)).rejects.toMatchObject({ name });
  });
});

describe("a launch from a template", () => {
  test("takes from it what the call does not say", async () => {
    const LaunchTemplateId = await create({
      ImageId: local.imageId,
      InstanceType: "t3.small",
      EbsOptimized: true,
      BlockDeviceMappings: [{ DeviceName: "/dev/xvda", Ebs: { VolumeSize: 20 } }],
      TagSpecifications: [
        {
          ResourceType: "instance",
          Tags: [
            { Key: "a", Value: "template" },
            { Key: "b", Value: "template" },
          ],
        },
        { ResourceType: "volume", Tags: [{ Key: "v", Value: "template" }] },
      ],
    });
    const plain = await run({ LaunchTemplate: { LaunchTemplateId } });
    expect(plain).toMatchObject({ ImageId: local.imageId, InstanceType: "t3.small", EbsOptimized: true });
    expect(tagsOf(plain)).toEqual({
      a: "template",
      b: "template",
      "aws:ec2launchtemplate:id": LaunchTemplateId,
      "aws:ec2launchtemplate:version": "1",
    });
    const other = await run({
      LaunchTemplate: { LaunchTemplateName: "web" },
      InstanceType: "t3.large",
      SubnetId: "subnet-0bacea3100000000b",
      BlockDeviceMappings: [{ DeviceName: "/dev/xvda", Ebs: { VolumeSize: 30 } }],
      TagSpecifications: [
        {
          ResourceType: "instance",
          Tags: [
            { Key: "b", Value: "call" },
            { Key: "c", Value: "call" },
          ],
        },
      ],
    });
    expect(other).toMatchObject({ InstanceType: "t3.large", Placement: { AvailabilityZone: "localb" } });
    expect(tagsOf(other)).toMatchObject({ a: "template", b: "call", c: "call" });
    const { Volumes = [] } = await local.ec2.send(new DescribeVolumesCommand({}));
    expect(Volumes.map(({ Size, Tags }) => [Size, Tags?.[0]?.Key])).toEqual([
      [20, "v"],
      [30, "v"],
    ]);
  });

  test("by number, the latest, or the default one, which is what is meant when nothing is said", async () => {
    await create({ ImageId: local.imageId, InstanceType: "t3.nano" });
    await addVersion({ InstanceType: "t3.micro" }, { SourceVersion: "1" });
    await addVersion({ InstanceType: "t3.small" }, { SourceVersion: "1" });
    await local.ec2.send(new ModifyLaunchTemplateCommand({ LaunchTemplateName: "web", DefaultVersion: "2" }));
    const typeOf = async (Version?: string): Promise<string | undefined> =>
      (
        await run({
          LaunchTemplate: { LaunchTemplateName: "web", ...(Version === undefined ? {} : { Version }) },
        })
      ).InstanceType;
    expect([await typeOf("1"), await typeOf("$Latest"), await typeOf("$Default"), await typeOf()]).toEqual([
      "t3.nano",
      "t3.small",
      "t3.micro",
      "t3.micro",
    ]);
    await expect(typeOf("9")).rejects.toMatchObject({ name: "InvalidLaunchTemplateId.VersionNotFound" });
    await expect(typeOf("newest")).rejects.toMatchObject({ name: "InvalidParameterValue" });
  });

  test("is refused when the two do not go together, and leaves nothing", async () => {
    await create({ NetworkInterfaces: [{ DeviceIndex: 0, AssociatePublicIpAddress: false }] });
    const LaunchTemplate = { LaunchTemplateName: "web" };
    await expect(run({ LaunchTemplate })).rejects.toMatchObject({ name: "MissingParameter" });
    const both = run({ LaunchTemplate, ImageId: local.imageId, SubnetId: "subnet-0bacea3100000000b" });
    await expect(both).rejects.toMatchObject({ name: "InvalidParameterCombination" });
    const none = run({ LaunchTemplate: { LaunchTemplateName: "no" }, ImageId: local.imageId });
    await expect(none).rejects.toMatchObject({ name: "InvalidLaunchTemplateName.NotFoundException" });
    expect((await local.ec2.send(new DescribeInstancesCommand({}))).Reservations).toEqual([]);
    expect((await run({ LaunchTemplate, ImageId: local.imageId })).PublicIpAddress).toBeUndefined();
  });

  test("a repeated client token finds its instance though the default version has changed", async () => {
    await create({ ImageId: local.imageId, InstanceType: "t3.nano" });
    const request = { LaunchTemplate: { LaunchTemplateName: "web" }, ClientToken: "t" };
    const first = await run(request);
    await addVersion({ InstanceType: "t3.micro" }, { SourceVersion: "1" });
    await local.ec2.send(new ModifyLaunchTemplateCommand({ LaunchTemplateName: "web", DefaultVersion: "2" }));
    expect((await run(request)).InstanceId).toBe(first.InstanceId);
  });
});

import {
  AuthorizeSecurityGroupIngressCommand,
  CreateImageCommand,
  CreateKeyPairCommand,
  CreateSecurityGroupCommand,
  CreateTagsCommand,
  DeleteSnapshotCommand,
  DeleteTagsCommand,
  DescribeImagesCommand,
  DescribeInstanceStatusCommand,
  DescribeInstancesCommand,
  DescribeInstanceTypesCommand,
  DescribeKeyPairsCommand,
  DescribeSecurityGroupsCommand,
  DescribeTagsCommand,
  DescribeVolumesCommand,
  RevokeSecurityGroupIngressCommand,
  RunInstancesCommand,
  StartInstancesCommand,
  StopInstancesCommand,
  TerminateInstancesCommand,
  type RunInstancesCommandInput,
} from "@aws-sdk/client-ec2";
import { afterEach, beforeEach, expect, test } from "vitest";
import { stateOnlyCloud, type StateOnlyCloud } from "../support/local-cloud.ts";

let local: StateOnlyCloud;
let now = Date.parse("2026-01-02T03:04:05Z");
const delays = { start: 0, stop: 0, terminate: 0 };

beforeEach(async () => {
  local = await stateOnlyCloud({ now: () => now, delays });
});
afterEach(async () => {
  Object.assign(delays, { start: 0, stop: 0, terminate: 0 });
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

async function states(): Promise<(string | undefined)[]> {
  const { Reservations = [] } = await local.ec2.send(new DescribeInstancesCommand({}));
  return Reservations.flatMap(({ Instances = [] }) => Instances.map(({ State }) => State?.Name));
}

test("states follow each other in their time", async () => {
  Object.assign(delays, { start: 5000, stop: 20_000, terminate: 10_000 });
  const ids = await run();
  expect(await states()).toEqual(["pending"]);
  await expect(
    local.ec2.send(new CreateImageCommand({ InstanceId: ids[0], Name: "abc" })),
  ).rejects.toMatchObject({
    name: "IncorrectState",
  });
  now += 5000;
  expect(await states()).toEqual(["running"]);
  await local.ec2.send(new StopInstancesCommand({ InstanceIds: ids }));
  expect(await states()).toEqual(["stopping"]);
  await expect(local.ec2.send(new StartInstancesCommand({ InstanceIds: ids }))).rejects.toMatchObject({
    name: "IncorrectInstanceState",
  });
  now += 20_000;
  expect(await states()).toEqual(["stopped"]);
  await local.ec2.send(new StartInstancesCommand({ InstanceIds: ids }));
  now += 5000;
  expect(await states()).toEqual(["running"]);
  await local.ec2.send(new TerminateInstancesCommand({ InstanceIds: ids }));
  expect(await states()).toEqual(["shutting-down"]);
  now += 10_000;
  expect(await states()).toEqual(["terminated"]);
  // Ending it again is no error, and an hour later it is forgotten.
  await local.ec2.send(new TerminateInstancesCommand({ InstanceIds: ids }));
  now += 3_601_000;
  expect(await states()).toEqual([]);
});

test("a system that does not power off has its plug pulled after 90 s", async () => {
  const ids = await run();
  await states();
  delays.stop = 1e9;
  await local.ec2.send(new StopInstancesCommand({ InstanceIds: ids }));
  now += 89_000;
  expect(await states()).toEqual(["stopping"]);
  const { Reservations } = await local.ec2.send(new DescribeInstancesCommand({}));
  expect(Reservations?.[0]?.Instances?.[0]?.StateReason?.Code).toBe("Client.UserInitiatedShutdown");
});

test("filters: wildcards, tags, several values, several filters", async () => {
  const tag = (Value: string): Partial<RunInstancesCommandInput> => ({
    TagSpecifications: [{ ResourceType: "instance", Tags: [{ Key: "name", Value }] }],
  });
  const [web = ""] = await run(tag("web.1"));
  const [webX = ""] = await run(tag("web*1"));
  const [db = ""] = await run({ ...tag("db"), InstanceType: "t3.large" });
  const found = async (...filters: [string, ...string[]][]): Promise<(string | undefined)[]> => {
    const reply = await local.ec2.send(
      new DescribeInstancesCommand({ Filters: filters.map(([Name, ...Values]) => ({ Name, Values })) }),
    );
    return (reply.Reservations ?? []).flatMap(({ Instances = [] }) => Instances.map((it) => it.InstanceId));
  };
  expect(await found(["tag:name", "web*"])).toEqual([web, webX]);
  expect(await found(["tag:name", "web?1"])).toEqual([web, webX]);
  expect(await found(["tag:name", "web\\*1"])).toEqual([webX]);
  expect(await found(["tag:name", "web.1", "db"])).toEqual([web, db]);
  expect(await found(["tag:name", "WEB*"])).toEqual([]);
  expect(await found(["tag-key", "na*"], ["instance-type", "*.large"])).toEqual([db]);
  expect(await found(["instance-state-name", "running", "pending"])).toHaveLength(3);
  expect(await found(["tag:name"])).toEqual([]);
});

test("pages: all of a listing, once each, in one order", async () => {
  const ids = (await Promise.all(Array.from({ length: 13 }, async () => await run()))).flat();
  const pages: (string | undefined)[][] = [];
  let NextToken: string | undefined;
  do {
    const reply = await local.ec2.send(new DescribeInstancesCommand({ MaxResults: 5, NextToken }));
    pages.push(
      (reply.Reservations ?? []).flatMap(({ Instances = [] }) => Instances.map((it) => it.InstanceId)),
    );
    NextToken = reply.NextToken;
  } while (NextToken !== undefined);
  expect(pages.map((page) => page.length)).toEqual([5, 5, 3]);
  expect(pages.flat().sort()).toEqual(ids.sort());
  await expect(
    local.ec2.send(new DescribeInstancesCommand({ MaxResults: 5, InstanceIds: ids.slice(0, 1) })),
  ).rejects.toMatchObject({ name: "InvalidParameterCombination" });
});

test("tags: set, replaced, deleted by value, listed, limited", async () => {
  const [id = ""] = await run();
  const { Volumes } = await local.ec2.send(
    new DescribeVolumesCommand({ Filters: [{ Name: "attachment.instance-id", Values: [id] }] }),
  );
  const volume = Volumes?.[0]?.VolumeId ?? "";
  const send = async (Tags: { Key: string; Value: string }[]): Promise<unknown> =>
    await local.ec2.send(new CreateTagsCommand({ Resources: [id, volume], Tags }));
  await send([
    { Key: "a", Value: "1" },
    { Key: "b", Value: "<&>\"'\u0007" },
  ]);
  await send([{ Key: "a", Value: "2" }]);
  await local.ec2.send(
    new DeleteTagsCommand({ Resources: [volume], Tags: [{ Key: "a", Value: "1" }, { Key: "b" }] }),
  );
  const { Tags } = await local.ec2.send(
    new DescribeTagsCommand({ Filters: [{ Name: "key", Values: ["a", "b"] }] }),
  );
  expect(Tags).toEqual([
    { Key: "a", ResourceId: id, ResourceType: "instance", Value: "2" },
    { Key: "b", ResourceId: id, ResourceType: "instance", Value: "<&>\"'" },
    { Key: "a", ResourceId: volume, ResourceType: "volume", Value: "2" },
  ]);
  await expect(send([{ Key: "aws:x", Value: "" }])).rejects.toMatchObject({ name: "InvalidParameterValue" });
  const many = Array.from({ length: 51 }, (_, n) => ({ Key: `k${n}`, Value: "" }));
  await expect(send(many)).rejects.toMatchObject({ name: "TagLimitExceeded" });
});

test("security groups: duplicates, revoking, references, too many ports", async () => {
  const create = async (GroupName: string): Promise<string> =>
    (await local.ec2.send(new CreateSecurityGroupCommand({ GroupName, Description: "d" }))).GroupId ?? "";
  const GroupId = await create("one");
  await expect(create("one")).rejects.toMatchObject({ name: "InvalidGroup.Duplicate" });
  const ports = (FromPort: number, ToPort: number): { IpPermissions: object[] } => ({
    IpPermissions: [{ IpProtocol: "tcp", FromPort, ToPort, IpRanges: [{ CidrIp: "0.0.0.0/0" }] }],
  });
  const open = async (from: number, to: number): Promise<unknown> =>
    await local.ec2.send(new AuthorizeSecurityGroupIngressCommand({ GroupId, ...ports(from, to) }));
  await open(80, 81);
  await expect(open(80, 81)).rejects.toMatchObject({ name: "InvalidPermission.Duplicate" });
  await expect(open(1000, 1100)).rejects.toThrow(/at most 64 ports/);
  await expect(
    local.ec2.send(
      new AuthorizeSecurityGroupIngressCommand({
        GroupId,
        IpPermissions: [{ IpProtocol: "udp", FromPort: 53, ToPort: 53, IpRanges: [{ CidrIp: "0.0.0.0/0" }] }],
      }),
    ),
  ).rejects.toThrow(/TCP only/);
  const { SecurityGroups } = await local.ec2.send(new DescribeSecurityGroupsCommand({ GroupIds: [GroupId] }));
  expect(SecurityGroups?.[0]?.IpPermissions).toMatchObject([
    { IpProtocol: "tcp", FromPort: 80, ToPort: 81, IpRanges: [{ CidrIp: "0.0.0.0/0" }] },
  ]);
  await local.ec2.send(new RevokeSecurityGroupIngressCommand({ GroupId, ...ports(80, 81) }));
  await expect(
    local.ec2.send(new RevokeSecurityGroupIngressCommand({ GroupId, ...ports(80, 81) })),
  ).rejects.toMatchObject({ name: "InvalidPermission.NotFound" });
});

test("images: names are unique, snapshots in use stay, running instances can be imaged", async () => {
  const [id = ""] = await run();
  await states();
  const image = async (Name: string, NoReboot: boolean): Promise<string> =>
    (await local.ec2.send(new CreateImageCommand({ InstanceId: id, Name, NoReboot }))).ImageId ?? "";
  const rebooted = await image("with reboot", false);
  const live = await image("without reboot", true);
  await expect(image("with reboot", true)).rejects.toMatchObject({ name: "InvalidAMIName.Duplicate" });
  await expect(image("x", true)).rejects.toMatchObject({ name: "InvalidAMIName.Malformed" });
  expect(await states()).toEqual(["running"]);
  const { Images = [] } = await local.ec2.send(new DescribeImagesCommand({ Owners: ["self"] }));
  expect(Images.map(({ ImageId, State }) => [ImageId, State])).toEqual([
    [rebooted, "available"],
    [live, "available"],
  ]);
  const SnapshotId = Images[0]?.BlockDeviceMappings?.[0]?.Ebs?.SnapshotId;
  await expect(local.ec2.send(new DeleteSnapshotCommand({ SnapshotId }))).rejects.toMatchObject({
    name: "InvalidSnapshot.InUse",
  });
  await expect(
    local.ec2.send(new DescribeImagesCommand({ ImageIds: [live], Owners: ["amazon"] })),
  ).resolves.toMatchObject({ Images: [] });
});

test("key pairs: both types are made, and shown with their public halves", async () => {
  const rsa = await local.ec2.send(new CreateKeyPairCommand({ KeyName: "r" }));
  const ed = await local.ec2.send(new CreateKeyPairCommand({ KeyName: "e", KeyType: "ed25519" }));
  expect(rsa.KeyMaterial).toMatch(/^-----BEGIN RSA PRIVATE KEY-----/);
  expect(ed.KeyMaterial).toMatch(/^-----BEGIN OPENSSH PRIVATE KEY-----/);
  const { KeyPairs } = await local.ec2.send(new DescribeKeyPairsCommand({ IncludePublicKey: true }));
  expect(KeyPairs?.map(({ PublicKey }) => PublicKey?.split(" ")[0])).toEqual(["ssh-rsa", "ssh-ed25519"]);
});

test("instance types and statuses", async () => {
  const { InstanceTypes } = await local.ec2.send(
    new DescribeInstanceTypesCommand({ InstanceTypes: ["t3.small"] }),
  );
  expect(InstanceTypes).toMatchObject([{ VCpuInfo: { DefaultVCpus: 2 }, MemoryInfo: { SizeInMiB: 2048 } }]);
  await run();
  await states();
  const { InstanceStatuses } = await local.ec2.send(new DescribeInstanceStatusCommand({}));
  expect(InstanceStatuses).toMatchObject([
    { InstanceState: { Name: "running" }, InstanceStatus: { Status: "ok" } },
  ]);
});

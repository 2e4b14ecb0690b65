import {
  CreateImageCommand,
  CreateSecurityGroupCommand,
  DeleteSecurityGroupCommand,
  DescribeImagesCommand,
  DescribeInstancesCommand,
  DescribeSubnetsCommand,
  DisableImageDeprecationCommand,
  EnableImageDeprecationCommand,
  ModifyImageAttributeCommand,
  ModifyInstanceAttributeCommand,
  RunInstancesCommand,
  StopInstancesCommand,
  type Image,
  type ModifyInstanceAttributeCommandInput,
} from "@aws-sdk/client-ec2";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Store } from "../../src/local/state/store.ts";
import { stateOnlyCloud, type StateOnlyCloud } from "../support/local-cloud.ts";

let local: StateOnlyCloud;
let InstanceId = "";
let now = Date.parse("2026-01-02T03:04:05Z");

beforeEach(async () => {
  local = await stateOnlyCloud({ now: () => now });
  const request = { ImageId: local.imageId, InstanceType: "t3.micro" as const, MinCount: 1, MaxCount: 1 };
  const { Instances } = await local.ec2.send(new RunInstancesCommand(request));
  InstanceId = Instances?.[0]?.InstanceId ?? "";
});
afterEach(async () => {
  await local[Symbol.asyncDispose]();
});

describe("ModifyInstanceAttribute", () => {
  const modify = async (more: Partial<ModifyInstanceAttributeCommandInput>): Promise<unknown> =>
    await local.ec2.send(new ModifyInstanceAttributeCommand({ InstanceId, ...more }));

  test("other groups, so that the first can be deleted while the instance runs", async () => {
    const create = async (GroupName: string): Promise<string> =>
      (await local.ec2.send(new CreateSecurityGroupCommand({ GroupName, Description: "d" }))).GroupId ?? "";
    const first = await create("first");
    const second = await create("second");
    await modify({ Groups: [first] });
    const drop = async (): Promise<unknown> =>
      await local.ec2.send(new DeleteSecurityGroupCommand({ GroupId: first }));
    await expect(drop()).rejects.toMatchObject({ name: "DependencyViolation" });
    await modify({ Groups: [second] });
    await drop();
    const { Reservations } = await local.ec2.send(new DescribeInstancesCommand({}));
    expect(Reservations?.[0]?.Instances?.[0]?.SecurityGroups).toEqual([
      { GroupId: second, GroupName: "second" },
    ]);
    await expect(modify({ Groups: [first] })).rejects.toMatchObject({ name: "InvalidGroup.NotFound" });
  });

  test("type and user data only while stopped", async () => {
    await expect(modify({ InstanceType: { Value: "t3.small" } })).rejects.toMatchObject({
      name: "IncorrectInstanceState",
    });
    await local.ec2.send(new StopInstancesCommand({ InstanceIds: [InstanceId], Force: true }));
    await local.ec2.send(new DescribeInstancesCommand({}));
    await modify({ InstanceType: { Value: "t3.small" } });
    await modify({ UserData: { Value: Buffer.from("hello") } });
    await expect(modify({ InstanceType: { Value: "x9.huge" } })).rejects.toMatchObject({
      name: "InvalidInstanceAttributeValue",
    });
    const { instances } = await new Store(local.directory).read();
    expect(instances[0]).toMatchObject({ type: "t3.small", userData: "aGVsbG8=" });
  });

  test("one attribute at a time", async () => {
    await expect(modify({})).rejects.toMatchObject({ name: "MissingParameter" });
    const two = modify({
      InstanceInitiatedShutdownBehavior: { Value: "terminate" },
      InstanceType: { Value: "t3.small" },
    });
    await expect(two).rejects.toMatchObject({ name: "InvalidParameterCombination" });
    await modify({ InstanceInitiatedShutdownBehavior: { Value: "terminate" } });
  });
});

async function makeImage(): Promise<string> {
  const request = new CreateImageCommand({ InstanceId, Name: "made", NoReboot: true });
  return (await local.ec2.send(request)).ImageId ?? "";
}

async function images(request: object = {}): Promise<Image[]> {
  return (await local.ec2.send(new DescribeImagesCommand(request))).Images ?? [];
}

describe("ModifyImageAttribute", () => {
  test("IMDSv2 once and for all, and then for every instance by default", async () => {
    const ImageId = await makeImage();
    const set = async (Value: string): Promise<unknown> =>
      await local.ec2.send(new ModifyImageAttributeCommand({ ImageId, ImdsSupport: { Value } }));
    await set("v2.0");
    await expect(set("v1.0")).rejects.toMatchObject({ name: "InvalidParameterValue" });
    expect(await images({ ImageIds: [ImageId] })).toMatchObject([
      { ImdsSupport: "v2.0", RootDeviceName: "/dev/xvda" },
    ]);
    const request = { ImageId, InstanceType: "t3.micro" as const, MinCount: 1, MaxCount: 1 };
    const { Instances } = await local.ec2.send(new RunInstancesCommand(request));
    expect(Instances?.[0]?.MetadataOptions).toMatchObject({
      HttpTokens: "required",
      HttpPutResponseHopLimit: 2,
    });
  });

  test("only of an available image of this account", async () => {
    const set = async (ImageId: string): Promise<unknown> =>
      await local.ec2.send(new ModifyImageAttributeCommand({ ImageId, Description: { Value: "d" } }));
    await expect(set(local.imageId)).rejects.toMatchObject({ name: "AuthFailure" });
    const ImageId = await makeImage();
    await new Store(local.directory).change((draft) => {
      for (const image of draft.images) if (image.id === ImageId) image.state = "failed";
    }, AbortSignal.timeout(10_000));
    await expect(set(ImageId)).rejects.toMatchObject({ name: "InvalidAMIID.Unavailable" });
  });
});

describe("deprecation", () => {
  test("of an own image shows its time, which must be ahead", async () => {
    const ImageId = await makeImage();
    const deprecate = async (at: number): Promise<unknown> =>
      await local.ec2.send(new EnableImageDeprecationCommand({ ImageId, DeprecateAt: new Date(at) }));
    await expect(deprecate(now - 3_600_000)).rejects.toMatchObject({ name: "InvalidParameterValue" });
    await expect(deprecate(now + 11 * 366 * 86_400_000)).rejects.toMatchObject({
      name: "InvalidParameterValue",
    });
    await deprecate(Date.parse("2026-02-01T00:00:31Z"));
    const [image] = await images({ Owners: ["self"] });
    expect(image?.DeprecationTime).toBe("2026-02-01T00:01:00.000Z");
    await local.ec2.send(new DisableImageDeprecationCommand({ ImageId }));
    expect((await images({ Owners: ["self"] }))[0]?.DeprecationTime).toBeUndefined();
  });

  test("of another's image hides it, unless it is asked for", async () => {
    const before = now;
    await new Store(local.directory).change((draft) => {
      for (const image of draft.images) image.deprecatedAt = before + 1000;
    }, AbortSignal.timeout(10_000));
    const Owners = ["amazon"];
    expect(await images({ Owners })).toHaveLength(1);
    now += 2000;
    expect(await images({ Owners })).toEqual([]);
    expect(await images({ Owners, IncludeDeprecated: true })).toHaveLength(1);
    expect(await images({ ImageIds: [local.imageId] })).toHaveLength(1);
  });
});

test("subnets: default ones that give public addresses, page by page", async () => {
  const { Subnets = [] } = await local.ec2.send(
    new DescribeSubnetsCommand({ Filters: [{ Name: "default-for-az", Values: ["true"] }] }),
  );
  expect(Subnets).toMatchObject([
    {
      DefaultForAz: true,
      MapPublicIpOnLaunch: true,
      Ipv6CidrBlockAssociationSet: [],
      AvailabilityZone: "locala",
    },
    {
      DefaultForAz: true,
      MapPublicIpOnLaunch: true,
      Ipv6CidrBlockAssociationSet: [],
      AvailabilityZone: "localb",
    },
  ]);
  const [first = 0] = Subnets.map(({ AvailableIpAddressCount = 0 }) => AvailableIpAddressCount);
  await local.ec2.send(
    new RunInstancesCommand({
      ImageId: local.imageId,
      InstanceType: "t3.micro",
      MinCount: 2,
      MaxCount: 2,
      SubnetId: Subnets[0]?.SubnetId,
    }),
  );
  const after = await local.ec2.send(new DescribeSubnetsCommand({ MaxResults: 5 }));
  expect(after.Subnets?.[0]?.AvailableIpAddressCount).toBe(first - 2);
});

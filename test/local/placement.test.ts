import {
  CreatePlacementGroupCommand,
  DeletePlacementGroupCommand,
  DescribeInstanceAttributeCommand,
  DescribeInstancesCommand,
  DescribePlacementGroupsCommand,
  ModifyInstanceAttributeCommand,
  RunInstancesCommand,
  TerminateInstancesCommand,
  type Instance,
  type PlacementStrategy,
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

async function run(more: Partial<RunInstancesCommandInput> = {}): Promise<Instance[]> {
  const request = { ImageId: local.imageId, InstanceType: "c7i.large" as const, MinCount: 1, MaxCount: 1 };
  return (await local.ec2.send(new RunInstancesCommand({ ...request, ...more }))).Instances ?? [];
}

async function group(GroupName: string, Strategy: PlacementStrategy, rest: object = {}): Promise<unknown> {
  const reply = await local.ec2.send(new CreatePlacementGroupCommand({ GroupName, Strategy, ...rest }));
  return reply.PlacementGroup;
}

describe("placement groups", () => {
  test("are made with their tags, shown, and deleted when nothing is in them", async () => {
    const TagSpecifications = [
      { ResourceType: "placement-group" as const, Tags: [{ Key: "a", Value: "b" }] },
    ];
    expect(await group("near", "cluster", { TagSpecifications })).toMatchObject({
      GroupName: "near",
      Strategy: "cluster",
      State: "available",
      Tags: [{ Key: "a", Value: "b" }],
    });
    await group("far", "spread");
    await group("parts", "partition", { PartitionCount: 3 });
    const Filters = [{ Name: "strategy", Values: ["spread", "partition"] }];
    const { PlacementGroups } = await local.ec2.send(new DescribePlacementGroupsCommand({ Filters }));
    expect(PlacementGroups).toMatchObject([
      { GroupName: "far", SpreadLevel: "rack" },
      { GroupName: "parts", PartitionCount: 3 },
    ]);
    const [instance] = await run({ Placement: { GroupName: "near" } });
    expect(instance?.Placement).toMatchObject({ GroupName: "near", Tenancy: "default" });
    const drop = async (): Promise<unknown> =>
      await local.ec2.send(new DeletePlacementGroupCommand({ GroupName: "near" }));
    await expect(drop()).rejects.toMatchObject({ name: "InvalidPlacementGroup.InUse" });
    await local.ec2.send(new TerminateInstancesCommand({ InstanceIds: [instance?.InstanceId ?? ""] }));
    await local.ec2.send(new DescribeInstancesCommand({}));
    await drop();
    await expect(drop()).rejects.toMatchObject({ name: "InvalidPlacementGroup.Unknown" });
  });

  test("spread their partitions evenly, or take the one that is named", async () => {
    await group("parts", "partition", { PartitionCount: 2 });
    const Placement = { GroupName: "parts" };
    const three = await run({ MinCount: 3, MaxCount: 3, Placement });
    expect(three.map((it) => it.Placement?.PartitionNumber)).toEqual([1, 2, 1]);
    const [named] = await run({ Placement: { ...Placement, PartitionNumber: 1 } });
    expect(named?.Placement?.PartitionNumber).toBe(1);
    const Filters = [{ Name: "placement-partition-number", Values: ["1"] }];
    const { Reservations = [] } = await local.ec2.send(new DescribeInstancesCommand({ Filters }));
    expect(Reservations.flatMap(({ Instances = [] }) => Instances)).toHaveLength(3);
    const third = run({ Placement: { ...Placement, PartitionNumber: 3 } });
    await expect(third).rejects.toMatchObject({ name: "InvalidParameterValue" });
  });

  test("take a burstable type unless they are clusters", async () => {
    await group("near", "cluster");
    await group("far", "spread");
    const near = run({ InstanceType: "t3.micro", Placement: { GroupName: "near" } });
    await expect(near).rejects.toMatchObject({ name: "InvalidParameterCombination" });
    expect(await run({ InstanceType: "t3.micro", Placement: { GroupName: "far" } })).toHaveLength(1);
  });

  test.each([
    ["that exist already", "there", "cluster", {}, "InvalidPlacementGroup.Duplicate"],
    ["with partitions in a cluster", "new", "cluster", { PartitionCount: 2 }, "InvalidParameterCombination"],
    ["with eight partitions", "new", "partition", { PartitionCount: 8 }, "InvalidParameterValue"],
    ["without a name", "", "spread", {}, "InvalidParameterValue"],
  ] as const)("are refused %s", async (_, name, strategy, rest, code) => {
    await group("there", "spread");
    await expect(group(name, strategy, rest)).rejects.toMatchObject({ name: code });
  });
});

test("an instance shows its tenancy and whether it is EBS-optimised", async () => {
  const [instance] = await run({ Placement: { Tenancy: "dedicated" }, EbsOptimized: true });
  expect(instance).toMatchObject({ Placement: { Tenancy: "dedicated" }, EbsOptimized: true });
  expect((await run())[0]).toMatchObject({ Placement: { Tenancy: "default" }, EbsOptimized: false });
});

describe("termination protection", () => {
  const isProtected = async (InstanceId: string): Promise<boolean | undefined> => {
    const request = { InstanceId, Attribute: "disableApiTermination" as const };
    const reply = await local.ec2.send(new DescribeInstanceAttributeCommand(request));
    return reply.DisableApiTermination?.Value;
  };
  const terminate = async (...InstanceIds: string[]): Promise<unknown> =>
    await local.ec2.send(new TerminateInstancesCommand({ InstanceIds }));
  const idOf = (instances: readonly Instance[]): string => instances[0]?.InstanceId ?? "";
  const states = async (): Promise<(string | undefined)[]> => {
    const { Reservations = [] } = await local.ec2.send(new DescribeInstancesCommand({}));
    return Reservations.flatMap(({ Instances = [] }) => Instances).map(({ State }) => State?.Name);
  };

  test("keeps an instance until it is taken off", async () => {
    const id = idOf(await run({ DisableApiTermination: true }));
    expect(await isProtected(id)).toBe(true);
    await expect(terminate(id)).rejects.toMatchObject({ name: "OperationNotPermitted" });
    expect(await states()).toEqual(["running"]);
    const protect = async (Value: boolean): Promise<unknown> =>
      await local.ec2.send(
        new ModifyInstanceAttributeCommand({ InstanceId: id, DisableApiTermination: { Value } }),
      );
    await protect(false);
    expect(await isProtected(id)).toBe(false);
    await protect(true);
    await protect(false);
    await terminate(id);
    expect(await states()).toEqual(["terminated"]);
  });

  test("keeps the others of its zone, and not those of another", async () => {
    const guarded = idOf(await run({ DisableApiTermination: true }));
    const beside = idOf(await run());
    const elsewhere = idOf(await run({ Placement: { AvailabilityZone: "localb" } }));
    await expect(terminate(guarded, beside, elsewhere)).rejects.toMatchObject({
      name: "OperationNotPermitted",
    });
    expect(await states()).toEqual(["running", "running", "terminated"]);
  });

  test("is not for spot instances", async () => {
    const id = idOf(await run({ InstanceMarketOptions: { MarketType: "spot" } }));
    const protect = local.ec2.send(
      new ModifyInstanceAttributeCommand({ InstanceId: id, DisableApiTermination: { Value: true } }),
    );
    await expect(protect).rejects.toMatchObject({ name: "UnsupportedOperation" });
  });
});

import {
  AllocateAddressCommand,
  AssociateAddressCommand,
  DescribeAddressesCommand,
  DescribeInstancesCommand,
  DisassociateAddressCommand,
  ReleaseAddressCommand,
  RunInstancesCommand,
  StartInstancesCommand,
  StopInstancesCommand,
  TerminateInstancesCommand,
  type Address,
  type AssociateAddressCommandInput,
  type Instance,
} from "@aws-sdk/client-ec2";
import { afterEach, beforeEach, expect, test } from "vitest";
import { stateOnlyCloud, type StateOnlyCloud } from "../support/local-cloud.ts";

let local: StateOnlyCloud;

beforeEach(async () => {
  local = await stateOnlyCloud();
});
afterEach(async () => {
  await local[Symbol.asyncDispose]();
});

async function allocate(): Promise<{ readonly id: string; readonly address: string }> {
  const reply = await local.ec2.send(
    new AllocateAddressCommand({
      TagSpecifications: [{ ResourceType: "elastic-ip", Tags: [{ Key: "a", Value: "b" }] }],
    }),
  );
  return { id: reply.AllocationId ?? "", address: reply.PublicIp ?? "" };
}

async function run(AssociatePublicIpAddress = true): Promise<Instance> {
  const { Instances } = await local.ec2.send(
    new RunInstancesCommand({
      ...{ ImageId: local.imageId, InstanceType: "t3.micro", MinCount: 1, MaxCount: 1 },
      NetworkInterfaces: [{ DeviceIndex: 0, AssociatePublicIpAddress }],
    }),
  );
  return await instance(Instances?.[0]?.InstanceId);
}

async function instance(id = ""): Promise<Instance> {
  const reply = await local.ec2.send(new DescribeInstancesCommand({ InstanceIds: [id] }));
  return reply.Reservations?.[0]?.Instances?.[0] ?? {};
}

async function associate(more: AssociateAddressCommandInput): Promise<string> {
  return (await local.ec2.send(new AssociateAddressCommand(more))).AssociationId ?? "";
}

async function addresses(): Promise<Address[]> {
  return (await local.ec2.send(new DescribeAddressesCommand({}))).Addresses ?? [];
}

test("an address is an instance's public address as long as it is associated", async () => {
  const { id: AllocationId, address } = await allocate();
  expect(address).toMatch(/^127\./);
  const { InstanceId = "", PublicIpAddress: own } = await run();
  expect(own).not.toBe(address);
  const AssociationId = await associate({ AllocationId, InstanceId });
  expect(await associate({ AllocationId, InstanceId })).toBe(AssociationId);
  expect(await instance(InstanceId)).toMatchObject({ PublicIpAddress: address, PublicDnsName: address });
  const Filters = [{ Name: "instance-id", Values: [InstanceId] }];
  const { Addresses } = await local.ec2.send(new DescribeAddressesCommand({ Filters }));
  expect(Addresses).toMatchObject([
    { AllocationId, AssociationId, InstanceId, PublicIp: address, Tags: [{ Key: "a", Value: "b" }] },
  ]);
  const release = async (): Promise<unknown> =>
    await local.ec2.send(new ReleaseAddressCommand({ AllocationId }));
  await expect(release()).rejects.toMatchObject({ name: "InvalidIPAddress.InUse" });
  await local.ec2.send(new DisassociateAddressCommand({ AssociationId }));
  expect((await instance(InstanceId)).PublicIpAddress).toMatch(/^127\./);
  expect((await instance(InstanceId)).PublicIpAddress).not.toBe(address);
  await release();
  expect(await addresses()).toEqual([]);
});

test("it stays through a stop and a start, and is free again after the end", async () => {
  const { id: AllocationId, address } = await allocate();
  const { InstanceId = "" } = await run();
  await associate({ AllocationId, InstanceId });
  await local.ec2.send(new StopInstancesCommand({ InstanceIds: [InstanceId] }));
  expect((await instance(InstanceId)).State?.Name).toBe("stopped");
  await local.ec2.send(new StartInstancesCommand({ InstanceIds: [InstanceId] }));
  expect((await instance(InstanceId)).PublicIpAddress).toBe(address);
  await local.ec2.send(new TerminateInstancesCommand({ InstanceIds: [InstanceId] }));
  await instance(InstanceId);
  const [left] = await addresses();
  expect(left?.AllocationId).toBe(AllocationId);
  expect(left?.InstanceId).toBeUndefined();
  await local.ec2.send(new ReleaseAddressCommand({ AllocationId }));
});

test("it moves to another instance when that is allowed", async () => {
  const { id: AllocationId, address } = await allocate();
  const first = await run();
  const second = await run(false);
  expect(second.PublicIpAddress).toBeUndefined();
  await associate({ AllocationId, InstanceId: first.InstanceId });
  await expect(associate({ AllocationId, InstanceId: second.InstanceId })).rejects.toMatchObject({
    name: "Resource.AlreadyAssociated",
  });
  const AssociationId = await associate({
    ...{ AllocationId, InstanceId: second.InstanceId, AllowReassociation: true },
  });
  expect((await instance(second.InstanceId)).PublicIpAddress).toBe(address);
  expect((await instance(first.InstanceId)).PublicIpAddress).toMatch(/^127\./);
  await local.ec2.send(new DisassociateAddressCommand({ AssociationId }));
  expect((await instance(second.InstanceId)).PublicIpAddress).toBeUndefined();
});

test("an instance has one: the second takes the place of the first", async () => {
  const [first, second] = [await allocate(), await allocate()];
  const { InstanceId } = await run();
  await associate({ AllocationId: first.id, InstanceId });
  await associate({ AllocationId: second.id, InstanceId });
  expect((await instance(InstanceId)).PublicIpAddress).toBe(second.address);
  expect((await addresses()).map((it) => it.InstanceId)).toEqual([undefined, InstanceId]);
});

test("no address is given out twice, and an account has five", async () => {
  const taken: (string | undefined)[] = [];
  for (let count = 0; count < 5; count += 1) {
    taken.push((await allocate()).address, (await run()).PublicIpAddress);
  }
  expect(new Set(taken).size).toBe(10);
  await expect(allocate()).rejects.toMatchObject({ name: "AddressLimitExceeded" });
});

test("what does not exist or cannot have one now is refused", async () => {
  const { id: AllocationId } = await allocate();
  const { InstanceId = "" } = await run();
  const gone = associate({ AllocationId: "eipalloc-0123456789abcdef0", InstanceId });
  await expect(gone).rejects.toMatchObject({ name: "InvalidAllocationID.NotFound" });
  const nobody = associate({ AllocationId, InstanceId: "i-0123456789abcdef0" });
  await expect(nobody).rejects.toMatchObject({ name: "InvalidInstanceID.NotFound" });
  await expect(associate({ AllocationId })).rejects.toMatchObject({ name: "MissingParameter" });
  const apart = local.ec2.send(new DisassociateAddressCommand({ AssociationId: "eipassoc-1" }));
  await expect(apart).rejects.toMatchObject({ name: "InvalidAssociationID.NotFound" });
  const unknown = local.ec2.send(new DescribeAddressesCommand({ PublicIps: ["127.0.0.9"] }));
  await expect(unknown).rejects.toMatchObject({ name: "InvalidAddress.NotFound" });
  await local.ec2.send(new TerminateInstancesCommand({ InstanceIds: [InstanceId] }));
  await expect(associate({ AllocationId, InstanceId })).rejects.toMatchObject({ name: "InvalidInstanceID" });
});

test("a pending instance has to run first", async () => {
  await using slow = await stateOnlyCloud({ delays: { start: 60_000, stop: 0, terminate: 0 } });
  const { AllocationId } = await slow.ec2.send(new AllocateAddressCommand({}));
  const { Instances } = await slow.ec2.send(
    new RunInstancesCommand({
      ...{ ImageId: slow.imageId, InstanceType: "t3.micro", MinCount: 1, MaxCount: 1 },
    }),
  );
  const refused = slow.ec2.send(
    new AssociateAddressCommand({ AllocationId, InstanceId: Instances?.[0]?.InstanceId }),
  );
  await expect(refused).rejects.toMatchObject({ name: "InvalidInstanceID" });
  await expect(refused).rejects.toThrow("pending instance");
});

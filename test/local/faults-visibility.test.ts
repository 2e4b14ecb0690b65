import { expect, test } from "vitest";
import {
  CreateImageCommand,
  CreateSecurityGroupCommand,
  CreateTagsCommand,
  DeleteKeyPairCommand,
  DescribeImagesCommand,
  DescribeInstancesCommand,
  DescribeKeyPairsCommand,
  DescribeSecurityGroupsCommand,
  DescribeSnapshotsCommand,
  EC2Client,
  ImportKeyPairCommand,
  RunInstancesCommand,
  StopInstancesCommand,
  TerminateInstancesCommand,
} from "@aws-sdk/client-ec2";
import type { FaultPlan } from "../../src/local/faults/plan.ts";
import { openLocalCloud } from "../../src/local/open.ts";
import { clientOptions, stateOnlyCloud, type StateOnlyCloud } from "../support/local-cloud.ts";

const key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl";

interface Trial extends AsyncDisposable {
  readonly local: StateOnlyCloud;
  readonly ec2: EC2Client;
  readonly pass: (ms: number) => void;
  readonly run: () => Promise<string>;
  /** The names of the states that a listing of everything shows. */
  readonly listed: () => Promise<(string | undefined)[]>;
}

async function trial(faults: FaultPlan): Promise<Trial> {
  let now = Date.parse("2026-01-03");
  const local = await stateOnlyCloud({ faults, now: () => now });
  const ec2 = new EC2Client({ ...clientOptions(local.cloud), maxAttempts: 1 });
  return {
    local,
    ec2,
    pass: (ms) => {
      now += ms;
    },
    run: async () => {
      const { Instances } = await ec2.send(
        new RunInstancesCommand({ ImageId: local.imageId, MinCount: 1, MaxCount: 1, ClientToken: "token" }),
      );
      return Instances?.[0]?.InstanceId ?? "";
    },
    listed: async () => {
      const { Reservations = [] } = await ec2.send(new DescribeInstancesCommand({}));
      return Reservations.flatMap(({ Instances = [] }) => Instances.map(({ State }) => State?.Name));
    },
    [Symbol.asyncDispose]: async () => {
      await local[Symbol.asyncDispose]();
    },
  };
}

function byId(id: string): DescribeInstancesCommand {
  return new DescribeInstancesCommand({ InstanceIds: [id] });
}

test("a new instance is not found by id, not listed, and cannot be acted on, for a while", async () => {
  await using it = await trial({ consistency: { instance: { hiddenMs: 2000 } } });
  const id = await it.run();
  const missing = { name: "InvalidInstanceID.NotFound", message: `The instance ID '${id}' does not exist` };
  it.pass(1999);
  await expect(it.ec2.send(byId(id))).rejects.toMatchObject(missing);
  await expect(it.ec2.send(new TerminateInstancesCommand({ InstanceIds: [id] }))).rejects.toMatchObject(
    missing,
  );
  await expect(
    it.ec2.send(new CreateTagsCommand({ Resources: [id], Tags: [{ Key: "a", Value: "b" }] })),
  ).rejects.toMatchObject(missing);
  expect(await it.listed()).toEqual([]);
  // It was made all the same: the token finds it.
  expect(await it.run()).toBe(id);
  it.pass(1);
  expect(await it.listed()).toEqual(["running"]);
  await it.ec2.send(new TerminateInstancesCommand({ InstanceIds: [id] }));
});

test("hidden from the first calls that would show it, each counted once", async () => {
  await using it = await trial({ consistency: { instance: { hiddenCalls: 3 } } });
  const id = await it.run();
  await expect(it.ec2.send(byId(id))).rejects.toMatchObject({ name: "InvalidInstanceID.NotFound" });
  await it.ec2.send(new DescribeKeyPairsCommand({}));
  expect(await it.listed()).toEqual([]);
  await expect(it.ec2.send(new StopInstancesCommand({ InstanceIds: [id] }))).rejects.toMatchObject({
    name: "InvalidInstanceID.NotFound",
  });
  expect(await it.listed()).toEqual(["running"]);
});

test("what was there before a process opened the cloud is no news to it", async () => {
  await using it = await trial({ consistency: { instance: { hiddenCalls: 3 } } });
  const id = await it.run();
  it.pass(1);
  const later = openLocalCloud({
    directory: it.local.directory,
    engine: "state-only",
    faults: { consistency: { instance: { hiddenCalls: 3 } } },
  });
  await new EC2Client(clientOptions(later)).send(byId(id));
});

test("another process under the plan does not see it earlier; one without a plan does", async () => {
  const faults: FaultPlan = { consistency: { instance: { hiddenMs: 3_600_000 } } };
  await using it = await trial(faults);
  const id = await it.run();
  const now = (): number => Date.parse("2026-01-03") + 1000;
  const open = (plan?: FaultPlan): EC2Client =>
    new EC2Client(
      clientOptions(
        openLocalCloud({
          directory: it.local.directory,
          engine: "state-only",
          now,
          ...(plan === undefined ? {} : { faults: plan }),
        }),
      ),
    );
  await expect(open(faults).send(byId(id))).rejects.toMatchObject({ name: "InvalidInstanceID.NotFound" });
  await open().send(byId(id));
});

test("groups, key pairs, images and snapshots are late as well, by id and by name", async () => {
  const late = { hiddenMs: 1000 };
  await using it = await trial({
    consistency: { securityGroup: late, keyPair: late, image: late, snapshot: late },
  });
  const { ec2 } = it;
  const { GroupId = "" } = await ec2.send(
    new CreateSecurityGroupCommand({ GroupName: "mine", Description: "a group" }),
  );
  await ec2.send(new ImportKeyPairCommand({ KeyName: "mine", PublicKeyMaterial: Buffer.from(key) }));
  const launch = { ImageId: it.local.imageId, MinCount: 1, MaxCount: 1 };
  const cases: [work: () => Promise<unknown>, name: string][] = [
    [() => ec2.send(new DescribeSecurityGroupsCommand({ GroupIds: [GroupId] })), "InvalidGroup.NotFound"],
    [() => ec2.send(new DescribeSecurityGroupsCommand({ GroupNames: ["mine"] })), "InvalidGroup.NotFound"],
    [
      () => ec2.send(new RunInstancesCommand({ ...launch, SecurityGroupIds: [GroupId] })),
      "InvalidGroup.NotFound",
    ],
    [
      () => ec2.send(new RunInstancesCommand({ ...launch, SecurityGroups: ["mine"] })),
      "InvalidGroup.NotFound",
    ],
    [() => ec2.send(new RunInstancesCommand({ ...launch, KeyName: "mine" })), "InvalidKeyPair.NotFound"],
    [() => ec2.send(new DescribeKeyPairsCommand({ KeyNames: ["mine"] })), "InvalidKeyPair.NotFound"],
    // A name is taken before it is seen.
    [
      () => ec2.send(new CreateSecurityGroupCommand({ GroupName: "mine", Description: "again" })),
      "InvalidGroup.Duplicate",
    ],
    [
      () => ec2.send(new ImportKeyPairCommand({ KeyName: "mine", PublicKeyMaterial: Buffer.from(key) })),
      "InvalidKeyPair.Duplicate",
    ],
  ];
  for (const [work, name] of cases) await expect(work()).rejects.toMatchObject({ name });
  it.pass(1000);
  await ec2.send(new RunInstancesCommand({ ...launch, SecurityGroupIds: [GroupId], KeyName: "mine" }));

  const id = await it.run();
  await ec2.send(new StopInstancesCommand({ InstanceIds: [id] }));
  const { ImageId = "" } = await ec2.send(new CreateImageCommand({ InstanceId: id, Name: "fresh" }));
  const own = new DescribeImagesCommand({ Owners: ["self"] });
  const snapshots = new DescribeSnapshotsCommand({ OwnerIds: ["self"] });
  await expect(ec2.send(new DescribeImagesCommand({ ImageIds: [ImageId] }))).rejects.toMatchObject({
    name: "InvalidAMIID.NotFound",
  });
  expect((await ec2.send(own)).Images).toEqual([]);
  const before = (await ec2.send(snapshots)).Snapshots?.length ?? 0;
  await expect(ec2.send(new CreateImageCommand({ InstanceId: id, Name: "fresh" }))).rejects.toMatchObject({
    name: "InvalidAMIName.Duplicate",
  });
  it.pass(1000);
  expect((await ec2.send(own)).Images).toHaveLength(1);
  expect((await ec2.send(snapshots)).Snapshots).toHaveLength(before + 1);
});

test("a key pair that is not seen yet can be deleted all the same", async () => {
  await using it = await trial({ consistency: { keyPair: { hiddenMs: 1000 } } });
  await it.ec2.send(new ImportKeyPairCommand({ KeyName: "mine", PublicKeyMaterial: Buffer.from(key) }));
  await it.ec2.send(new DeleteKeyPairCommand({ KeyName: "mine" }));
  it.pass(1000);
  expect((await it.ec2.send(new DescribeKeyPairsCommand({}))).KeyPairs).toEqual([]);
});

test("a listing shows the earlier state for a while, a change acts on the true one", async () => {
  await using it = await trial({
    consistency: { instance: { staleMs: 4000 }, image: { staleMs: 3000 } },
    delaysMs: { start: 1000, stop: 1000, image: 1000 },
  });
  const id = await it.run();
  it.pass(1000);
  expect(await it.listed()).toEqual(["pending"]);
  it.pass(3999);
  expect(await it.listed()).toEqual(["pending"]);
  it.pass(1);
  expect(await it.listed()).toEqual(["running"]);
  await it.ec2.send(new StopInstancesCommand({ InstanceIds: [id] }));
  expect(await it.listed()).toEqual(["running"]);
  it.pass(1000);
  expect(await it.listed()).toEqual(["stopping"]);
  // It is stopped by now, whatever is shown.
  const { ImageId = "" } = await it.ec2.send(new CreateImageCommand({ InstanceId: id, Name: "fresh" }));
  const shown = async (): Promise<string | undefined> =>
    (await it.ec2.send(new DescribeImagesCommand({ ImageIds: [ImageId] }))).Images?.[0]?.State;
  expect(await shown()).toBe("pending");
  it.pass(1000);
  expect(await shown()).toBe("pending");
  it.pass(3000);
  expect(await shown()).toBe("available");
  expect(await it.listed()).toEqual(["stopped"]);
});

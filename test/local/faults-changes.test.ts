import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import {
  CreateImageCommand,
  DescribeImagesCommand,
  DescribeInstancesCommand,
  DescribeSnapshotsCommand,
  DeleteSecurityGroupCommand,
  CreateSecurityGroupCommand,
  EC2Client,
  RunInstancesCommand,
  StartInstancesCommand,
  StopInstancesCommand,
  TerminateInstancesCommand,
  type Image,
  type Instance,
  type RunInstancesCommandInput,
} from "@aws-sdk/client-ec2";
import { viewOf } from "../../src/local/imds/instance-view.ts";
import { respond } from "../../src/local/imds/respond.ts";
import type { FaultPlan } from "../../src/local/faults/plan.ts";
import { clientOptions, stateOnlyCloud, type StateOnlyCloud } from "../support/local-cloud.ts";

const begin = Date.parse("2026-01-02");

interface Trial extends AsyncDisposable {
  readonly local: StateOnlyCloud;
  readonly ec2: EC2Client;
  /** Lets time pass, in milliseconds. */
  readonly pass: (ms: number) => void;
  readonly run: (more?: Partial<RunInstancesCommandInput>) => Promise<string>;
  readonly show: (id: string) => Promise<Instance>;
  readonly state: (id: string) => Promise<string | undefined>;
  readonly image: (id: string) => Promise<Image>;
}

async function trial(faults: FaultPlan): Promise<Trial> {
  let now = begin;
  const local = await stateOnlyCloud({ faults, now: () => now });
  const ec2 = new EC2Client({ ...clientOptions(local.cloud), maxAttempts: 1 });
  const show = async (id: string): Promise<Instance> => {
    const { Reservations } = await ec2.send(new DescribeInstancesCommand({ InstanceIds: [id] }));
    const instance = Reservations?.[0]?.Instances?.[0];
    if (instance === undefined) throw new Error(`${id} is not shown`);
    return instance;
  };
  return {
    local,
    ec2,
    pass: (ms) => {
      now += ms;
    },
    run: async (more = {}) => {
      const { Instances } = await ec2.send(
        new RunInstancesCommand({ ImageId: local.imageId, MinCount: 1, MaxCount: 1, ...more }),
      );
      return Instances?.[0]?.InstanceId ?? "";
    },
    show,
    state: async (id) => (await show(id)).State?.Name,
    image: async (id) => {
      const { Images } = await ec2.send(new DescribeImagesCommand({ ImageIds: [id] }));
      const [image] = Images ?? [];
      if (image === undefined) throw new Error(`${id} is not shown`);
      return image;
    },
    [Symbol.asyncDispose]: async () => {
      await local[Symbol.asyncDispose]();
    },
  };
}

const spot = { InstanceMarketOptions: { MarketType: "spot" } } as const;

test("each state takes its time, and only its time", async () => {
  await using it = await trial({ delaysMs: { start: 6000, stop: 95_000, terminate: 9000, image: 60_000 } });
  const id = await it.run();
  it.pass(5999);
  expect(await it.state(id)).toBe("pending");
  it.pass(1);
  expect(await it.state(id)).toBe("running");
  await it.ec2.send(new StopInstancesCommand({ InstanceIds: [id] }));
  it.pass(94_999);
  expect(await it.state(id)).toBe("stopping");
  it.pass(1);
  expect(await it.state(id)).toBe("stopped");
  const { ImageId = "" } = await it.ec2.send(new CreateImageCommand({ InstanceId: id, Name: "slow" }));
  const snapshotStates = async (): Promise<string[]> => {
    const filter = { Name: "description", Values: [`*for ${ImageId}`] };
    const { Snapshots = [] } = await it.ec2.send(new DescribeSnapshotsCommand({ Filters: [filter] }));
    return Snapshots.map(({ State, Progress }) => `${State ?? ""} ${Progress ?? ""}`);
  };
  it.pass(59_999);
  expect((await it.image(ImageId)).State).toBe("pending");
  expect(await snapshotStates()).toEqual(["pending 0%"]);
  await expect(it.run({ ImageId })).rejects.toMatchObject({ name: "InvalidAMIID.Unavailable" });
  it.pass(1);
  expect((await it.image(ImageId)).State).toBe("available");
  expect(await snapshotStates()).toEqual(["completed 100%"]);
  await it.ec2.send(new StartInstancesCommand({ InstanceIds: [id] }));
  expect(await it.state(id)).toBe("pending");
  it.pass(6000);
  expect(await it.state(id)).toBe("running");
  await it.ec2.send(new TerminateInstancesCommand({ InstanceIds: [id] }));
  expect(await it.state(id)).toBe("shutting-down");
  it.pass(9000);
  expect(await it.state(id)).toBe("terminated");
});

test("times between bounds are drawn by seed, so a replay takes as long", async () => {
  const times = async (seed: number): Promise<number[]> => {
    await using it = await trial({ seed, delaysMs: { start: [1000, 9000] } });
    const found: number[] = [];
    for (let launch = 0; launch < 3; launch += 1) {
      const id = await it.run();
      let waited = 0;
      for (; (await it.state(id)) === "pending"; waited += 250) it.pass(250);
      found.push(waited);
    }
    return found;
  };
  const first = await times(5);
  expect(new Set(first).size).toBeGreaterThan(1);
  expect(Math.min(...first)).toBeGreaterThanOrEqual(1000);
  expect(Math.max(...first)).toBeLessThanOrEqual(9000);
  expect(await times(5)).toEqual(first);
  expect(await times(6)).not.toEqual(first);
});

test("a second process on the same cloud sees the same times", async () => {
  await using it = await trial({ seed: 5, delaysMs: { start: [5000, 9000] } });
  const id = await it.run();
  const { openLocalCloud } = await import("../../src/local/open.ts");
  const open = (now: number): EC2Client =>
    new EC2Client(
      clientOptions(openLocalCloud({ directory: it.local.directory, engine: "state-only", now: () => now })),
    );
  const stateAt = async (now: number): Promise<string | undefined> => {
    const { Reservations } = await open(now).send(new DescribeInstancesCommand({ InstanceIds: [id] }));
    return Reservations?.[0]?.Instances?.[0]?.State?.Name;
  };
  expect(await stateAt(begin + 4999)).toBe("pending");
  expect(await stateAt(begin + 9000)).toBe("running");
});

test("an image ends as failed, with the reason and its snapshot", async () => {
  await using it = await trial({ delaysMs: { image: 1000 }, failedImages: [{ on: [1] }] });
  const id = await it.run();
  await it.ec2.send(new StopInstancesCommand({ InstanceIds: [id] }));
  const make = async (name: string): Promise<string> => {
    const { ImageId = "" } = await it.ec2.send(new CreateImageCommand({ InstanceId: id, Name: name }));
    return ImageId;
  };
  const [first, second] = [await make("one"), await make("two")];
  expect((await it.image(first)).State).toBe("pending");
  it.pass(1000);
  expect(await it.image(first)).toMatchObject({
    State: "failed",
    StateReason: { Code: "Server.InternalError" },
  });
  expect((await it.image(second)).State).toBe("available");
});

test("an image that fails at once does so without a delay in the plan", async () => {
  await using it = await trial({ failedImages: [{ code: "Client.KMSError", message: "no such key" }] });
  const id = await it.run();
  const { ImageId = "" } = await it.ec2.send(
    new CreateImageCommand({ InstanceId: id, Name: "one", NoReboot: true }),
  );
  expect(await it.image(ImageId)).toMatchObject({
    State: "failed",
    StateReason: { Code: "Client.KMSError", Message: "no such key" },
  });
});

test("capacity runs out by zone, by type, and on the spot market", async () => {
  await using it = await trial({
    capacity: [{ zone: "locala", type: "t3.small" }, { type: "t3.medium", on: [1] }, { spotOnly: true }],
  });
  const refused = { name: "InsufficientInstanceCapacity", $metadata: { httpStatusCode: 500 } };
  const inZone = (zone: string): Partial<RunInstancesCommandInput> => ({
    Placement: { AvailabilityZone: zone },
  });
  await expect(it.run({ InstanceType: "t3.small", ...inZone("locala") })).rejects.toMatchObject(refused);
  await expect(it.run({ InstanceType: "t3.small" })).rejects.toThrow(/t3\.small capacity .*locala/);
  await it.run({ InstanceType: "t3.small", ...inZone("localb") });
  await expect(it.run({ InstanceType: "t3.medium" })).rejects.toMatchObject(refused);
  await it.run({ InstanceType: "t3.medium" });
  await expect(it.run({ ...spot })).rejects.toThrow("no Spot capacity");
  await it.run();
  const { Reservations = [] } = await it.ec2.send(new DescribeInstancesCommand({}));
  expect(Reservations).toHaveLength(3);
});

test("a repeated request with a client token gets its instance though capacity has run out", async () => {
  await using it = await trial({ capacity: [{ on: [2] }] });
  const first = await it.run({ ClientToken: "one" });
  expect(await it.run({ ClientToken: "one" })).toBe(first);
  await expect(it.run()).rejects.toMatchObject({ name: "InsufficientInstanceCapacity" });
});

test("an instance goes straight from pending to terminated", async () => {
  await using it = await trial({
    delaysMs: { start: 3000, terminate: 50_000 },
    failedLaunches: [{ code: "Client.InvalidSnapshot.NotFound", on: [1] }],
  });
  const id = await it.run();
  expect(await it.state(id)).toBe("pending");
  it.pass(3000);
  expect(await it.show(id)).toMatchObject({
    State: { Name: "terminated" },
    StateReason: { Code: "Client.InvalidSnapshot.NotFound" },
    StateTransitionReason: "Client.InvalidSnapshot.NotFound: The snapshot does not exist",
  });
  const second = await it.run();
  it.pass(3000);
  expect(await it.state(second)).toBe("running");
});

test("a group stays in use for a while after its instance terminated", async () => {
  await using it = await trial({ groupInUseMs: 10_000 });
  const { GroupId = "" } = await it.ec2.send(
    new CreateSecurityGroupCommand({ GroupName: "mine", Description: "a group" }),
  );
  const id = await it.run({ SecurityGroupIds: [GroupId] });
  await it.ec2.send(new TerminateInstancesCommand({ InstanceIds: [id] }));
  expect(await it.state(id)).toBe("terminated");
  const remove = (): Promise<unknown> => it.ec2.send(new DeleteSecurityGroupCommand({ GroupId }));
  it.pass(9999);
  await expect(remove()).rejects.toMatchObject({ name: "DependencyViolation" });
  it.pass(1);
  await remove();
});

test("a spot instance gets its two minutes' notice and is taken back", async () => {
  await using it = await trial({ spotInterruption: { afterMs: 300_000 } });
  const metadata = (id: string, now: number, path: string): string => {
    const view = viewOf(readFileSync(join(it.local.directory, "state.json"), "utf8"), id);
    if (view === undefined) throw new Error(`${id} is not in the state`);
    const target = `/latest/meta-data/${path}`;
    const { status, body } = respond({ method: "GET", target, headers: {} }, view, now);
    return `${status} ${body.toString()}`;
  };
  const [taken, kept] = [await it.run({ ...spot }), await it.run()];
  expect(await it.state(taken)).toBe("running");
  await expect(it.ec2.send(new StopInstancesCommand({ InstanceIds: [taken] }))).rejects.toMatchObject({
    name: "UnsupportedOperation",
  });
  expect(metadata(taken, begin + 179_999, "spot/instance-action")).toMatch(/^404/);
  expect(metadata(taken, begin + 180_000, "spot/instance-action")).toBe(
    '200 {"action":"terminate","time":"2026-01-02T00:05:00Z"}',
  );
  expect(metadata(taken, begin + 180_000, "spot/")).toBe("200 instance-action\ntermination-time");
  expect(metadata(kept, begin + 299_999, "spot/instance-action")).toMatch(/^404/);
  it.pass(299_999);
  expect(await it.state(taken)).toBe("running");
  it.pass(1);
  expect(await it.show(taken)).toMatchObject({
    State: { Name: "terminated" },
    StateReason: { Code: "Server.SpotInstanceTermination" },
  });
  expect(await it.state(kept)).toBe("running");
});

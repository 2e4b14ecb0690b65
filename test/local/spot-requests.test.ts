import {
  CancelSpotInstanceRequestsCommand,
  DescribeInstancesCommand,
  DescribeSpotInstanceRequestsCommand,
  RunInstancesCommand,
  StartInstancesCommand,
  StopInstancesCommand,
  TerminateInstancesCommand,
  type SpotInstanceRequest,
  type SpotMarketOptions,
} from "@aws-sdk/client-ec2";
import { expect, test } from "vitest";
import { Store } from "../../src/local/state/store.ts";
import { stateOnlyCloud, type StateOnlyCloud } from "../support/local-cloud.ts";

const persistent: SpotMarketOptions = {
  SpotInstanceType: "persistent",
  InstanceInterruptionBehavior: "stop",
  MaxPrice: "0.05",
};

async function launch(local: StateOnlyCloud, SpotOptions: SpotMarketOptions): Promise<string> {
  const { Instances } = await local.ec2.send(
    new RunInstancesCommand({
      ImageId: local.imageId,
      InstanceType: "t3.micro",
      MinCount: 1,
      MaxCount: 1,
      InstanceMarketOptions: { MarketType: "spot", SpotOptions },
      TagSpecifications: [{ ResourceType: "spot-instances-request", Tags: [{ Key: "a", Value: "b" }] }],
    }),
  );
  return Instances?.[0]?.InstanceId ?? "";
}

async function requestOf(local: StateOnlyCloud, InstanceId: string): Promise<SpotInstanceRequest> {
  const Filters = [{ Name: "instance-id", Values: [InstanceId] }];
  const reply = await local.ec2.send(new DescribeSpotInstanceRequestsCommand({ Filters }));
  return reply.SpotInstanceRequests?.[0] ?? {};
}

async function stateOf(local: StateOnlyCloud, InstanceId: string): Promise<string | undefined> {
  const reply = await local.ec2.send(new DescribeInstancesCommand({ InstanceIds: [InstanceId] }));
  return reply.Reservations?.[0]?.Instances?.[0]?.State?.Name;
}

test("a one-time request is active, and closed with its instance", async () => {
  await using local = await stateOnlyCloud();
  const id = await launch(local, { SpotInstanceType: "one-time" });
  expect(await requestOf(local, id)).toMatchObject({
    State: "active",
    Status: { Code: "fulfilled" },
    Type: "one-time",
    InstanceInterruptionBehavior: "terminate",
    LaunchSpecification: { InstanceType: "t3.micro", ImageId: local.imageId },
    Tags: [{ Key: "a", Value: "b" }],
  });
  await local.ec2.send(new TerminateInstancesCommand({ InstanceIds: [id] }));
  expect(await requestOf(local, id)).toMatchObject({
    State: "closed",
    Status: { Code: "instance-terminated-by-user" },
  });
});

test("an instance of a persistent request stops and starts again, as long as that is not cancelled", async () => {
  await using local = await stateOnlyCloud();
  const InstanceIds = [await launch(local, persistent)];
  const [id = ""] = InstanceIds;
  await local.ec2.send(new StopInstancesCommand({ InstanceIds }));
  expect(await stateOf(local, id)).toBe("stopped");
  expect(await requestOf(local, id)).toMatchObject({
    State: "disabled",
    Status: { Code: "instance-stopped-by-user" },
    SpotPrice: "0.05",
  });
  await local.ec2.send(new StartInstancesCommand({ InstanceIds }));
  expect(await requestOf(local, id)).toMatchObject({ State: "active" });
  const { SpotInstanceRequestId = "" } = await requestOf(local, id);
  const { CancelledSpotInstanceRequests } = await local.ec2.send(
    new CancelSpotInstanceRequestsCommand({ SpotInstanceRequestIds: [SpotInstanceRequestId] }),
  );
  expect(CancelledSpotInstanceRequests).toEqual([{ SpotInstanceRequestId, State: "cancelled" }]);
  expect(await stateOf(local, id)).toBe("running");
  expect(await requestOf(local, id)).toMatchObject({
    State: "cancelled",
    Status: { Code: "request-canceled-and-instance-running" },
  });
  await local.ec2.send(new StopInstancesCommand({ InstanceIds }));
  await stateOf(local, id);
  await expect(local.ec2.send(new StartInstancesCommand({ InstanceIds }))).rejects.toMatchObject({
    name: "IncorrectSpotRequestState",
  });
});

test("a persistent request whose instance was terminated is open: it would start another", async () => {
  let now = Date.parse("2026-01-02T03:04:05Z");
  await using local = await stateOnlyCloud({ now: () => now });
  const id = await launch(local, persistent);
  await local.ec2.send(new TerminateInstancesCommand({ InstanceIds: [id] }));
  const { Status } = await requestOf(local, id);
  expect(await requestOf(local, id)).toMatchObject({ State: "open" });
  expect(Status?.Message).toContain("starts an instance again");
  now += 2 * 3_600_000;
  await expect(stateOf(local, id)).rejects.toMatchObject({ name: "InvalidInstanceID.NotFound" });
  const { SpotInstanceRequestId = "", State } = await requestOf(local, id);
  expect(State).toBe("open");
  await local.ec2.send(
    new CancelSpotInstanceRequestsCommand({ SpotInstanceRequestIds: [SpotInstanceRequestId] }),
  );
  expect(await requestOf(local, id)).toEqual({});
});

test("an interrupted instance of a persistent request is stopped, and says why", async () => {
  let now = Date.parse("2026-01-02T03:04:05Z");
  const faults = { spotInterruption: { afterMs: 1000 } };
  await using local = await stateOnlyCloud({ now: () => now, faults });
  const stopping = await launch(local, persistent);
  const ending = await launch(local, {});
  expect(await stateOf(local, stopping)).toBe("running");
  now += 2000;
  expect(await stateOf(local, stopping)).toBe("stopped");
  expect(await requestOf(local, stopping)).toMatchObject({
    State: "open",
    Status: { Code: "instance-stopped-no-capacity" },
  });
  expect(await stateOf(local, ending)).toBe("terminated");
  expect(await requestOf(local, ending)).toMatchObject({
    State: "closed",
    Status: { Code: "instance-terminated-no-capacity" },
  });
  const { instances } = await new Store(local.directory).read();
  expect(instances[0]?.stateReason?.code).toBe("Server.SpotInstanceShutdown");
});

test("a spot instance of a state from before there were requests has one, too", async () => {
  await using local = await stateOnlyCloud();
  const id = await launch(local, {});
  await new Store(local.directory).change((draft) => {
    for (const instance of draft.instances) delete instance.spotRequestId;
    draft.spotRequests = [];
  }, AbortSignal.timeout(10_000));
  const { SpotInstanceRequestId = "", State } = await requestOf(local, id);
  expect(SpotInstanceRequestId).toBe(`sir-${id.slice(-8)}`);
  expect(State).toBe("active");
  await local.ec2.send(
    new CancelSpotInstanceRequestsCommand({ SpotInstanceRequestIds: [SpotInstanceRequestId] }),
  );
  expect((await requestOf(local, id)).State).toBe("cancelled");
  const unknown = local.ec2.send(
    new CancelSpotInstanceRequestsCommand({ SpotInstanceRequestIds: ["sir-00000000"] }),
  );
  await expect(unknown).rejects.toMatchObject({ name: "InvalidSpotInstanceRequestID.NotFound" });
});

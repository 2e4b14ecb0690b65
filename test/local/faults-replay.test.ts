import { expect, test } from "vitest";
import {
  AuthorizeSecurityGroupIngressCommand,
  CreateImageCommand,
  CreateSecurityGroupCommand,
  CreateTagsCommand,
  DeleteKeyPairCommand,
  DeleteSecurityGroupCommand,
  DeleteSnapshotCommand,
  DeregisterImageCommand,
  DescribeImagesCommand,
  DescribeInstancesCommand,
  DescribeSecurityGroupsCommand,
  DescribeSnapshotsCommand,
  EC2Client,
  ImportKeyPairCommand,
  RunInstancesCommand,
  StopInstancesCommand,
  TerminateInstancesCommand,
} from "@aws-sdk/client-ec2";
import { randomFaultPlan } from "../../src/local/faults/random-plan.ts";
import { Store } from "../../src/local/state/store.ts";
import { clientOptions, stateOnlyCloud } from "../support/local-cloud.ts";

/** Everything that a bake does, on and on whatever fails; what each call ended with. */
async function life(seed: number): Promise<string[]> {
  let now = Date.parse("2026-01-03");
  await using local = await stateOnlyCloud({ faults: randomFaultPlan(seed), now: () => now });
  const ec2 = new EC2Client({ ...clientOptions(local.cloud), maxAttempts: 1 });
  const log: string[] = [];
  const call = async <T>(
    what: string,
    send: () => Promise<T>,
    sum?: (result: T) => string,
  ): Promise<void> => {
    now += 700;
    const outcome = await send().then(
      (result) => sum?.(result) ?? "ok",
      (error: unknown) => (error instanceof Error ? error.name : String(error)),
    );
    log.push(`${what}: ${outcome}`);
  };
  let group = "sg-00000000000000000";
  let instance = "i-00000000000000000";
  let image = "ami-00000000000000000";
  let snapshot = "snap-00000000000000000";
  const key = Buffer.from("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl");
  const look = async (): Promise<void> => {
    const listed = new DescribeInstancesCommand({});
    await call(
      "instances",
      async () => await ec2.send(listed),
      ({ Reservations = [] }) =>
        Reservations.flatMap(({ Instances = [] }) =>
          Instances.map(({ State, StateReason }) => `${State?.Name ?? ""} ${StateReason?.Code ?? ""}`),
        ).join(),
    );
    await call(
      "images",
      async () => await ec2.send(new DescribeImagesCommand({ Owners: ["self"] })),
      ({ Images = [] }) => Images.map(({ State }) => State).join(),
    );
  };
  for (let round = 0; round < 2; round += 1) {
    await call("group", async () => {
      const made = await ec2.send(
        new CreateSecurityGroupCommand({ GroupName: `g${round}`, Description: "d" }),
      );
      group = made.GroupId ?? group;
    });
    await call(
      "groups",
      async () => await ec2.send(new DescribeSecurityGroupsCommand({ GroupIds: [group] })),
    );
    await call("rule", async () => {
      const rule = { IpProtocol: "tcp", FromPort: 22, ToPort: 22, IpRanges: [{ CidrIp: "127.0.0.0/8" }] };
      await ec2.send(new AuthorizeSecurityGroupIngressCommand({ GroupId: group, IpPermissions: [rule] }));
    });
    await call(
      "key",
      async () => await ec2.send(new ImportKeyPairCommand({ KeyName: `k${round}`, PublicKeyMaterial: key })),
    );
    for (const isSpot of [true, false]) {
      await call("run", async () => {
        const { Instances } = await ec2.send(
          new RunInstancesCommand({
            ImageId: local.imageId,
            MinCount: 1,
            MaxCount: 1,
            ...(isSpot ? { InstanceMarketOptions: { MarketType: "spot" } } : {}),
          }),
        );
        instance = Instances?.[0]?.InstanceId ?? instance;
      });
    }
    await look();
    now += 25_000;
    await look();
    await call("tag", async () => {
      await ec2.send(new CreateTagsCommand({ Resources: [instance], Tags: [{ Key: "a", Value: "b" }] }));
    });
    await call("stop", async () => await ec2.send(new StopInstancesCommand({ InstanceIds: [instance] })));
    await look();
    now += 60_000;
    await call("image", async () => {
      const made = await ec2.send(new CreateImageCommand({ InstanceId: instance, Name: `image ${round}` }));
      image = made.ImageId ?? image;
    });
    await call(
      "terminate",
      async () => await ec2.send(new TerminateInstancesCommand({ InstanceIds: [instance] })),
    );
    await look();
    now += 300_000;
    await look();
    await call("ungroup", async () => await ec2.send(new DeleteSecurityGroupCommand({ GroupId: group })));
    await call("unkey", async () => await ec2.send(new DeleteKeyPairCommand({ KeyName: `k${round}` })));
    await call("snapshots", async () => {
      const { Snapshots } = await ec2.send(new DescribeSnapshotsCommand({ OwnerIds: ["self"] }));
      snapshot = Snapshots?.[0]?.SnapshotId ?? snapshot;
    });
    await call("unimage", async () => await ec2.send(new DeregisterImageCommand({ ImageId: image })));
    await call("unsnap", async () => await ec2.send(new DeleteSnapshotCommand({ SnapshotId: snapshot })));
  }
  // The state is whole, whatever was done to it.
  await new Store(local.directory).read();
  return log;
}

test(
  "a plan finds the same again, call by call, and only ever what EC2 could answer",
  { timeout: 120_000 },
  async () => {
    const outcomes = new Set<string>();
    const logs = new Set<string>();
    for (let seed = 0; seed < 24; seed += 1) {
      const log = await life(seed);
      logs.add(log.join("\n"));
      for (const line of log) outcomes.add(line.slice(line.indexOf(": ") + 2));
      if (seed % 4 === 0) expect(await life(seed)).toEqual(log);
    }
    expect(logs.size).toBeGreaterThan(20);
    expect(outcomes).not.toContain("BakeError");
    for (const each of [
      "RequestLimitExceeded",
      "ConnectionLost",
      "InvalidInstanceID.NotFound",
      "Unavailable",
    ]) {
      expect(outcomes).toContain(each);
    }
  },
);

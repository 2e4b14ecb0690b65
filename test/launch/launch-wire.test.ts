import {
  AuthorizeSecurityGroupIngressCommand,
  CreateSecurityGroupCommand,
  DescribeInstancesCommand,
  DescribeSubnetsCommand,
  ImportKeyPairCommand,
} from "@aws-sdk/client-ec2";
import { expect, test } from "vitest";
import { Cloud } from "../../src/aws/cloud.ts";
import type { Placement } from "../../src/aws/instances.ts";
import { findImage } from "../../src/launch/choose-image.ts";
import { launch, type InstanceSettings, type LaunchOptions } from "../../src/launch/launch.ts";
import type { Interceptor } from "../../src/local/cloud.ts";
import { newKeyPair } from "../../src/local/key-format.ts";
import { ApiError } from "../../src/local/protocol/errors.ts";
import type { Event } from "../../src/report/events.ts";
import { failureOf } from "../support/failure.ts";
import { image as bakedImage, owner } from "../support/leavings.ts";
import { stateOnlyCloud, type StateOnlyCloud } from "../support/local-cloud.ts";
import { recorderOf, type Recorder } from "../support/sent-requests.ts";

const { signal } = new AbortController();
const loginKey = `${newKeyPair("ed25519").line} me`;

interface Place {
  readonly local: StateOnlyCloud;
  readonly wire: Recorder;
  readonly events: Event[];
  readonly options: LaunchOptions;
}

async function within(
  work: (place: Place) => Promise<void>,
  { intercept, count = 1 }: { intercept?: Interceptor; count?: number } = {},
): Promise<void> {
  await using local = await stateOnlyCloud(intercept === undefined ? {} : { intercept });
  await bakedImage(local, "baked", false);
  const wire = recorderOf(local.cloud);
  const cloud = new Cloud(wire.options);
  const choice = await findImage(cloud, { owner, names: ["web"], extra: [], local: undefined }, signal);
  const events: Event[] = [];
  const options: LaunchOptions = {
    cloud,
    choice,
    run: "20260102-030405-abcdef",
    owner,
    instanceType: "m5.large",
    count,
    ports: [{ port: 22, cidr: "127.0.0.0/8" }],
    loginKey,
    waitSeconds: undefined,
    listener: (event) => events.push(event),
    signal,
  };
  await work({ local, wire, events, options });
}

/** What RunInstances is sent for these settings. */
async function sentFor(
  instance: InstanceSettings,
  rest: Partial<LaunchOptions> = {},
): Promise<Readonly<Record<string, string>>> {
  let sent: Readonly<Record<string, string>> = {};
  await within(async ({ wire, options }) => {
    await launch({ ...options, ...rest, instance });
    sent = wire.sent("RunInstances").at(-1) ?? {};
  });
  return sent;
}

const settings: readonly (readonly [string, InstanceSettings, Readonly<Record<string, string>>])[] = [
  [
    "spot, one-time",
    { spot: { kind: "one-time" } },
    {
      "InstanceMarketOptions.MarketType": "spot",
      "InstanceMarketOptions.SpotOptions.SpotInstanceType": "one-time",
    },
  ],
  [
    "spot, persistent: the request is tagged, for it outlives the machine",
    { spot: { kind: "persistent", interruption: "hibernate" } },
    {
      "InstanceMarketOptions.SpotOptions.SpotInstanceType": "persistent",
      "InstanceMarketOptions.SpotOptions.InstanceInterruptionBehavior": "hibernate",
      "TagSpecification.3.ResourceType": "spot-instances-request",
      "TagSpecification.3.Tag.3.Value": "machine-spot-request",
    },
  ],
  ["instance profile by name", { instanceProfile: "web" }, { "IamInstanceProfile.Name": "web" }],
  [
    "instance profile by ARN",
    { instanceProfile: "arn:aws:iam::123456789012:instance-profile/web" },
    { "IamInstanceProfile.Arn": "arn:aws:iam::123456789012:instance-profile/web" },
  ],
  [
    "a public address whatever the subnet says",
    { publicAddress: true },
    { "NetworkInterface.1.AssociatePublicIpAddress": "true", "NetworkInterface.1.DeviceIndex": "0" },
  ],
  ["no public address", { publicAddress: false }, { "NetworkInterface.1.AssociatePublicIpAddress": "false" }],
  ["dedicated hardware", { placement: { tenancy: "dedicated" } }, { "Placement.Tenancy": "dedicated" }],
  ["EBS-optimised", { ebsOptimized: true }, { EbsOptimized: "true" }],
  ["not EBS-optimised", { ebsOptimized: false }, { EbsOptimized: "false" }],
  ["protected", { protect: true }, { DisableApiTermination: "true" }],
  [
    "root volume",
    {
      rootVolume: {
        type: "gp3",
        sizeGiB: 20,
        iops: 4000,
        throughput: 250,
        initializationRate: 200,
        encrypted: true,
        kmsKeyId: "alias/disks",
      },
    },
    {
      "BlockDeviceMapping.1.Ebs.VolumeType": "gp3",
      "BlockDeviceMapping.1.Ebs.VolumeSize": "20",
      "BlockDeviceMapping.1.Ebs.Iops": "4000",
      "BlockDeviceMapping.1.Ebs.Throughput": "250",
      "BlockDeviceMapping.1.Ebs.VolumeInitializationRate": "200",
      "BlockDeviceMapping.1.Ebs.Encrypted": "true",
      "BlockDeviceMapping.1.Ebs.KmsKeyId": "alias/disks",
    },
  ],
];

test.each(settings)("%s", async (_, instance, expected) => {
  expect(await sentFor(instance)).toMatchObject(expected);
});

test.each<[string, Placement, Readonly<Record<string, string>>]>([
  ["a placement group by name", { group: "close" }, { "Placement.GroupName": "close" }],
  [
    "a partition of a placement group by id",
    { group: "pg-0123456789abcdef0", partition: 2 },
    { "Placement.GroupId": "pg-0123456789abcdef0", "Placement.PartitionNumber": "2" },
  ],
  [
    "a dedicated host",
    { tenancy: "host", hostId: "h-0123456789abcdef0" },
    { "Placement.Tenancy": "host", "Placement.HostId": "h-0123456789abcdef0" },
  ],
])("%s: what there is not, EC2 refuses, and all is undone", async (_, placement, expected) => {
  await within(async ({ wire, options }) => {
    await failureOf(launch({ ...options, instance: { placement } }));
    expect(wire.sent("RunInstances")).toMatchObject([expected]);
    expect(wire.sent("DeleteSecurityGroup")).toHaveLength(1);
    expect(wire.sent("DeleteKeyPair")).toHaveLength(1);
  });
});

test("what is not asked for is not sent", async () => {
  const sent = await sentFor({});
  for (const key of [
    "InstanceMarket",
    "Placement",
    "EbsOptimized",
    "DisableApi",
    "UserData",
    "BlockDevice",
  ]) {
    expect(Object.keys(sent).filter((name) => name.startsWith(key))).toEqual([]);
  }
  expect(sent).toMatchObject({ MinCount: "1", MaxCount: "1", InstanceInitiatedShutdownBehavior: "stop" });
});

test("tags, role, expiry, shutdown and the launch request", async () => {
  const sent = await sentFor(
    {},
    {
      role: "job",
      expires: new Date("2026-02-03T04:05:06Z"),
      shutdownBehavior: "terminate",
      extraTags: new Map([["team", "web"]]),
      machineTags: new Map([["bake-ami:channel", "test"]]),
      request: [{ kind: "set", service: "web", parameter: "port", value: "8080" }],
    },
  );
  const tags = new Map(
    Object.entries(sent).flatMap(([name, value]) => {
      const at = /^TagSpecification\.1\.Tag\.(\d+)\.Key$/.exec(name)?.[1];
      return at === undefined ? [] : [[value, sent[`TagSpecification.1.Tag.${at}.Value`]]];
    }),
  );
  expect(Object.fromEntries(tags)).toMatchObject({
    "bake-ami:role": "job",
    "bake-ami:expires": "2026-02-03T04:05:06.000Z",
    "bake-ami:channel": "test",
    team: "web",
  });
  expect(sent["InstanceInitiatedShutdownBehavior"]).toBe("terminate");
  expect(Buffer.from(sent["UserData"] ?? "", "base64").toString()).toBe(
    `#cloud-config\n#bake-ami launch-request 1\n#bake-ami set web port ${Buffer.from("8080").toString("base64")}\n#bake-ami end 1\n{}\n`,
  );
});

test("more machines: all in one call", async () => {
  await within(
    async ({ wire, options }) => {
      expect(await launch(options)).toHaveLength(3);
      expect(wire.sent("RunInstances")).toMatchObject([{ MinCount: "3", MaxCount: "3" }]);
    },
    { count: 3 },
  );
});

test("an EC2 key pair of the user's: ours comes beside it, by cloud-init", async () => {
  await within(async ({ local, wire, options }) => {
    await local.ec2.send(
      new ImportKeyPairCommand({
        KeyName: "mine",
        PublicKeyMaterial: Buffer.from(newKeyPair("ed25519").line),
      }),
    );
    await launch({ ...options, instance: { keyName: "mine" } });
    const [sent = {}] = wire.sent("RunInstances");
    expect(sent["KeyName"]).toBe("mine");
    expect(Buffer.from(sent["UserData"] ?? "", "base64").toString()).toBe(
      `#cloud-config\nssh_authorized_keys:\n  - ${loginKey}\n`,
    );
    expect(wire.sent("ImportKeyPair")).toEqual([]);
    const failure = await failureOf(launch({ ...options, instance: { keyName: "nobodys" } }));
    expect(failure).toMatchObject({ kind: "usage" });
    expect(failure.message).toBe("there is no EC2 key pair nobodys here");
  });
});

test("security groups of the user's: none is made, and they say which VPC it is", async () => {
  await within(async ({ local, wire, options }) => {
    const { Subnets = [] } = await local.ec2.send(new DescribeSubnetsCommand());
    const VpcId = Subnets[0]?.VpcId;
    const { GroupId = "" } = await local.ec2.send(
      new CreateSecurityGroupCommand({ GroupName: "mine", Description: "mine", VpcId }),
    );
    await local.ec2.send(
      new AuthorizeSecurityGroupIngressCommand({
        GroupId,
        IpPermissions: [
          { IpProtocol: "tcp", FromPort: 22, ToPort: 22, IpRanges: [{ CidrIp: "127.0.0.0/8" }] },
        ],
      }),
    );
    await launch({ ...options, instance: { groupIds: [GroupId] } });
    expect(wire.sent("RunInstances")).toMatchObject([{ "SecurityGroupId.1": GroupId }]);
    expect(wire.sent("CreateSecurityGroup")).toEqual([]);
    const failure = await failureOf(launch({ ...options, instance: { groupIds: ["sg-00000000000000001"] } }));
    expect(failure).toMatchObject({ kind: "usage" });
    expect(failure.message).toBe("there is no security group sg-00000000000000001 here");
  });
});

const full = new ApiError(
  "InsufficientInstanceCapacity",
  "We currently do not have sufficient capacity",
  500,
);

test("a zone without capacity: the next one, in the order given", async () => {
  let refusals = 0;
  await within(
    async ({ local, wire, options, events }) => {
      const { Subnets = [] } = await local.ec2.send(new DescribeSubnetsCommand());
      const subnets = Subnets.flatMap(({ SubnetId }) => SubnetId ?? []).reverse();
      refusals = 1;
      const [machine] = await launch({ ...options, instance: { subnets } });
      expect(wire.sent("RunInstances").map((sent) => sent["SubnetId"])).toEqual(subnets.slice(0, 2));
      expect(machine?.instance.subnetId).toBe(subnets[1]);
      expect(JSON.stringify(events)).toContain("no capacity for m5.large in");
    },
    {
      intercept: async (call, carryOut) => {
        if (call.action === "RunInstances" && refusals > 0) {
          refusals -= 1;
          throw full;
        }
        return await carryOut();
      },
    },
  );
});

test("no zone has capacity: every refusal is told, and spot is not given up for on-demand", async () => {
  let isFull = false;
  await within(
    async ({ wire, options, local }) => {
      isFull = true;
      const failure = await failureOf(launch({ ...options, instance: { spot: { kind: "one-time" } } }));
      expect(failure.message).toBe("EC2 has no capacity for the machine");
      expect(failure.details.length).toBeGreaterThan(1);
      expect(failure.details[0]).toMatch(/^spot m5\.large in locala/);
      expect(failure.hint).toContain("leave out --spot");
      expect(wire.sent("RunInstances").every((sent) => "InstanceMarketOptions.MarketType" in sent)).toBe(
        true,
      );
      const { Reservations = [] } = await local.ec2.send(
        new DescribeInstancesCommand({ Filters: [{ Name: "instance-state-name", Values: ["running"] }] }),
      );
      expect(Reservations).toEqual([]);
      expect(wire.sent("DeleteSecurityGroup")).toHaveLength(1);
    },
    {
      intercept: async (call, carryOut) => {
        if (call.action === "RunInstances" && isFull) throw full;
        return await carryOut();
      },
    },
  );
});

test("what does not go together is refused before anything is made", async () => {
  await within(async ({ wire, options }) => {
    const both = await failureOf(
      launch({ ...options, instance: { protect: true, spot: { kind: "one-time" } } }),
    );
    expect(both).toMatchObject({ kind: "usage" });
    const many = await failureOf(launch({ ...options, count: 2, instance: { elasticIp: { kind: "new" } } }));
    expect(many).toMatchObject({ kind: "usage" });
    const userData = Buffer.alloc(16_385, "#");
    expect((await failureOf(launch({ ...options, userData }))).message).toContain("16,385 bytes");
    const extraTags = new Map(Array.from({ length: 50 }, (_, n) => [`key-${n}`, "value"]));
    expect((await failureOf(launch({ ...options, extraTags }))).message).toContain("EC2 allows 50");
    for (const action of ["ImportKeyPair", "CreateSecurityGroup", "RunInstances", "AllocateAddress"]) {
      expect(wire.sent(action)).toEqual([]);
    }
  });
});

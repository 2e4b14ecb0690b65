import {
  DescribeLaunchTemplatesCommand,
  RunInstancesCommand,
  TerminateInstancesCommand,
  type ResponseLaunchTemplateData,
} from "@aws-sdk/client-ec2";
import { expect, test } from "vitest";
import { readTags } from "../../src/aws/tags.ts";
import { BakeError } from "../../src/base/errors.ts";
import { cleanup } from "../../src/cleanup/cleanup.ts";
import { deleteTemplate } from "../../src/fleet/template-delete.ts";
import { existingTemplate, switchDefault } from "../../src/fleet/template-versions.ts";
import { launch, type InstanceSettings, type LaunchOptions } from "../../src/launch/launch.ts";
import { newKeyPair } from "../../src/local/key-format.ts";
import type { Event } from "../../src/report/events.ts";
import { failureOf } from "../support/failure.ts";
import { instance as leftInstance, owner } from "../support/leavings.ts";
import { broken, launchOf, left, name, open, tagsIn, template, versions } from "./template-world.ts";

const { signal } = new AbortController();

test("a first version, tried by a machine of its own; the same again changes nothing", async () => {
  await using world = await open();
  const made = await template(world);
  expect(made).toMatchObject({ version: 1, isNew: true, isDefault: true, deleted: [] });
  expect(await left(world)).toBe("1* groups=1 keys=1 live=0");
  expect(world.started()).toHaveLength(1);
  expect(world.started()[0]).toMatchObject({ "LaunchTemplate.Version": "1", MinCount: "1", MaxCount: "1" });
  expect(world.started()[0]).not.toHaveProperty("ImageId");
  const again = await template(world);
  expect(again).toMatchObject({ version: 1, isNew: false, isDefault: true });
  expect(world.started()).toHaveLength(1);
  expect(world.events).toContainEqual(
    expect.objectContaining({ message: "version 1 of bake-ami-web is there already, and the default" }),
  );
  const { LaunchTemplates = [] } = await world.local.ec2.send(new DescribeLaunchTemplatesCommand());
  expect(Object.fromEntries(readTags(LaunchTemplates[0]?.Tags))).toMatchObject({
    "bake-ami:owner": owner,
    "bake-ami:role": "template",
    "bake-ami:services": "web",
  });
});

test("what differs makes a version, and it becomes the default after its machine has worked", async () => {
  await using world = await open();
  await template(world);
  const bigger = { launch: { instanceType: "t3.small" } };
  expect(await template(world, bigger)).toMatchObject({ version: 2, isNew: true, isDefault: true });
  expect(world.started().at(-1)).toMatchObject({ "LaunchTemplate.Version": "2" });
  // Another key of another person, and another port: another key pair and another group.
  const other = `${newKeyPair("ed25519").line} other`;
  const ports = [{ port: 80, cidr: "127.0.0.0/8" }];
  await template(world, { launch: { loginKey: other, ports } });
  expect(await left(world)).toBe("1 2 3* groups=2 keys=2 live=0");
  // What was there before is found again, whatever came in between.
  expect(await template(world, bigger)).toMatchObject({ version: 2, isNew: false, isDefault: true });
  expect(await left(world)).toBe("1 2* 3 groups=2 keys=2 live=0");
});

test("a version whose update fails is gone again, and the default stays", async () => {
  await using world = await open();
  await template(world);
  world.console = broken;
  const ports = [{ port: 80, cidr: "127.0.0.0/8" }];
  const error = await failureOf(template(world, { launch: { instanceType: "t3.small", ports } }));
  expect(error.kind).toBe("phase-failed");
  expect(error.message).toMatch(/^the update failed on i-/);
  expect(error.details).toEqual(["web: update: step 10-start.sh ended with status 3"]);
  expect(error.hint).toBe("the default is still version 1");
  expect(await left(world)).toBe("1* groups=1 keys=1 live=0");
});

test("when the first version fails, no template, group or key is left", async () => {
  await using world = await open();
  world.console = broken;
  await expect(template(world)).rejects.toMatchObject({ kind: "phase-failed" });
  expect(await left(world)).toBe(" groups=0 keys=0 live=0");
});

test("verify steps are run over SSH; a machine that lets nobody in fails, with the way without", async () => {
  await using world = await open();
  const reach = (): Promise<never> =>
    Promise.reject(new BakeError("login", "it does not accept the login key"));
  const error = await failureOf(template(world, { trial: { waitSeconds: 60, reach } }));
  expect(error.message).toBe("it does not accept the login key");
  expect(error.hint).toMatch(/--verify update goes by the console alone; no template was made/);
  expect(await left(world)).toBe(" groups=0 keys=0 live=0");
});

test("an interruption while the machine is tried ends it, and takes the version back", async () => {
  await using world = await open();
  await template(world);
  const abort = new AbortController();
  world.console = "booting";
  const listener = (event: Event): void => {
    if (event.type === "stage-started" && event.stage === "update") abort.abort();
  };
  const interrupted = template(world, {
    launch: { instanceType: "t3.small", listener, signal: abort.signal },
  });
  await expect(interrupted).rejects.toMatchObject({ kind: "interrupted" });
  expect(await left(world)).toBe("1* groups=1 keys=1 live=0");
});

test("the machine that is tried is a trial that expires, and nobody is kept from ending it", async () => {
  await using world = await open();
  await template(world, { launch: { instance: { protect: true } } });
  const tags = tagsIn(world.started()[0] ?? {}, 1);
  expect(tags.get("bake-ami:role")).toBe("trial");
  expect(Date.parse(tags.get("bake-ami:expires") ?? "")).toBeGreaterThan(Date.now());
  expect(tags.get("bake-ami:services")).toBe("web");
  expect(await left(world)).toBe("1* groups=1 keys=1 live=0");
  expect((await versions(world))[0]?.LaunchTemplateData?.DisableApiTermination).toBe(true);
});

test("--no-verify starts nothing; --no-default leaves the default, and a later run tries and switches", async () => {
  await using world = await open();
  await template(world, { trial: undefined });
  expect(world.started()).toEqual([]);
  const bigger = { launch: { instanceType: "t3.small" } };
  expect(await template(world, { ...bigger, makeDefault: false })).toMatchObject({
    version: 2,
    isDefault: false,
  });
  expect(world.started()).toEqual([]);
  expect(await left(world)).toBe("1* 2 groups=1 keys=1 live=0");
  expect(await template(world, bigger)).toMatchObject({ version: 2, isNew: false, isDefault: true });
  expect(world.started()).toHaveLength(1);
  expect(await left(world)).toBe("1 2* groups=1 keys=1 live=0");
});

test("old versions go, but not the default; and with them the groups that nothing names any more", async () => {
  await using world = await open();
  const types = ["t3.micro", "t3.small", "t3.medium", "t3.large"];
  for (const [index, instanceType] of types.entries()) {
    const ports = [{ port: 8000 + index, cidr: "127.0.0.0/8" }];
    await template(world, { trial: undefined, makeDefault: index === 1, launch: { instanceType, ports } });
  }
  expect(await left(world)).toBe("1 2* 3 4 groups=4 keys=1 live=0");
  const last = await template(world, {
    trial: undefined,
    makeDefault: false,
    keepVersions: 2,
    launch: { instanceType: "t3.nano" },
  });
  expect(last.deleted).toEqual([3, 1]);
  expect(await left(world)).toBe("2* 4 5 groups=3 keys=1 live=0");
});

test("going back to an earlier version", async () => {
  await using world = await open();
  await template(world, { trial: undefined });
  await template(world, { trial: undefined, launch: { instanceType: "t3.small" } });
  const found = await existingTemplate(world.cloud, name, owner, signal);
  expect(found.defaultVersion).toBe(2);
  await switchDefault(world.cloud, found, 1, signal);
  expect(await left(world)).toBe("1* 2 groups=1 keys=1 live=0");
  const error = await failureOf(switchDefault(world.cloud, found, 7, signal));
  expect(`${error.kind} ${error.message} ${error.hint ?? ""}`).toBe(
    "usage bake-ami-web has no version 7 it has: 2, 1",
  );
});

test("a template goes with its keys and groups, but not while machines of it run", async () => {
  await using world = await open();
  await template(world, { trial: undefined });
  const found = await existingTemplate(world.cloud, name, owner, signal);
  const { ec2 } = world.local;
  const LaunchTemplate = { LaunchTemplateId: found.id, Version: "1" };
  const { Instances: [started] = [] } = await ec2.send(
    new RunInstancesCommand({ LaunchTemplate, MinCount: 1, MaxCount: 1 }),
  );
  const where = { cloud: world.cloud, listener: () => undefined, signal };
  const error = await failureOf(deleteTemplate(where, found));
  expect(error.kind).toBe("usage");
  expect(error.message).toContain(`${started?.InstanceId ?? "-"} were started from it`);
  expect(await left(world)).toBe("1* groups=1 keys=1 live=1");
  await ec2.send(new TerminateInstancesCommand({ InstanceIds: [started?.InstanceId ?? ""] }));
  await deleteTemplate(where, found);
  expect(await left(world)).toBe(" groups=0 keys=0 live=0");
});

test("a trial whose command was killed is taken by cleanup; what is of a template is not", async () => {
  await using world = await open();
  await template(world, { trial: undefined });
  const id = await leftInstance(world.local, "trial");
  const removed = await cleanup({
    cloud: world.cloud,
    owner,
    dryRun: false,
    listener: () => undefined,
    signal,
  });
  expect(removed.map((each) => each.id)).toEqual([id]);
  expect(await left(world)).toBe("1* groups=1 keys=1 live=0");
});

test("somebody else's template is left alone", async () => {
  await using world = await open();
  await template(world, { trial: undefined });
  const error = await failureOf(template(world, { launch: { owner: "another" } }));
  expect(error.message).toBe(`launch template ${name} is of ${owner}`);
  await expect(existingTemplate(world.cloud, "bake-ami-wbe", owner, signal)).rejects.toMatchObject({
    kind: "usage",
  });
});

test.each<[string, Partial<LaunchOptions>, RegExp]>([
  ["elastic ip", { instance: { elasticIp: { kind: "new" } } }, /cannot have an Elastic IP/],
  ["persistent spot", { instance: { spot: { kind: "persistent" } } }, /does not take .* persistent spot/],
  ["presigned", { request: [{ kind: "channel-url", url: "https://x" }] }, /presigned URLs last 7 days/],
  ["log", { request: [{ kind: "log", url: "s3://b/p/r/" }] }, /write their logs to one place/],
])("what a template cannot have: %s", async (_, launchRest, message) => {
  await using world = await open();
  const error = await failureOf(template(world, { launch: launchRest }));
  expect(error.kind).toBe("usage");
  expect(error.message).toMatch(message);
  expect(await left(world)).toBe(" groups=0 keys=0 live=0");
});

/** What a version must give, by what a launch of the same options gives. */
const settings: readonly (readonly [string, InstanceSettings, Partial<ResponseLaunchTemplateData>])[] = [
  ["plain", {}, { InstanceType: "t3.micro" }],
  ["profile", { instanceProfile: "web" }, { IamInstanceProfile: { Name: "web" } }],
  [
    "spot",
    { spot: { kind: "one-time" } },
    { InstanceMarketOptions: { MarketType: "spot", SpotOptions: { SpotInstanceType: "one-time" } } },
  ],
  ["placement", { placement: { tenancy: "dedicated" } }, { Placement: { Tenancy: "dedicated" } }],
  ["protect", { protect: true }, { DisableApiTermination: true }],
  ["public address", { publicAddress: true }, {}],
  [
    "root volume",
    { rootVolume: { type: "gp3", sizeGiB: 20, throughput: 200, initializationRate: 150 } },
    {
      BlockDeviceMappings: [
        {
          DeviceName: "/dev/xvda",
          Ebs: {
            VolumeType: "gp3",
            DeleteOnTermination: true,
            VolumeSize: 20,
            Throughput: 200,
            VolumeInitializationRate: 150,
          },
        },
      ],
    },
  ],
];

test.each(settings)(
  "a launch and a template of the same options are the same: %s",
  async (_, instance, want) => {
    await using world = await open();
    const request = [{ kind: "set", service: "web", parameter: "port", value: "81" }] as const;
    await template(world, { trial: undefined, launch: { instance, request } });
    const [version] = await versions(world);
    const data = version?.LaunchTemplateData;
    expect(data).toMatchObject(want);
    expect(data?.ImageId).toMatch(/^ami-/);
    const { SubnetId } = { SubnetId: undefined, ...data };
    expect(SubnetId).toBeUndefined();
    await launch(await launchOf(world, { instance, request }));
    const sent = world.started().at(-1) ?? {};
    expect(sent["UserData"]).toBe(data?.UserData);
    expect(sent["MetadataOptions.HttpTokens"]).toBe(data?.MetadataOptions?.HttpTokens);
    const tags = tagsIn(sent, 1);
    for (const { Key = "", Value } of data?.TagSpecifications?.[0]?.Tags ?? []) {
      if (Key !== "Name" && Key !== "bake-ami:run") expect([Key, tags.get(Key)]).toEqual([Key, Value]);
    }
  },
);

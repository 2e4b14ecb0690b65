import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import {
  CreateImageCommand,
  CreateSecurityGroupCommand,
  DeleteTagsCommand,
  DeregisterImageCommand,
  DescribeImagesCommand,
  DescribeInstancesCommand,
  ImportKeyPairCommand,
  RunInstancesCommand,
  TerminateInstancesCommand,
  type ResourceType,
  type Tag,
  type TagSpecification,
} from "@aws-sdk/client-ec2";
import { describe, expect, test } from "vitest";
import { Cloud } from "../../src/aws/cloud.ts";
import { cleanup } from "../../src/cleanup/cleanup.ts";
import { findImage, ownImages } from "../../src/launch/choose-image.ts";
import { launch } from "../../src/launch/launch.ts";
import { ownMachines, terminateMachines, withOutcomes } from "../../src/launch/machines.ts";
import { newKeyPair } from "../../src/local/key-format.ts";
import { clientOptions, type StateOnlyCloud } from "../support/local-cloud.ts";
import { documented, policyDirectory, shortenings, under, type Workplace } from "../support/policies.ts";

const owner = "somebody";
const signal = new AbortController().signal;

function tagsOf(role: string, expires: boolean, run = "r1"): Tag[] {
  return [
    { Key: "bake-ami:run", Value: run },
    { Key: "bake-ami:owner", Value: owner },
    { Key: "bake-ami:role", Value: role },
    { Key: "bake-ami:services", Value: "web" },
    { Key: "bake-ami:init.1", Value: "web=1" },
    ...(expires ? [{ Key: "bake-ami:expires", Value: "2026-01-01T00:00:00.000Z" }] : []),
  ];
}

const specification = (ResourceType: ResourceType, Tags: Tag[]): TagSpecification => ({ ResourceType, Tags });

async function instance({ ec2, imageId }: StateOnlyCloud, role: string, run?: string): Promise<string> {
  const tags = tagsOf(role, role === "builder", run);
  const { Instances = [] } = await ec2.send(
    new RunInstancesCommand({
      ImageId: imageId,
      InstanceType: "t3.micro",
      MinCount: 1,
      MaxCount: 1,
      TagSpecifications: [specification("instance", tags), specification("volume", tags)],
    }),
  );
  return Instances[0]?.InstanceId ?? "";
}

async function image(local: StateOnlyCloud, name: string, expires: boolean): Promise<string> {
  const InstanceId = await instance(local, "builder");
  const tags = tagsOf("image", expires);
  const TagSpecifications = [specification("image", tags), specification("snapshot", tags)];
  const made = await local.ec2.send(new CreateImageCommand({ InstanceId, Name: name, TagSpecifications }));
  await local.ec2.send(new TerminateInstancesCommand({ InstanceIds: [InstanceId] }));
  return made.ImageId ?? "";
}

async function group({ ec2 }: StateOnlyCloud, role: string, run?: string): Promise<void> {
  await ec2.send(
    new CreateSecurityGroupCommand({
      GroupName: `${role} ${run}`,
      Description: "d",
      TagSpecifications: [specification("security-group", tagsOf(role, role === "builder-group", run))],
    }),
  );
}

async function key({ ec2 }: StateOnlyCloud, role: string): Promise<void> {
  await ec2.send(
    new ImportKeyPairCommand({
      KeyName: role,
      PublicKeyMaterial: Buffer.from(newKeyPair("ed25519").line),
      TagSpecifications: [specification("key-pair", tagsOf(role, role === "builder-key"))],
    }),
  );
}

/** Launches, looks, reads the outcome, ends: what `launch`, `ls`, `logs`, `ssh` and `terminate` ask of the cloud. */
async function launchAndEnd({ local, unrestricted, listener }: Workplace): Promise<void> {
  const baked = await image(unrestricted, "baked", false);
  const cloud = new Cloud(clientOptions(local.cloud));
  const choice = await findImage(cloud, { owner, names: ["web"], extra: [] }, signal);
  expect(choice.image.id).toBe(baked);
  await launch({
    cloud,
    choice,
    run: "r2",
    owner,
    instanceType: "t3.micro",
    count: 1,
    ports: [{ port: 22, cidr: "127.0.0.0/8" }],
    loginKey: `${newKeyPair("ed25519").line} me`,
    waitSeconds: undefined,
    listener,
    signal,
  });
  await ownImages(cloud, owner, signal);
  const machines = await ownMachines(cloud, owner, signal);
  expect(machines).toHaveLength(1);
  await withOutcomes(cloud, machines, signal);
  await terminateMachines(cloud, machines, listener, signal);
}

/** Everything that bakes and launches can leave. */
async function leaveAll(local: StateOnlyCloud): Promise<void> {
  await image(local, "half made", true);
  const orphaned = await image(local, "gone", true);
  await local.ec2.send(new DeregisterImageCommand({ ImageId: orphaned }));
  await instance(local, "builder");
  for (const role of ["builder-group", "machine-group"]) await group(local, role);
  for (const role of ["builder-key", "machine-key"]) await key(local, role);
}

async function cleanUp({ local, unrestricted, listener }: Workplace): Promise<void> {
  await leaveAll(unrestricted);
  const cloud = new Cloud(clientOptions(local.cloud));
  const done = await cleanup({ cloud, owner, dryRun: false, listener, signal });
  expect(done).toHaveLength(7);
}

const verbs = [
  { name: "launch", work: launchAndEnd },
  { name: "cleanup", work: cleanUp },
] as const;

for (const { name, work } of verbs) {
  describe(`${name}.json`, () => {
    test("is enough", async () => {
      expect(await under(documented(name), work)).toEqual({ refused: [], warnings: [], error: undefined });
    });

    for (const { without, policy } of shortenings(documented(name))) {
      test(`needs ${without}`, async () => {
        const { refused, warnings, error } = await under(policy, work);
        expect(refused).not.toEqual([]);
        // What is refused is told: it fails, or says what could not be done.
        expect([...warnings, ...(error === undefined ? [] : [error])]).not.toEqual([]);
      });
    }
  });
}

/** Tries each thing in a cloud where it would work if it were allowed. */
async function refusedTo(
  policy: string,
  attempt: (place: Workplace & { readonly ec2: StateOnlyCloud["ec2"] }) => Promise<unknown>,
): Promise<readonly string[]> {
  const { refused } = await under(documented(policy), async (place) => {
    const { ec2 } = new Cloud(clientOptions(place.local.cloud));
    await attempt({ ...place, ec2 });
  });
  return refused;
}

describe("what the policies do not allow", () => {
  for (const policy of ["bake", "cleanup"]) {
    test(`${policy}: to end a launched machine`, async () => {
      const refused = await refusedTo(policy, async ({ ec2, unrestricted }) => {
        const id = await instance(unrestricted, "machine");
        await ec2.send(new TerminateInstancesCommand({ InstanceIds: [id] }));
      });
      expect(refused).toEqual(["ec2:TerminateInstances"]);
    });

    test(`${policy}: to deregister a finished image`, async () => {
      const refused = await refusedTo(policy, async ({ ec2, unrestricted }) => {
        const id = await image(unrestricted, "finished", false);
        await ec2.send(new DeregisterImageCommand({ ImageId: id }));
      });
      expect(refused).toEqual(["ec2:DeregisterImage"]);
    });
  }

  test("launch: to end a builder", async () => {
    const refused = await refusedTo("launch", async ({ ec2, unrestricted }) => {
      const id = await instance(unrestricted, "builder");
      await ec2.send(new TerminateInstancesCommand({ InstanceIds: [id] }));
    });
    expect(refused).toEqual(["ec2:TerminateInstances"]);
  });

  test("launch: to start an image that was not baked", async () => {
    const tags = tagsOf("machine", false);
    const refused = await refusedTo("launch", async ({ ec2, unrestricted }) => {
      await ec2.send(
        new RunInstancesCommand({
          ImageId: unrestricted.imageId,
          MinCount: 1,
          MaxCount: 1,
          TagSpecifications: [specification("instance", tags), specification("volume", tags)],
        }),
      );
    });
    expect(refused).toEqual(["ec2:RunInstances"]);
  });

  test("bake: to take other tags off an image, or all of them", async () => {
    for (const Tags of [[{ Key: "bake-ami:owner" }], undefined]) {
      const refused = await refusedTo("bake", async ({ ec2, unrestricted }) => {
        const id = await image(unrestricted, "finished", false);
        await ec2.send(new DeleteTagsCommand({ Resources: [id], ...(Tags === undefined ? {} : { Tags }) }));
      });
      expect(refused).toEqual(["ec2:DeleteTags"]);
    }
  });

  test("the cloud as it is can be looked at under each", async () => {
    for (const policy of ["bake", "launch", "cleanup"]) {
      const refused = await refusedTo(policy, async ({ ec2 }) => {
        await ec2.send(new DescribeInstancesCommand({}));
        await ec2.send(new DescribeImagesCommand({}));
      });
      expect(refused).toEqual([]);
    }
  });
});

describe("the documentation", () => {
  const page = readFileSync(join(policyDirectory, "../iam-policy.md"), "utf8");
  const files = readdirSync(policyDirectory);

  test("shows every policy as its file has it, and no other", () => {
    const shown = [...page.matchAll(/^`([\w-]+\.json)`:\n\n```json\n(.*?)```$/gms)].map(([, file, text]) => [
      file,
      text,
    ]);
    expect(shown.map(([file]) => file).sort()).toEqual([...files].sort());
    for (const [file = "", text] of shown)
      expect(text).toBe(readFileSync(join(policyDirectory, file), "utf8"));
  });

  test("says of every statement what it is for, under its policy", () => {
    for (const file of files) {
      const section = page.split(`\`${file}\`:`)[1]?.split("\n## ")[0] ?? "";
      for (const { Sid } of documented(file.replace(".json", "")).Statement) {
        expect(section, file).toMatch(new RegExp(`^- \\*\\*${Sid}\\*\\* \\w`, "m"));
      }
    }
  });

  test("every policy fits into a managed policy", () => {
    // 6,144 characters without white space. (IAM User Guide, "IAM and AWS STS quotas")
    for (const file of files) {
      const text = readFileSync(join(policyDirectory, file), "utf8").replaceAll(/\s/g, "");
      expect(text.length, file).toBeLessThan(6144);
    }
  });
});

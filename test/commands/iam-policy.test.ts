import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import {
  DeleteTagsCommand,
  DeregisterImageCommand,
  DescribeImagesCommand,
  DescribeInstancesCommand,
  RunInstancesCommand,
  TerminateInstancesCommand,
} from "@aws-sdk/client-ec2";
import { describe, expect, test } from "vitest";
import { Cloud } from "../../src/aws/cloud.ts";
import { cleanup } from "../../src/cleanup/cleanup.ts";
import { findImage, ownImages } from "../../src/launch/choose-image.ts";
import { checkInstanceType } from "../../src/launch/instance-type.ts";
import { launch } from "../../src/launch/launch.ts";
import { ownMachines, terminateMachines } from "../../src/launch/machines.ts";
import { withOutcomes } from "../../src/launch/machines-status.ts";
import { newKeyPair } from "../../src/local/key-format.ts";
import {
  image,
  instance,
  leaveAll,
  leaveOfLaunches,
  owner,
  specification,
  tagsOf,
} from "../support/leavings.ts";
import { clientOptions, type StateOnlyCloud } from "../support/local-cloud.ts";
import { documented, policyDirectory, shortenings, under, type Workplace } from "../support/policies.ts";

const signal = new AbortController().signal;

/** Launches, looks, reads the outcome, ends: what `launch`, `ls`, `logs`, `ssh` and `terminate` ask of the cloud. */
async function launchAndEnd({ local, unrestricted, listener }: Workplace): Promise<void> {
  const baked = await image(unrestricted, "baked", false);
  const cloud = new Cloud(clientOptions(local.cloud));
  const choice = await findImage(cloud, { owner, names: ["web"], extra: [], local: undefined }, signal);
  expect(choice.image.id).toBe(baked);
  await checkInstanceType(cloud, "t3.micro", choice.image, signal);
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

async function cleanUp({ local, unrestricted, listener }: Workplace): Promise<void> {
  await leaveAll(unrestricted);
  await leaveOfLaunches(unrestricted);
  const cloud = new Cloud(clientOptions(local.cloud));
  const done = await cleanup({ cloud, owner, dryRun: false, listener, signal });
  expect(done).toHaveLength(11);
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

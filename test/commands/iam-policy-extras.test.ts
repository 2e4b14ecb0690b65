import {
  CreateSecurityGroupCommand,
  DescribeInstancesCommand,
  EC2Client,
  RunInstancesCommand,
  TerminateInstancesCommand,
} from "@aws-sdk/client-ec2";
import { GetParameterCommand, SSMClient } from "@aws-sdk/client-ssm";
import { userInfo } from "node:os";
import { describe, expect, test } from "vitest";
import { Cloud } from "../../src/aws/cloud.ts";
import { cleanup } from "../../src/cleanup/cleanup.ts";
import type { PolicyDocument, Statement } from "../../src/local/policy/document.ts";
import { instance, specification, tagsOf } from "../support/leavings.ts";
import { clientOptions } from "../support/local-cloud.ts";
import { documented, shortenings, together, under, type Workplace } from "../support/policies.ts";

const kmsKey = "arn:aws:kms:local:000000000000:key/11111111-2222-3333-4444-555555555555";

/** Starts a builder as a bake does, with something more. */
function launchWith(more: Partial<ConstructorParameters<typeof RunInstancesCommand>[0]>) {
  return async ({ local }: Workplace): Promise<void> => {
    const tags = tagsOf("builder", true);
    await new EC2Client(clientOptions(local.cloud)).send(
      new RunInstancesCommand({
        ImageId: local.imageId,
        InstanceType: "t3.micro",
        MinCount: 1,
        MaxCount: 1,
        SecurityGroupIds: await builderGroup(local),
        TagSpecifications: [specification("instance", tags), specification("volume", tags)],
        ...more,
      }),
    );
  };
}

/** A group of the run, which a policy lets it use. */
async function builderGroup(local: Workplace["local"]): Promise<string[]> {
  const made = await new EC2Client(clientOptions(local.cloud)).send(
    new CreateSecurityGroupCommand({
      GroupName: "g",
      Description: "d",
      TagSpecifications: [specification("security-group", tagsOf("builder-group", true))],
    }),
  );
  return [made.GroupId ?? ""];
}

const encrypted = {
  BlockDeviceMappings: [{ DeviceName: "/dev/xvda", Ebs: { Encrypted: true, KmsKeyId: kmsKey } }],
};

const readParameter = async ({ local }: Workplace): Promise<void> => {
  const Name = "/aws/service/debian/release/12/latest/amd64";
  await new SSMClient(clientOptions(local.cloud)).send(new GetParameterCommand({ Name }));
};

const extras = [
  {
    name: "instance-profile",
    work: launchWith({ IamInstanceProfile: { Name: "bake-ami-builder" } }),
    lacking: "iam:PassRole",
  },
  { name: "kms", work: launchWith(encrypted), lacking: "kms:DescribeKey" },
  { name: "parameters", work: readParameter, lacking: "ssm:GetParameter" },
] as const;

for (const { name, work, lacking } of extras) {
  describe(`${name}.json`, () => {
    const bake = documented("bake");

    test("adds what bake.json alone does not allow", async () => {
      expect((await under(bake, work)).refused).toEqual([lacking]);
    });

    test("is enough", async () => {
      const outcome = await under(together(bake, documented(name)), work);
      expect(outcome).toEqual({ refused: [], warnings: [], error: undefined });
    });

    for (const { without, policy } of shortenings(documented(name))) {
      test(`needs ${without}`, async () => {
        const { refused, error } = await under(together(bake, policy), work);
        expect(refused).toHaveLength(1);
        expect(error).toContain(refused[0]);
      });
    }
  });
}

test("instance-profile.json: no other role can be given", async () => {
  const work = launchWith({ IamInstanceProfile: { Name: "admin" } });
  const policy = together(documented("bake"), documented("instance-profile"));
  expect((await under(policy, work)).refused).toEqual(["iam:PassRole"]);
});

test("session-manager.json: its parts are evaluated, though there is no Session Manager to try them on", () => {
  expect(documented("session-manager").Statement.flatMap(({ Action }) => Action)).toEqual([
    "ssm:StartSession",
    "ssm:StartSession",
  ]);
});

/** A policy with what docs/iam-policy.md adds so that it is for the caller's own things alone. */
function ownOnly(policy: PolicyDocument): PolicyDocument {
  const Statement = policy.Statement.map((statement): Statement => {
    const { StringEquals = {} } = statement.Condition;
    const keys = Object.values(statement.Condition).flatMap(Object.keys);
    const added = ["aws:ResourceTag", "aws:RequestTag"]
      .filter((tag) => keys.includes(`${tag}/bake-ami:role`))
      .map((tag): [string, string[]] => [`${tag}/bake-ami:owner`, ["${aws:PrincipalArn}"]]);
    if (added.length === 0) return statement;
    const Condition = {
      ...statement.Condition,
      StringEquals: { ...StringEquals, ...Object.fromEntries(added) },
    };
    return { ...statement, Condition };
  });
  return { ...policy, Statement };
}

describe("held to one's own things", () => {
  const caller = `arn:aws:iam::000000000000:user/${userInfo().username}`;

  test("one's own leftovers can be ended, and others' not", async () => {
    const policy = ownOnly(documented("cleanup"));
    let others = "";
    const { refused, error } = await under(policy, async ({ local, unrestricted, listener }) => {
      await instance(unrestricted, "builder", caller);
      others = await instance(unrestricted, "builder");
      const cloud = new Cloud(clientOptions(local.cloud));
      const signal = new AbortController().signal;
      expect(await cleanup({ cloud, owner: caller, dryRun: false, listener, signal })).toHaveLength(1);
      const { Reservations } = await cloud.ec2.send(new DescribeInstancesCommand({ InstanceIds: [others] }));
      expect(Reservations?.[0]?.Instances?.[0]?.State?.Name).toBe("running");
      await cloud.ec2.send(new TerminateInstancesCommand({ InstanceIds: [others] }));
    });
    expect(refused).toEqual(["ec2:TerminateInstances"]);
    expect(error).toContain(others);
  });

  test("what one makes must be one's own", async () => {
    expect((await under(ownOnly(documented("bake")), launchWith({}))).refused).toEqual([
      "ec2:CreateSecurityGroup",
    ]);
  });
});

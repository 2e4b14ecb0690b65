import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DescribeImagesCommand, DescribeSnapshotsCommand, EC2Client } from "@aws-sdk/client-ec2";
import { afterEach, beforeEach, expect, test } from "vitest";
import { bakeAmi } from "../support/cli.ts";
import { policyDirectory } from "../support/policies.ts";

let directory = "";

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "bake-ami-serve-"));
});

afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

test("bake-ami local serve --policy puts every client under it", async () => {
  const answers: string[] = [];
  const ask = async (endpoint: string): Promise<void> => {
    const credentials = { accessKeyId: "a", secretAccessKey: "b" };
    const ec2 = new EC2Client({ endpoint, region: "local", credentials });
    const named = (reason: unknown): string => (reason instanceof Error ? reason.name : "");
    answers.push(await ec2.send(new DescribeImagesCommand({})).then(() => "allowed", named));
    answers.push(await ec2.send(new DescribeSnapshotsCommand({})).then(() => "allowed", named));
  };
  await bakeAmi(["local", "serve", "--port", "0", "--policy", join(policyDirectory, "launch.json")], {
    env: { BAKE_AMI_LOCAL_DIR: directory },
    onLine: (line, child) => {
      void ask(line).finally(() => child.kill("SIGINT"));
    },
  });
  expect(answers).toEqual(["allowed", "UnauthorizedOperation"]);
});

test("a policy that cannot be enforced is exit status 2", async () => {
  const file = join(directory, "policy.json");
  const statement = { Effect: "Allow", Action: "ec2:*", Resource: "*" };
  await writeFile(
    file,
    JSON.stringify({ Version: "2012-10-17", Statement: { ...statement, Principal: "*" } }),
  );
  const { status, stderr } = await bakeAmi(["local", "serve", "--port", "0", "--policy", file], {
    env: { BAKE_AMI_LOCAL_DIR: directory },
  });
  expect(status).toBe(2);
  expect(stderr).toContain("cannot be enforced");
  expect(stderr).toContain('Statement[0]: Unrecognized key: "Principal"');
});

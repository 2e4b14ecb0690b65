import { setTimeout as sleep } from "node:timers/promises";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { DescribeInstancesCommand, EC2Client, type Instance } from "@aws-sdk/client-ec2";
import { CreateBucketCommand, GetObjectCommand, ListObjectsV2Command, S3Client } from "@aws-sdk/client-s3";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openLocalCloud } from "../../src/local/index.ts";
import { bakeAmi, type CliResult } from "../support/cli.ts";
import { clientOptions } from "../support/local-cloud.ts";
import { Project } from "../support/project.ts";
import { noLocalMachines, openTestCloud, type TestCloud } from "../support/vm-cloud.ts";

const bucket = "job-logs";

const files = {
  "services/tools/update/10-tools.sh": "#!/bin/sh\necho ready >/run/tools\n",
  "bench.sh": '#!/bin/sh\ncat /run/tools data/input\necho "args: $*, X=$X" >&2\nseq 100000\nexit "$1"\n',
  "data/input": "from here\n",
  "slow.sh": "#!/bin/sh\necho begun\nsleep 8\necho over\n",
};

const longOutput = `ready\nfrom here\nargs: 7 a b, X=1 2\n${Array.from({ length: 100_000 }, (_, i) => `${i + 1}\n`).join("")}`;

describe.skipIf(noLocalMachines !== undefined)(
  `jobs on real virtual machines ${noLocalMachines ?? ""}`,
  () => {
    let cloud: TestCloud;
    let project: Project;
    let ec2: EC2Client;
    let s3: S3Client;
    let imageId = "";

    beforeAll(async () => {
      cloud = await openTestCloud();
      project = new Project(files);
      const options = clientOptions(openLocalCloud({ directory: cloud.directory }));
      ec2 = new EC2Client(options);
      s3 = new S3Client(options);
      await s3.send(new CreateBucketCommand({ Bucket: bucket }));
      const baked = await bakeAmi(["tools", "--local"], { cwd: project.directory, env: cloud.env });
      if (baked.status !== 0) throw new Error(baked.stderr);
      imageId = baked.stdout.trim();
    });
    afterAll(async () => {
      project[Symbol.dispose]();
      await cloud[Symbol.asyncDispose]();
    });

    interface RunOptions {
      readonly prefix: string;
      readonly command: readonly string[];
      readonly more?: readonly string[];
      readonly killOn?: string;
    }

    const run = async ({ prefix, command, more = [], killOn }: RunOptions): Promise<CliResult> =>
      await bakeAmi(
        ["run", "tools", "--local", "--log", `s3://${bucket}/${prefix}`, ...more, "--", ...command],
        {
          cwd: project.directory,
          env: cloud.env,
          onLine: (line, child) => {
            if (killOn !== undefined && line.includes(killOn)) child.kill("SIGKILL");
          },
        },
      );

    /** The objects below a prefix, by the last part of their key. */
    async function logged(prefix: string): Promise<Map<string, string>> {
      const { Contents = [] } = await s3.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: prefix }));
      const found = new Map<string, string>();
      for (const { Key = "" } of Contents) {
        const { Body } = await s3.send(new GetObjectCommand({ Bucket: bucket, Key }));
        expect(Key).toMatch(new RegExp(`^${prefix}/\\d{8}-\\d{6}-[a-z0-9]+/0/[a-z.]+$`));
        found.set(Key.replace(/.*\//, ""), (await Body?.transformToString()) ?? "");
      }
      return found;
    }

    async function jobMachines(): Promise<Instance[]> {
      const { Reservations = [] } = await ec2.send(new DescribeInstancesCommand());
      return Reservations.flatMap(({ Instances = [] }) => Instances).filter(
        ({ Tags = [], State }) =>
          State?.Name !== "terminated" &&
          Tags.some(({ Key, Value }) => Key === "bake-ami:role" && Value === "job"),
      );
    }

    test("one that succeeds, one that fails, one whose caller is killed: the log is complete, the machine gone", async () => {
      const output = join(project.directory, "output.log");
      const [good, bad, killed] = await Promise.all([
        run({ prefix: "good", command: ["sh", "-c", "cat /run/tools; echo done"] }),
        run({
          prefix: "bad",
          command: ["./bench.sh", "7", "a b"],
          more: ["--env", "X=1 2", "--upload", "data", "--output", output],
        }),
        run({ prefix: "killed", command: ["./slow.sh"], killOn: "begun" }),
      ]);

      expect([good.status, good.stdout], good.stderr).toEqual([0, "ready\ndone\n"]);
      const ofGood = await logged("good");
      expect(ofGood.get("job.log")).toBe("ready\ndone\n");
      expect(JSON.parse(ofGood.get("job.json") ?? "")).toMatchObject({
        status: 0,
        reason: null,
        logBytes: 11,
        image: imageId,
      });

      expect(bad.status, bad.stderr).toBe(7);
      expect(bad.stdout).toBe(longOutput);
      expect(readFileSync(output, "utf8")).toBe(longOutput);
      const ofBad = await logged("bad");
      expect(ofBad.get("job.log")).toBe(longOutput);
      expect(JSON.parse(ofBad.get("job.json") ?? "")).toMatchObject({
        status: 7,
        command: ["./bench.sh", "7", "a b"],
      });
      expect(bad.stderr).toContain("the job ended with status 7");

      expect([killed.status, killed.stdout]).toEqual([137, "begun\n"]);
      const end = Date.now() + 120_000;
      while ((await jobMachines()).length > 0) {
        if (Date.now() > end) throw new Error("the job's machine is still there");
        await sleep(500);
      }
      const ofKilled = await logged("killed");
      expect(ofKilled.get("job.log")).toBe("begun\nover\n");
      expect(JSON.parse(ofKilled.get("job.json") ?? "")).toMatchObject({ status: 0 });
      console.log(good.stderr);

      // What a killed caller could not take along is a key pair and a group.
      const cleaned = await bakeAmi(["cleanup", "--local"], { cwd: project.directory, env: cloud.env });
      expect(cleaned.status, cleaned.stderr).toBe(0);
      expect(await cloud.leftovers()).toEqual([imageId]);
    });

    test("a bucket that is not there is refused before anything is launched", async () => {
      const result = await bakeAmi(
        ["run", "tools", "--local", "--log", "s3://no-such-bucket/x", "--", "true"],
        {
          cwd: project.directory,
          env: cloud.env,
        },
      );
      expect(result.status).toBe(2);
      expect(result.stderr).toContain("no-such-bucket");
      expect(await cloud.leftovers()).toEqual([imageId]);
    });
  },
);

import { setTimeout as sleep } from "node:timers/promises";
import { GetConsoleOutputCommand, EC2Client } from "@aws-sdk/client-ec2";
import { CreateBucketCommand, S3Client } from "@aws-sdk/client-s3";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Cloud } from "../../src/aws/cloud.ts";
import { getObject, listObjects, putObject, type S3Object } from "../../src/aws/s3.ts";
import { openLocalCloud } from "../../src/local/open.ts";
import { bakeAmi, type CliResult } from "../support/cli.ts";
import { clientOptions } from "../support/local-cloud.ts";
import { Project } from "../support/project.ts";
import { noLocalMachines, openTestCloud, type TestCloud } from "../support/vm-cloud.ts";

const update = (word: string): string =>
  `#!/bin/sh\nset -eu\necho ${word} >/var/tmp/word\necho "this update says ${word}"\n`;
const signal = new AbortController().signal;
const bundleObject: S3Object = { bucket: "team", key: "bundles/test.bundle" };

describe.skipIf(noLocalMachines !== undefined)(
  `a machine that follows a channel ${noLocalMachines ?? ""}`,
  () => {
    let local: TestCloud;
    let cloud: Cloud;
    let ec2: EC2Client;
    let project: Project;
    let machine = "";

    beforeAll(async () => {
      local = await openTestCloud();
      const options = clientOptions(openLocalCloud({ directory: local.directory }));
      [cloud, ec2] = [new Cloud(options), new EC2Client(options)];
      await new S3Client(options).send(new CreateBucketCommand({ Bucket: "team" }));
      project = new Project({
        "services/web/init.sh": '#!/bin/sh\necho "this init says hello"\n',
        "services/web/update.sh": update("baked"),
      });
    });
    afterAll(async () => {
      project[Symbol.dispose]();
      await local[Symbol.asyncDispose]();
    });

    const run = (verb: string, ...args: string[]): Promise<CliResult> =>
      bakeAmi([verb, "--local", ...args], { cwd: project.directory, env: local.env });

    const done = async (verb: string, ...args: string[]): Promise<CliResult> => {
      const result = await run(verb, ...args);
      if (result.status !== 0) throw new Error(`${result.stdout.slice(-2000)}${result.stderr}`);
      return result;
    };

    const word = async (): Promise<string> =>
      (await done("ssh", machine, "--quiet", "--", "cat /var/tmp/word")).stdout.trim();

    async function said(): Promise<string[]> {
      const { Output = "" } = await ec2.send(new GetConsoleOutputCommand({ InstanceId: machine }));
      return Buffer.from(Output, "base64").toString().split(/\r?\n/);
    }

    /** What its console says of the channel at its next boot; once its update is over. */
    async function rebooted(): Promise<string> {
      const updates = (lines: readonly string[]): number =>
        lines.filter((line) => line.includes("bake-ami: phase=update")).length;
      const before = updates(await said());
      await run("ssh", machine, "--quiet", "--", "sudo systemctl reboot");
      const end = Date.now() + 180_000;
      while (Date.now() < end) {
        const lines = await said();
        if (updates(lines) > before)
          return lines.filter((line) => line.includes("channel=test")).at(-1) ?? "";
        await sleep(1000);
      }
      throw new Error(`no update after the reboot: ${(await said()).slice(-40).join("\n")}`);
    }

    async function textOf(key: string): Promise<string> {
      return Buffer.from((await getObject(cloud, { bucket: "team", key }, signal)).bytes).toString();
    }

    test("the log of the bake is in the bucket", async () => {
      await done("web", "--log", "s3://team/logs");
      const [log] = await listObjects(cloud, { bucket: "team", prefix: "logs/" }, signal);
      expect(log?.key).toMatch(/^logs\/[0-9a-z-]+\/init\.log$/);
      expect(await textOf(log?.key ?? "")).toMatch(/this init says hello[\s\S]*baked ami-[0-9a-f]+\n$/);
    });

    test("what is pushed runs on its first boot, and its log is in the bucket", async () => {
      project.write("services/web/update.sh", update("pushed"));
      const { stderr } = await done("push", "--channel", "test", "s3://team/bundles");
      expect(stderr).toMatch(/trusted by the machines of ami-[0-9a-f]+ /);
      const options = ["--channel", "test", "--bundles", "s3://team/bundles", "--log", "s3://team/launches"];
      const result = await done("launch", "web", ...options, "--wait");
      expect(result.stderr).not.toContain("trusts");
      machine = /^(i-[0-9a-f]+)/m.exec(result.stdout)?.[1] ?? "";
      expect(await word()).toBe("pushed");
      expect((await said()).join("\n")).toMatch(
        /bake-ami: channel=test result=new digest=[0-9a-f]{16} serial=\d{13} reason=/,
      );
      const list = () => listObjects(cloud, { bucket: "team", prefix: "launches/" }, signal);
      const end = Date.now() + 30_000;
      while ((await list()).length === 0 && Date.now() < end) await sleep(500);
      const [log] = await list();
      expect(log?.key).toMatch(/^launches\/[0-9a-z-]+\/0\/update\.log$/);
      expect(await textOf(log?.key ?? "")).toContain("this update says pushed");
    });

    test("what was changed in the bucket is refused, and the last good bundle runs", async () => {
      const { bytes } = await getObject(cloud, bundleObject, signal);
      const changed = Buffer.from(bytes);
      const last = changed.length - 20;
      changed.writeUInt8(changed.readUInt8(last) ^ 1, last);
      await putObject(cloud, bundleObject, changed, signal);
      expect(await rebooted()).toMatch(
        /result=kept digest=[0-9a-f]{16} serial=\d{13} reason=its archive is not the one that was signed/,
      );
      expect(await word()).toBe("pushed");
    });

    test("the next good one runs again", async () => {
      project.write("services/web/update.sh", update("good"));
      await done("push", "--channel", "test", "s3://team/bundles");
      expect(await rebooted()).toMatch(/result=new /);
      expect(await word()).toBe("good");
    });

    test("without its bucket nothing is launched", async () => {
      const options = ["--channel", "test", "--bundles", "s3://nowhere/bundles"];
      const result = await run("launch", "web", ...options);
      expect(result.status).toBe(2);
      expect(result.stderr).toContain("there is no bucket nowhere");
      expect(result.stderr).not.toContain("created");
    });
  },
);

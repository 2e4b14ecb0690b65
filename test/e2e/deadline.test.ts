import { setTimeout as sleep } from "node:timers/promises";
import { DescribeInstancesCommand, EC2Client, type Instance } from "@aws-sdk/client-ec2";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openLocalCloud, requestHandler } from "../../src/local/index.ts";
import { bakeAmi, type CliResult } from "../support/cli.ts";
import { Project } from "../phases/support.ts";
import { noLocalMachines, openTestCloud, type TestCloud } from "../support/vm-cloud.ts";

/** Enough for two boots on a busy computer, and short enough to wait for. */
const maxBakeSeconds = 150;

/** The machine gives the controller so much longer. */
const graceSeconds = 30;

/** A service that reboots its machine, and then works for longer than the bake may take. */
const files = {
  "services/endless/init/10-reboot.sh":
    "#!/bin/sh\n[ ! -e /root/rebooted ] || exit 0\ntouch /root/rebooted\nexit 194\n",
  "services/endless/init/20-work.sh": "#!/bin/sh\necho endless is at work\nsleep 3600\n",
};

describe.skipIf(noLocalMachines !== undefined)(
  `a builder whose controller was killed ${noLocalMachines ?? ""}`,
  () => {
    let cloud: TestCloud;
    let project: Project;

    beforeAll(async () => {
      cloud = await openTestCloud();
      project = new Project(files);
    });
    afterAll(async () => {
      project[Symbol.dispose]();
      await cloud[Symbol.asyncDispose]();
    });

    const run = (...args: string[]): Promise<CliResult> =>
      bakeAmi([...args, "--local"], { cwd: project.directory, env: cloud.env });

    async function builder(): Promise<Instance> {
      const ec2 = new EC2Client({
        region: "local",
        credentials: { accessKeyId: "local", secretAccessKey: "local" },
        requestHandler: requestHandler(openLocalCloud({ directory: cloud.directory })),
      });
      const { Reservations } = await ec2.send(new DescribeInstancesCommand({}));
      const [instance, other] = (Reservations ?? []).flatMap(({ Instances }) => Instances ?? []);
      if (instance === undefined || other !== undefined) throw new Error("there is not exactly one instance");
      return instance;
    }

    test("ends itself when the bake's time is over, after a reboot too; cleanup takes the rest", async () => {
      const killed = await bakeAmi(
        ["endless", "--local", "--json", "--max-bake-time", `${maxBakeSeconds}s`],
        {
          cwd: project.directory,
          env: cloud.env,
          onLine: (line, child) => {
            if (line.includes("endless is at work")) child.kill("SIGKILL");
          },
        },
      );
      const killedAt = Date.now();
      expect(killed.status).toBe(137);
      expect((await builder()).State?.Name).toBe("running");
      const expires = Date.parse(
        (await builder()).Tags?.find(({ Key }) => Key === "bake-ami:expires")?.Value ?? "",
      );
      expect(expires).toBeLessThan(Date.now() + maxBakeSeconds * 1000);

      let seen = await builder();
      while (seen.State?.Name !== "terminated") {
        if (Date.now() > expires + (graceSeconds + 90) * 1000)
          throw new Error(`it is ${seen.State?.Name ?? ""}`);
        await sleep(500);
        seen = await builder();
      }
      const late = (Date.now() - expires) / 1000;
      console.log(
        `killed ${((Date.now() - killedAt) / 1000).toFixed(0)} s ago; terminated ${late.toFixed(1)} s after its expiry`,
      );
      expect(late).toBeGreaterThanOrEqual(graceSeconds);
      expect(seen.StateReason?.Code).toBe("Client.InstanceInitiatedShutdown");

      const kinds = (ids: readonly string[]): string[] => ids.map((id) => id.replace(/-.*/, "")).sort();
      expect(kinds(await cloud.leftovers())).toEqual(["key", "sg"]);
      const cleaned = await run("cleanup");
      expect(cleaned.status).toBe(0);
      expect(
        cleaned.stdout
          .replaceAll(/ of run .*/g, "")
          .trimEnd()
          .split("\n"),
      ).toEqual([
        expect.stringMatching(/^deleted security group sg-/),
        expect.stringMatching(/^deleted key pair key-/),
      ]);
      expect(await cloud.leftovers()).toEqual([]);
    });
  },
);

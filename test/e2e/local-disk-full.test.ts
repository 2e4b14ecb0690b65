import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  AuthorizeSecurityGroupIngressCommand,
  CreateKeyPairCommand,
  CreateSecurityGroupCommand,
  DescribeImagesCommand,
  DescribeInstancesCommand,
  EC2Client,
  RunInstancesCommand,
  TerminateInstancesCommand,
  type Instance,
} from "@aws-sdk/client-ec2";
import { expect, test } from "vitest";
import { openLocalCloud, resetLocalCloud } from "../../src/local/index.ts";
import { clientOptions } from "../support/local-cloud.ts";
import { noLocalMachines, openTestCloud } from "../support/vm-cloud.ts";

const why =
  noLocalMachines ??
  (process.getuid?.() === 0 && process.platform === "linux" ? undefined : "(skipped: needs root on Linux)");

test.skipIf(why !== undefined)(
  `a machine that fills this computer's disk is stopped, and says why ${why ?? ""}`,
  async () => {
    await using source = await openTestCloud();
    const home = mkdtempSync(join(tmpdir(), "bake-ami-full-"));
    const room = join(home, "room");
    const directory = join(room, "cloud");
    const { signal } = new AbortController();
    const [base = ""] = readdirSync(join(source.directory, "disks"));
    const megabytes = Math.ceil(statSync(join(source.directory, "disks", base)).size / 2 ** 20) + 60;
    spawnSync("mkdir", [room]);
    expect(spawnSync("mount", ["-t", "tmpfs", "-o", `size=${megabytes}m`, "tmpfs", room]).status).toBe(0);
    try {
      expect(spawnSync("cp", ["-a", source.directory, directory]).status).toBe(0);
      const ec2 = new EC2Client(clientOptions(openLocalCloud({ directory })));
      const { Images } = await ec2.send(new DescribeImagesCommand({ Owners: ["amazon"] }));
      const key = await ec2.send(new CreateKeyPairCommand({ KeyName: "k", KeyType: "ed25519" }));
      writeFileSync(join(home, "key"), key.KeyMaterial ?? "", { mode: 0o600 });
      const { GroupId = "" } = await ec2.send(
        new CreateSecurityGroupCommand({ GroupName: "g", Description: "g" }),
      );
      await ec2.send(
        new AuthorizeSecurityGroupIngressCommand({
          GroupId,
          IpPermissions: [
            { IpProtocol: "tcp", FromPort: 22, ToPort: 22, IpRanges: [{ CidrIp: "127.0.0.0/8" }] },
          ],
        }),
      );
      const { Instances } = await ec2.send(
        new RunInstancesCommand({
          ImageId: Images?.[0]?.ImageId,
          InstanceType: "t3.micro",
          MinCount: 1,
          MaxCount: 1,
          KeyName: "k",
          SecurityGroupIds: [GroupId],
        }),
      );
      const id = Instances?.[0]?.InstanceId ?? "";
      const look = async (): Promise<Instance> => {
        const { Reservations } = await ec2.send(new DescribeInstancesCommand({ InstanceIds: [id] }));
        return Reservations?.[0]?.Instances?.[0] ?? {};
      };
      const { PublicIpAddress = "", Tags = [] } = await look();
      const port = Tags.find(({ Key }) => Key === "bake-ami:ssh-port")?.Value ?? "22";
      const ssh = (command: string): [string, string[]] => [
        "ssh",
        [
          ...[
            "-q",
            "-p",
            port,
            "-i",
            join(home, "key"),
            "-o",
            "StrictHostKeyChecking=no",
            "-o",
            "BatchMode=yes",
          ],
          ...[
            "-o",
            "UserKnownHostsFile=/dev/null",
            "-o",
            "ConnectTimeout=5",
            `admin@${PublicIpAddress}`,
            command,
          ],
        ],
      ];
      const deadline = Date.now() + 120_000;
      while (spawnSync(...ssh("true"), { timeout: 20_000 }).status !== 0) {
        expect(Date.now()).toBeLessThan(deadline);
        await new Promise((resolve) => setTimeout(resolve, 200));
      }
      const filling = spawn(...ssh("sudo dd if=/dev/zero of=/big bs=1M count=500 oflag=direct"), {
        stdio: "ignore",
      });
      try {
        await expect
          .poll(async () => (await look()).State?.Name, { timeout: 120_000, interval: 500 })
          .toBe("stopped");
      } finally {
        filling.kill("SIGKILL");
      }
      expect((await look()).StateReason?.Message).toMatch(
        /the disk of this computer is full \(\d+ MiB free at /,
      );
      // There is room enough left to free the rest.
      await ec2.send(new TerminateInstancesCommand({ InstanceIds: [id] }));
      expect((await look()).State?.Name).toBe("terminated");
      expect(readdirSync(join(directory, "disks"))).toEqual([base]);
    } finally {
      await resetLocalCloud({ directory, baseImages: true, signal });
      spawnSync("umount", [room]);
      rmSync(home, { recursive: true, force: true });
    }
  },
);

import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  AuthorizeSecurityGroupIngressCommand,
  CreateImageCommand,
  CreateKeyPairCommand,
  CreateSecurityGroupCommand,
  CreateTagsCommand,
  DescribeImagesCommand,
  DescribeInstancesCommand,
  EC2Client,
  GetConsoleOutputCommand,
  RebootInstancesCommand,
  RunInstancesCommand,
  StopInstancesCommand,
  TerminateInstancesCommand,
  type Instance,
} from "@aws-sdk/client-ec2";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { builderUserData } from "../../src/bake/user-data.ts";
import { Secret } from "../../src/base/ids.ts";
import { newKeyPair } from "../../src/local/key-format.ts";
import { openLocalCloud } from "../../src/local/index.ts";
import { clientOptions } from "../support/local-cloud.ts";
import { noLocalMachines, openTestCloud, type TestCloud } from "../support/vm-cloud.ts";

const why = noLocalMachines ?? "";

describe.skipIf(noLocalMachines !== undefined)(`a virtual machine of the local cloud ${why}`, () => {
  let local: TestCloud;
  let files: string;
  let ec2: EC2Client;
  let imageId: string;
  let groupId: string;

  beforeAll(async () => {
    local = await openTestCloud();
    files = mkdtempSync(join(tmpdir(), "bake-ami-vm-"));
    ec2 = new EC2Client(clientOptions(openLocalCloud({ directory: local.directory })));
    const { Images } = await ec2.send(new DescribeImagesCommand({ Owners: ["amazon"] }));
    imageId = Images?.[0]?.ImageId ?? "";
    const key = await ec2.send(new CreateKeyPairCommand({ KeyName: "vm", KeyType: "ed25519" }));
    writeFileSync(join(files, "key"), key.KeyMaterial ?? "", { mode: 0o600 });
    const group = await ec2.send(new CreateSecurityGroupCommand({ GroupName: "vm", Description: "vm" }));
    groupId = group.GroupId ?? "";
    await open(22);
  });
  afterAll(async () => {
    await local[Symbol.asyncDispose]();
    rmSync(files, { recursive: true, force: true });
  });

  async function open(port: number): Promise<void> {
    await ec2.send(
      new AuthorizeSecurityGroupIngressCommand({
        GroupId: groupId,
        IpPermissions: [
          { IpProtocol: "tcp", FromPort: port, ToPort: port, IpRanges: [{ CidrIp: "127.0.0.0/8" }] },
        ],
      }),
    );
  }

  async function launch(image: string, userData?: string): Promise<string> {
    const { Instances } = await ec2.send(
      new RunInstancesCommand({
        ImageId: image,
        InstanceType: "t3.micro",
        MinCount: 1,
        MaxCount: 1,
        KeyName: "vm",
        SecurityGroupIds: [groupId],
        MetadataOptions: { HttpTokens: "required", InstanceMetadataTags: "enabled" },
        ...(userData === undefined ? {} : { UserData: Buffer.from(userData).toString("base64") }),
      }),
    );
    return Instances?.[0]?.InstanceId ?? "";
  }

  async function look(id: string): Promise<Instance> {
    const { Reservations } = await ec2.send(new DescribeInstancesCommand({ InstanceIds: [id] }));
    return Reservations?.[0]?.Instances?.[0] ?? {};
  }

  async function until<T>(what: string, seconds: number, ask: () => Promise<T | undefined>): Promise<T> {
    for (const end = Date.now() + seconds * 1000; Date.now() < end;) {
      const answer = await ask();
      if (answer !== undefined) return answer;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    throw new Error(`gave up waiting for ${what}`);
  }

  const inState = async (id: string, state: string): Promise<Instance> =>
    await until(`${id} to be ${state}`, 120, async () => {
      const instance = await look(id);
      return instance.State?.Name === state ? instance : undefined;
    });

  /** Runs a command on a machine with the real ssh client; with a known host key it accepts no other. */
  function ssh(instance: Instance, command: string, hostKey?: string): string | undefined {
    const address = instance.PublicIpAddress ?? "";
    const port = instance.Tags?.find(({ Key }) => Key === "bake-ami:ssh-port")?.Value ?? "22";
    const known = join(files, "known_hosts");
    const name = port === "22" ? address : `[${address}]:${port}`;
    writeFileSync(known, hostKey === undefined ? "" : `${name} ${hostKey}\n`);
    const { status, stdout } = spawnSync(
      "ssh",
      [
        ...["-q", "-p", port, "-i", join(files, "key"), "-o", `UserKnownHostsFile=${known}`],
        ...["-o", `StrictHostKeyChecking=${hostKey === undefined ? "no" : "yes"}`, "-o", "BatchMode=yes"],
        ...["-o", "ConnectTimeout=5", "-o", "IdentitiesOnly=yes", `admin@${address}`, command],
      ],
      { encoding: "utf8", timeout: 60_000 },
    );
    return status === 0 ? stdout.trim() : undefined;
  }

  const identity = "cat /etc/machine-id /etc/ssh/ssh_host_ed25519_key.pub";
  const pids = (): string =>
    spawnSync("sh", ["-c", `ps -ww -eo pid,args | grep -F '${local.directory}' | grep '[q]emu-system'`], {
      encoding: "utf8",
    }).stdout;

  test("boots, is reached, knows itself, is imaged, and leaves nothing", async () => {
    const host = newKeyPair("ed25519");
    const userData = builderUserData(
      { privateKey: new Secret(host.privateKey), publicKey: host.line },
      new Date(Date.now() + 3600_000),
    );
    const started = Date.now();
    const id = await launch(imageId, userData);
    let machine = await inState(id, "running");
    await until("SSH with the planted host key", 120, async () =>
      Promise.resolve(ssh(machine, "true", host.line)),
    );
    console.log(`boot to SSH: ${((Date.now() - started) / 1000).toFixed(1)} s`);

    // Metadata, inside: version 2 only; tags as they are now.
    await ec2.send(
      new CreateTagsCommand({ Resources: [id], Tags: [{ Key: "bake-ami:with", Value: "a b" }] }),
    );
    const metadata = ssh(
      machine,
      `base=http://169.254.169.254/latest
       curl -s -o /dev/null -w '%{http_code} ' $base/meta-data/instance-id
       token=$(curl -sS -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' $base/api/token)
       for path in meta-data/instance-id meta-data/tags/instance/bake-ami:with; do
         curl -sS -H "X-aws-ec2-metadata-token: $token" $base/$path; echo
       done
       hostname; sudo -n id -u; systemctl is-system-running`,
      host.line,
    );
    expect(metadata?.split("\n")).toEqual([
      `401 ${id}`,
      "a b",
      `ip-${machine.PrivateIpAddress?.replaceAll(".", "-") ?? ""}`,
      "0",
      "running",
    ]);

    // A port that is opened now answers now.
    await open(8080);
    machine = await look(id);
    const port = machine.Tags?.find(({ Key }) => Key === "bake-ami:port-8080")?.Value ?? "8080";
    ssh(
      machine,
      "sudo sh -c 'echo hello >/root/index.html; setsid busybox httpd -p 8080 -h /root' </dev/null >/dev/null 2>&1",
      host.line,
    );
    const page = await fetch(`http://${machine.PublicIpAddress ?? ""}:${port}/index.html`);
    expect(await page.text()).toBe("hello\n");

    const { Output = "" } = await ec2.send(new GetConsoleOutputCommand({ InstanceId: id, Latest: true }));
    const shown = Buffer.from(Output, "base64").toString();
    expect(shown).toMatch(
      /-----BEGIN SSH HOST KEY KEYS-----\r?\nssh-ed25519 [^]*-----END SSH HOST KEY KEYS-----/,
    );
    expect(shown).toContain(host.line);

    // The same machine after a reset: same keys, same id.
    const before = ssh(machine, identity, host.line);
    const bootId = ssh(machine, "cat /proc/sys/kernel/random/boot_id", host.line);
    await ec2.send(new RebootInstancesCommand({ InstanceIds: [id] }));
    await until("SSH after the reboot", 120, async () => {
      const now = ssh(machine, "cat /proc/sys/kernel/random/boot_id", host.line);
      return Promise.resolve(now === bootId ? undefined : now);
    });
    expect(ssh(machine, identity, host.line)).toBe(before);

    // An image of the running machine, without a reboot; the machine goes on, on another disk.
    const live = await ec2.send(new CreateImageCommand({ InstanceId: id, Name: "live", NoReboot: true }));
    expect(ssh(machine, "echo after >after; sync; cat after", host.line)).toBe("after");

    const stopping = Date.now();
    await ec2.send(new StopInstancesCommand({ InstanceIds: [id] }));
    await inState(id, "stopped");
    console.log(`ACPI stop: ${((Date.now() - stopping) / 1000).toFixed(1)} s`);
    const { ImageId = "" } = await ec2.send(new CreateImageCommand({ InstanceId: id, Name: "baked" }));
    await ec2.send(new TerminateInstancesCommand({ InstanceIds: [id] }));

    // A machine from the image is another one: host keys and machine id of its own.
    const copies = [await launch(ImageId), await launch(live.ImageId ?? "")];
    const seen = new Set([before]);
    for (const copy of copies) {
      const other = await inState(copy, "running");
      await until("SSH to the copy", 120, async () => Promise.resolve(ssh(other, "true")));
      seen.add(ssh(other, identity));
      expect(ssh(other, identity)?.split("\n")[0]).not.toBe(before?.split("\n")[0]);
      expect(ssh(other, identity)).not.toContain(host.line.split(" ")[1]);
      // What was written after the live image was taken is in the other one only.
      expect(ssh(other, "test -e after && echo yes || echo no")).toBe(copy === copies[0] ? "yes" : "no");
    }
    expect(seen.size).toBe(3);

    // A machine that powers itself off is stopped.
    const [first = "", second = ""] = copies;
    ssh(await look(first), "sudo systemctl poweroff");
    const off = await inState(first, "stopped");
    expect(off.StateReason?.Code).toBe("Client.InstanceInitiatedShutdown");

    await ec2.send(new TerminateInstancesCommand({ InstanceIds: [first, second] }));
    expect((await look(second)).State?.Name).toBe("terminated");
    expect(pids()).toBe("");
    expect(readdirSync(join(local.directory, "instances"))).toEqual([]);
    // The base image's disk, and the two that became images.
    expect(readdirSync(join(local.directory, "disks"))).toHaveLength(3);
    expect(existsSync(join(local.directory, "setup"))).toBe(false);
  });
});

import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  DescribeAddressesCommand,
  DescribeInstanceAttributeCommand,
  EC2Client,
  ImportKeyPairCommand,
} from "@aws-sdk/client-ec2";
import { PutParameterCommand, SSMClient } from "@aws-sdk/client-ssm";
import { expect, test } from "vitest";
import { runProgram } from "../../src/base/process.ts";
import { openLocalCloud } from "../../src/local/index.ts";
import { newKeyPair } from "../../src/machine/keys.ts";
import { bakeAmi, type CliResult } from "../support/cli.ts";
import { clientOptions } from "../support/local-cloud.ts";
import { Project } from "../support/project.ts";
import { noLocalMachines, openTestCloud } from "../support/vm-cloud.ts";

const secret = "cat-battery-7731";

const services = {
  "services/app/service.yaml": [
    "parameters:",
    "  greeting: {default: hello, phase: update}",
    "  token: {secret: true, phase: update}",
    "",
  ].join("\n"),
  "services/app/init/10-made.sh": "#!/bin/sh\ndate >/var/tmp/app-made\n",
  "services/app/update/10-told.sh": [
    "#!/bin/sh",
    'printf "%s\\n" "$BAKE_GREETING" >/var/tmp/greeting',
    'printf %s "$BAKE_TOKEN" | sha256sum >/var/tmp/token-sum',
    "",
  ].join("\n"),
  "services/extra/service.yaml":
    "requires: [app]\nparameters:\n  size: {type: integer, default: 1, phase: init}\n",
  "services/extra/init/10-size.sh": '#!/bin/sh\necho "$BAKE_SIZE" >/var/tmp/size\n',
};

test.skipIf(noLocalMachines !== undefined)(
  `a launch with everything that travels in user data, beside the user's own ${noLocalMachines ?? ""}`,
  async () => {
    await using local = await openTestCloud();
    using project = new Project(services);
    const options = clientOptions(openLocalCloud({ directory: local.directory }));
    const [ec2, ssm] = [new EC2Client(options), new SSMClient(options)];
    const run = async (...args: string[]): Promise<CliResult> => {
      const [verb = "", ...rest] = args;
      const result = await bakeAmi([verb, "--local", ...rest], { cwd: project.directory, env: local.env });
      if (result.status !== 0) throw new Error(`status ${result.status}: ${result.stdout}${result.stderr}`);
      return result;
    };

    const image = (await run("bake", "app")).stdout.trim();
    await ssm.send(new PutParameterCommand({ Name: "/app/token", Value: secret, Type: "SecureString" }));
    const theirs = newKeyPair("them");
    await ec2.send(
      new ImportKeyPairCommand({ KeyName: "mine", PublicKeyMaterial: Buffer.from(theirs.publicKey) }),
    );
    const userData = join(project.directory, "user-data");
    writeFileSync(userData, "#!/bin/sh\necho ran >/var/tmp/own\n");
    const knownHosts = join(project.directory, "known-hosts");

    const launched = await run(
      "launch",
      "app",
      ...["--with", "extra", "--set", "extra.size=7", "--set", "app.greeting=good day, 'world'"],
      ...["--set", "app.token=ssm:/app/token", "--instance-profile", "app"],
      ...["--user-data", userData, "--key", "mine", "--elastic-ip", "new", "--known-hosts", knownHosts],
      "--wait",
    );
    const [id = "", address = ""] = launched.stdout.trim().split(" ");
    expect(launched.stderr).toContain("extra: not in the image, so initialised on the first boot");
    const { Addresses = [] } = await ec2.send(new DescribeAddressesCommand());
    expect(Addresses).toMatchObject([{ PublicIp: address, InstanceId: id }]);

    const told = await run("ssh", id, "--quiet", "--", "cd /var/tmp && cat greeting size own token-sum");
    const sum = createHash("sha256").update(secret).digest("hex");
    expect(told.stdout).toBe(`good day, 'world'\n7\nran\n${sum}  -\n`);

    // The host keys are those of the console, and the user's key is let in beside ours.
    const keyFile = join(project.directory, "theirs");
    writeFileSync(keyFile, theirs.privateKey.reveal(), { mode: 0o600 });
    const port = /^\[\S+\]:(\d+) /.exec(readFileSync(knownHosts, "utf8"))?.[1] ?? "22";
    const ssh = await runProgram(
      [
        "ssh",
        ...["-F", "none", "-o", `UserKnownHostsFile=${knownHosts}`, "-o", "StrictHostKeyChecking=yes"],
        ...["-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes", "-i", keyFile, "-p", port],
        ...[`admin@${address}`, "echo in"],
      ],
      { signal: AbortSignal.timeout(60_000) },
    );
    expect(ssh).toMatchObject({ status: 0, stdout: "in\n" });

    const attribute = await ec2.send(
      new DescribeInstanceAttributeCommand({ InstanceId: id, Attribute: "userData" }),
    );
    const sent = Buffer.from(attribute.UserData?.Value ?? "", "base64").toString("latin1");
    const journal = await run("ssh", id, "--quiet", "--", "sudo journalctl --no-pager -o cat; ps axeww");
    for (const text of [sent, journal.stdout, launched.stderr]) expect(text).not.toContain(secret);

    await run("terminate", id);
    expect(await local.leftovers()).toEqual([image, expect.stringMatching(/^key-/)]);
    expect((await ec2.send(new DescribeAddressesCommand())).Addresses ?? []).toEqual([]);
  },
);

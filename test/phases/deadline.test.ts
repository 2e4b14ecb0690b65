import { mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { z } from "zod";
import { builderUserData } from "../../src/bake/user-data.ts";
import { newKeyPair } from "../../src/machine/keys.ts";
import { bootMachine, noTestMachines, type TestMachine } from "../support/nspawn.ts";

const skipped = noTestMachines === undefined ? "" : ` (${noTestMachines})`;

/** The controller gives up before the machine does. */
const graceSeconds = 30;

/** What cloud-init makes of `bootcmd`: a string is a line of shell as it is. (cloudinit/subp.py, `shellify`) */
function bootCommands(userData: string): string {
  const { bootcmd } = z.object({ bootcmd: z.array(z.string()) }).parse(parse(userData));
  return `#!/bin/sh\n${bootcmd.map((line) => `${line}\n`).join("")}`;
}

const unit = `[Unit]
DefaultDependencies=no
Before=sysinit.target

[Service]
Type=oneshot
ExecStart=/bin/sh /root/boot-commands
`;

/** A machine that runs the boot commands as early as cloud-init may, and that has no bus, then or later. */
async function machineFor(expires: Date): Promise<TestMachine> {
  return await bootMachine({
    prepare: async (root) => {
      const units = join(root, "etc/systemd/system");
      for (const name of ["dbus.service", "dbus.socket"]) await symlink("/dev/null", join(units, name));
      await writeFile(
        join(root, "root/boot-commands"),
        bootCommands(builderUserData(newKeyPair(""), expires)),
      );
      await writeFile(join(units, "early.service"), unit);
      await mkdir(join(units, "sysinit.target.wants"), { recursive: true });
      await symlink("../early.service", join(units, "sysinit.target.wants/early.service"));
    },
  });
}

async function armedFor(machine: TestMachine): Promise<number> {
  const text = await machine.run(
    'date +%s -d "$(systemctl show --value --property=NextElapseUSecRealtime bake-ami-deadline.timer)"',
  );
  return Number(text.trim());
}

describe.skipIf(noTestMachines)(`a builder's deadline${skipped}`, () => {
  test("is armed before there is a bus, at each boot for the same time", async () => {
    const expires = new Date(Date.now() + 3600_000);
    const deadline = Math.ceil(expires.getTime() / 1000) + graceSeconds;
    await using machine = await machineFor(expires);
    expect((await machine.exec("systemctl is-active dbus.socket")).stdout.trim()).toBe("inactive");
    expect(await machine.run("systemctl show --value --property=Result early.service")).toBe("success\n");
    expect(await armedFor(machine)).toBe(deadline);
    await machine.reboot();
    expect(await armedFor(machine)).toBe(deadline);
    // Nothing of it is on the disk but the user data.
    const files = await machine.run("grep -rl bake-ami-deadline /etc /var/lib /usr/lib/systemd || :");
    expect(files).toBe("");
  });

  test("that has passed ends the machine some seconds after its boot", async () => {
    await using machine = await machineFor(new Date(Date.now() - 3600_000));
    const begun = performance.now();
    await machine.stopped(30);
    console.log(`ended itself ${((performance.now() - begun) / 1000).toFixed(1)} s after SSH answered`);
    expect(await machine.console()).toMatch(/Power down|Powering off|Reached target.*Power/i);
  });
});

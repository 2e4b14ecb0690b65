import { existsSync } from "node:fs";
import { expect, test } from "vitest";
import { bootMachine, noTestMachines } from "../support/nspawn.ts";

test.skipIf(noTestMachines)(
  `a test machine boots, reboots and leaves nothing behind ${noTestMachines ?? ""}`,
  async () => {
    let root = "";
    {
      const start = performance.now();
      await using machine = await bootMachine();
      console.log(`boot: ${Math.round(performance.now() - start)} ms`);
      root = machine.root;
      expect(await machine.booted()).toBe("running");
      await machine.run("echo kept > /root/note");
      const bootId = await machine.run("cat /proc/sys/kernel/random/boot_id");
      await machine.reboot();
      expect(await machine.run("cat /root/note")).toBe("kept\n");
      expect(await machine.run("cat /proc/sys/kernel/random/boot_id")).not.toBe(bootId);
      await machine.stop();
      expect(existsSync(`${machine.changes}/root/note`)).toBe(true);
      await machine.start();
      expect(await machine.run("cat /root/note")).toBe("kept\n");
    }
    expect(existsSync(root)).toBe(false);
  },
);

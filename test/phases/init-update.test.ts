import { expect, test } from "vitest";
import { noTestMachines } from "../support/nspawn.ts";
import { machineWith, names, Project, runPhase, sh, status } from "./support.ts";

const skipped = noTestMachines === undefined ? "" : ` (${noTestMachines})`;

test.skipIf(noTestMachines).each(["dash", "bash"] as const)(
  `init runs once, update at every boot, under %s${skipped}`,
  async (shell) => {
    using project = new Project({
      "services/base/init.sh": sh("echo base >>/root/init"),
      "services/web/service.yaml":
        'requires: [base]\nparameters: {port: {default: 80}, greeting: {default: "it\'s $HOME"}}\n',
      "services/web/init/10-a.sh": sh("echo web-a >>/root/init"),
      "services/web/init/20-b.sh": sh(
        'echo "$BAKE_PORT $BAKE_GREETING $BAKE_PHASE $BAKE_SERVICE $BAKE_SERVICE_DIR $PWD"; cat files/x; echo web-b >>/root/init',
      ),
      "services/web/files/x": "content of x\n",
      "services/web/update.sh": sh("echo updated >>/root/update"),
      "services/other/init.sh": sh("echo other >>/root/init"),
    });
    const plan = project.plan();
    await using machine = await machineWith(plan, shell);
    const first = await runPhase(machine, "init", ["--builder", "--metadata", "none", "web"]);
    expect(first.end).toMatchObject({ phase: "init", result: "ok", failed: "-", "not-started": "-" });
    expect(names(first, "service-finished")).toEqual(["base", "web"]);
    expect(names(first, "step-finished")).toEqual(["base/init.sh", "web/10-a.sh", "web/20-b.sh"]);
    const bundle = (await machine.run("readlink -f /opt/bake-ami/current")).trim();
    const directory = `${bundle}/services/web/dir`;
    expect(first.output.get("web")?.toString()).toBe(
      `80 it's $HOME init web ${directory} ${directory}\ncontent of x\n`,
    );
    expect(await machine.run("cat /root/init")).toBe("base\nweb-a\nweb-b\n");

    const second = await runPhase(machine, "init", ["web"]);
    expect(names(second, "service-skipped")).toEqual(["base", "web"]);
    expect(names(second, "service-started")).toEqual([]);
    expect(second.end).toMatchObject({ result: "ok" });

    // A builder's boots update nothing; a machine's all do.
    await machine.reboot();
    await machine.booted();
    expect((await machine.exec("cat /root/update")).status).toBe(1);
    await machine.run("rm /var/lib/bake-ami/builder");
    for (const boots of [1, 2]) {
      await machine.reboot();
      await machine.booted();
      expect(await machine.run("cat /root/update")).toBe("updated\n".repeat(boots));
    }
    expect(await machine.run("cat /root/init")).toBe("base\nweb-a\nweb-b\n");
    expect(await status(machine, "update")).toMatchObject({ state: "finished", result: "ok" });
  },
);

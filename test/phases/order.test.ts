import { mkdir, writeFile } from "node:fs/promises";
import { randomBytes } from "node:crypto";
import { describe, expect, test } from "vitest";
import { readOutcome } from "../../src/launch/outcome.ts";
import { freePort, noTestMachines } from "../support/nspawn.ts";
import { fakeMetadata } from "./metadata.ts";
import { happened, machineWith, names, Project, runPhase, sh } from "./support.ts";

const skipped = noTestMachines === undefined ? "" : ` (${noTestMachines})`;

describe.skipIf(noTestMachines)(`order, lateness and output${skipped}`, () => {
  test("services run after what they require, and beside the others", async () => {
    const stamp = (name: string): string =>
      sh(
        `read begin _ </proc/uptime; sleep 0.4; read end _ </proc/uptime; echo "$begin $end" >/root/${name}`,
      );
    using project = new Project({
      "services/base/init.sh": stamp("base"),
      // Without a step of its own, in between.
      "services/middle/service.yaml": "requires: [base]\n",
      "services/left/service.yaml": "requires: [middle]\n",
      "services/left/init.sh": stamp("left"),
      "services/right/service.yaml": "requires: [middle]\n",
      "services/right/init.sh": stamp("right"),
      "services/top/service.yaml": "requires: [left, right]\n",
      "services/top/init.sh": stamp("top"),
      "services/base/update.sh": stamp("base-update"),
      "services/top/update.sh": stamp("top-update"),
    });
    await using machine = await machineWith(project.plan());
    expect((await runPhase(machine, "init", ["top"])).end).toMatchObject({ result: "ok" });
    expect((await runPhase(machine, "update")).end).toMatchObject({ result: "ok" });
    const times = async (name: string): Promise<{ begin: number; end: number }> => {
      const [begin = 0, end = 0] = (await machine.run(`cat /root/${name}`)).split(" ").map(Number);
      return { begin, end };
    };
    const [base, left, right, top] = [
      await times("base"),
      await times("left"),
      await times("right"),
      await times("top"),
    ];
    expect(left.begin).toBeGreaterThanOrEqual(base.end);
    expect(Math.max(left.begin, right.begin)).toBeLessThan(Math.min(left.end, right.end));
    expect(top.begin).toBeGreaterThanOrEqual(Math.max(left.end, right.end));
    const [baseUpdate, topUpdate] = [await times("base-update"), await times("top-update")];
    expect(topUpdate.begin).toBeGreaterThanOrEqual(baseUpdate.end);
  });

  test("a project's own steps run around all services, and its verify steps prove the machine", async () => {
    const note = (name: string): string => sh(`echo ${name} >>/root/trace`);
    using project = new Project({
      "phases/init/before/10-a.sh": note("before-init"),
      "phases/init/after/10-a.sh": note("after-init"),
      "phases/update/before/10-a.sh": note("before-update"),
      "services/a/init.sh": note("a"),
      "services/a/update.sh": note("update"),
      "services/a/verify.sh": sh("grep -q update /root/trace"),
    });
    await using machine = await machineWith(project.plan());
    const init = await runPhase(machine, "init", ["a"]);
    expect(init.end).toMatchObject({ result: "ok" });
    expect(names(init, "service-finished")).toEqual(["_before", "a", "_after"]);
    expect((await runPhase(machine, "verify")).end).toMatchObject({ result: "failed", failed: "a" });
    await runPhase(machine, "update");
    expect((await runPhase(machine, "verify")).end).toMatchObject({ result: "ok" });
    // Nothing to do, so nothing around it either.
    await runPhase(machine, "init");
    expect(await machine.run("cat /root/trace")).toBe("before-init\na\nafter-init\nbefore-update\nupdate\n");
  });

  test("everything that steps print can be read back from the journal", async () => {
    using project = new Project({
      "services/long/init.sh": sh("cat files/data"),
      "services/long/files/data": `${"0123456789abcdef".repeat(65536)}\nshort\n${"x".repeat(1_000_000)}`,
      "services/binary/init.sh": sh("cat /root/binary"),
      "services/mixed/init.sh": sh(
        "/bin/echo one; printf two; /bin/echo three; /bin/echo four >&2; printf '<3>five\\n'; printf end",
      ),
      "services/many/init.sh": sh("seq 1 30000"),
    });
    await using machine = await machineWith(project.plan());
    // No blank at a line's end and no empty line: journald itself drops those.
    const binary = randomBytes(300_000).map((byte, index) =>
      [9, 10, 11, 12, 13, 32].includes(byte) || (byte === 0 && index % 2 === 0) ? 65 : byte,
    );
    for (let index = 1; index < binary.length; index += 1) {
      if (binary[index] === 0 && binary[index - 1] === 0) binary[index] = 66;
    }
    binary[0] = 67;
    binary[binary.length - 1] = 68;
    await writeFile(`${machine.root}/root/binary`, binary);
    const { end, output } = await runPhase(machine, "init", ["long", "binary", "mixed", "many"]);
    expect(end).toMatchObject({ result: "ok" });
    expect(output.get("long")?.toString()).toBe(
      `${"0123456789abcdef".repeat(65536)}\nshort\n${"x".repeat(1_000_000)}`,
    );
    expect(output.get("mixed")?.toString()).toBe("one\ntwothree\nfour\n<3>five\nend");
    expect(output.get("many")?.toString()).toBe(
      Array.from({ length: 30000 }, (_, index) => `${index + 1}\n`).join(""),
    );
    expect(output.get("binary")?.equals(binary)).toBe(true);
    // The same for whoever ships logs.
    expect(await machine.run("cat /var/log/bake-ami/init-*.log")).toContain("bake-ami-init@many.service");
  });

  test("a launched machine runs late inits of what its tag asks for, then all updates", async () => {
    const note = (name: string): string => sh(`echo ${name} >>/root/trace`);
    using project = new Project({
      "services/base/init.sh": note("init-base"),
      "services/web/service.yaml": "requires: [base]\n",
      "services/web/init.sh": note("init-web"),
      "services/web/update.sh": note("update-web"),
      "services/tls/init.sh": note("init-tls"),
      "services/cert/service.yaml": "requires: [web, tls]\n",
      "services/cert/init.sh": note("init-cert"),
      "services/cert/update.sh": note("update-cert"),
      "services/unwanted/init.sh": note("init-unwanted"),
      "services/broken/init.sh": sh("exit 3"),
      "services/upon/service.yaml": "requires: [broken]\n",
      "services/upon/update.sh": note("update-upon"),
    });
    await using machine = await machineWith(project.plan());
    await using metadata = await fakeMetadata("cert");
    await runPhase(machine, "init", ["--builder", "--metadata", metadata.url, "web"]);
    await machine.run("rm /var/lib/bake-ami/builder; rm /root/trace");

    await machine.reboot();
    await machine.booted();
    const first = await happened(machine);
    expect(await machine.run("cat /root/trace")).toMatch(/^init-tls\ninit-cert\nupdate-web\nupdate-cert\n$/);
    expect(first.end).toMatchObject({ phase: "update", result: "ok", failed: "-", "not-started": "-" });
    expect(first.end["run"]).toMatch(/^boot-[0-9a-f]{8}$/);
    expect(await machine.console()).toContain(
      `bake-ami: phase=update run=${first.end["run"] ?? ""} result=ok services=base,tls,web,cert failed=- not-started=- init=tls,cert`,
    );

    await machine.run("rm /root/trace");
    await machine.reboot();
    await machine.booted();
    expect(await machine.run("cat /root/trace")).toBe("update-web\nupdate-cert\n");

    // What is wrong with the request fails the run, and nothing else.
    metadata.tag = "upon nosuch ; * $(touch /root/evil)";
    await machine.run("rm /root/trace");
    await machine.reboot();
    await machine.booted();
    const last = await happened(machine);
    expect(await machine.run("cat /root/trace; ls /root/evil 2>/dev/null || true")).toBe("update-web\n");
    expect(last.end).toMatchObject({ result: "failed", "not-started": "upon" });
    expect(last.end["failed"]).toContain("nosuch");
    expect(last.end["failed"]).toContain("broken");
    expect(last.messages).toContain("there is no service named nosuch in this machine's bundle");

    // Whoever launched it sees why on the console.
    expect(readOutcome(await machine.console())?.reasons).toEqual(
      expect.arrayContaining([
        "nosuch: there is no such service in this machine's bundle",
        "broken: init: step init.sh ended with status 3",
        "the launch: the tag bake-ami:with names something that is no service: ; * $(touch /root/evil)",
      ]),
    );

    // Without the tag nothing more is wanted.
    metadata.tag = undefined;
    await machine.run("rm /root/trace");
    await machine.reboot();
    await machine.booted();
    expect(await machine.run("cat /root/trace")).toBe("update-web\n");
    expect((await happened(machine)).end).toMatchObject({ result: "ok" });
  });

  test("a metadata service that does not answer fails the run, which still updates what is baked", async () => {
    using project = new Project({ "services/web/update.sh": sh("echo updated >>/root/trace") });
    await using machine = await machineWith(project.plan());
    await runPhase(machine, "init", ["--metadata", `http://127.0.0.1:${await freePort()}`, "web"]);
    const result = await runPhase(machine, "update");
    expect(result.end).toMatchObject({ result: "failed", failed: "_launch-request" });
    expect(result.messages.join()).toContain("does not answer");
    expect(await machine.run("cat /root/trace")).toBe("updated\n");
  });

  test("the units are sound, and the boot hook makes no cycle where cloud-init waits for multi-user.target", async () => {
    using project = new Project({ "services/a/init.sh": sh("true"), "services/a/update.sh": sh("true") });
    await using machine = await machineWith(project.plan());
    await mkdir(`${machine.root}/usr/local/lib/systemd/system`, { recursive: true });
    await machine.run(`
      cd /etc/systemd/system
      printf '[Unit]\\nAfter=multi-user.target network-online.target\\n[Service]\\nType=oneshot\\nExecStart=/bin/true\\n' >cloud-final.service
      printf '[Unit]\\nAfter=multi-user.target\\nWants=cloud-final.service\\n' >cloud-init.target
      mkdir -p multi-user.target.wants
      ln -s ../cloud-init.target multi-user.target.wants/cloud-init.target
      systemctl daemon-reload`);
    const verify = await machine.exec(
      "systemd-analyze verify --man=no bake-ami-update.service bake-ami-resume.service bake-ami-events.socket bake-ami-run@x.service bake-ami-init@a.service bake-ami-update@a.service bake-ami-verify@a.service multi-user.target 2>&1 | grep -i -E 'bake|cycle'",
    );
    expect(verify.stdout).toBe("");
    await machine.reboot();
    await machine.booted();
    expect(await machine.run("journalctl -b -q --grep 'ordering cycle' || true")).toBe("");
    expect((await happened(machine)).end).toMatchObject({ phase: "update", result: "ok" });
    const order = await machine.run(
      "systemctl show -P ActiveEnterTimestampMonotonic multi-user.target; systemctl show -P ExecMainStartTimestampMonotonic cloud-final.service bake-ami-update.service",
    );
    const [multiUser = 0, final = 0, hook = 0] = order.trim().split(/\n+/).map(Number);
    expect(multiUser).toBeLessThan(final);
    expect(final).toBeLessThan(hook);
  });
});

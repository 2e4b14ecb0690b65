import { describe, expect, test } from "vitest";
import { makeBundle } from "../../src/bundle/index.ts";
import { noTestMachines } from "../support/nspawn.ts";
import {
  finished,
  happened,
  install,
  machineWith,
  names,
  newRun,
  Project,
  receive,
  runPhase,
  sh,
  start,
  status,
} from "./support.ts";

const skipped = noTestMachines === undefined ? "" : ` (${noTestMachines})`;

describe.skipIf(noTestMachines)(`trouble in a phase${skipped}`, () => {
  test("a failed init is tried again from its first step, and a finished one never", async () => {
    using project = new Project({
      "services/base/init.sh": sh("echo base >>/root/trace"),
      "services/shaky/service.yaml": "requires: [base]\n",
      "services/shaky/init/10-one.sh": sh("echo one >>/root/trace"),
      "services/shaky/init/20-two.sh": sh("echo two >>/root/trace; test -e /root/repaired"),
      "services/above/service.yaml": "requires: [shaky]\n",
      "services/above/init.sh": sh("echo above >>/root/trace"),
      "services/beside/init.sh": sh("sleep 0.3; echo beside >>/root/beside"),
    });
    await using machine = await machineWith(project.plan());
    const first = await runPhase(machine, "init", ["--builder", "above", "beside"]);
    expect(first.end).toMatchObject({ result: "failed", failed: "shaky", "not-started": "above" });
    expect(await status(machine, "init")).toMatchObject({
      state: "finished",
      result: "failed",
      failed: "shaky",
    });
    // One failure does not end what runs beside it.
    expect(await machine.run("cat /root/beside")).toBe("beside\n");
    await machine.run("touch /root/repaired");
    const second = await runPhase(machine, "init");
    expect(second.end).toMatchObject({ result: "ok" });
    expect(await machine.run("cat /root/trace")).toBe("base\none\ntwo\none\ntwo\nabove\n");
    expect(names(second, "service-skipped")).toEqual(["base", "beside"]);
  });

  test("194 reboots the machine and runs that step again, at most three times", async () => {
    using project = new Project({
      "services/kernel/init/10-before.sh": sh("echo before >>/root/trace"),
      "services/kernel/init/20-reboot.sh": sh(
        "echo reboot >>/root/trace; test $(grep -c reboot /root/trace) -ge 3 || exit 194",
      ),
      "services/kernel/init/30-after.sh": sh("echo after >>/root/trace"),
      "services/app/service.yaml": "requires: [kernel]\n",
      "services/app/init.sh": sh("echo app >>/root/trace"),
      "services/slow/init.sh": sh("sleep 0.5; echo slow >>/root/slow"),
      "services/restless/init.sh": sh("echo restless >>/root/restless; exit 194"),
    });
    await using machine = await machineWith(project.plan());
    const run = newRun();
    const first = await runPhase(machine, "init", ["--builder", "app", "slow"], run);
    expect(first.end).toMatchObject({ run, result: "ok" });
    expect(await machine.run("cat /root/trace")).toBe("before\nreboot\nreboot\nreboot\nafter\napp\n");
    // What ran beside it came to its end before the first reboot.
    expect(await machine.run("cat /root/slow")).toBe("slow\n");
    expect(names(first, "rebooting")).toHaveLength(2);
    expect(first.events.filter(({ status }) => status === "194").map(({ reason }) => reason)).toEqual([
      "reboot",
      "reboot",
    ]);
    expect(await machine.run("ls /var/lib/bake-ami/reboot")).toBe("");

    const second = await runPhase(machine, "init", ["restless"]);
    expect(second.end).toMatchObject({ result: "failed", failed: "restless" });
    expect(await machine.run("cat /root/restless")).toBe("restless\n".repeat(4));
    expect(second.messages.join()).toContain("init.sh asked for a reboot once more after 3 reboots");
  });

  test("an update that reboots goes on by itself under its run", async () => {
    using project = new Project({
      "services/web/init.sh": sh("true"),
      "services/web/update.sh": sh(
        "test -e /root/once || { touch /root/once; exit 194; }; echo updated >>/root/trace",
      ),
    });
    await using machine = await machineWith(project.plan());
    await runPhase(machine, "init", ["web"]);
    const update = await runPhase(machine, "update");
    expect(update.end).toMatchObject({ phase: "update", result: "ok" });
    expect(await machine.run("cat /root/trace")).toBe("updated\n");
  });

  test("a step that takes too long is ended with all that it started", async () => {
    using project = new Project({
      "services/stuck/service.yaml": "timeout: 1s\n",
      "services/stuck/init.sh": sh("echo begun; sleep 1000 & sleep 1000"),
      "services/deaf/service.yaml": "timeout: 1s\n",
      "services/deaf/init.sh": sh("trap '' TERM; while :; do sleep 0.1; done"),
      "services/own124/init.sh": sh("exit 124"),
    });
    await using machine = await machineWith(project.plan());
    const result = await runPhase(machine, "init", ["stuck", "deaf", "own124"]);
    expect(result.end["failed"]?.split(",").sort()).toEqual(["deaf", "own124", "stuck"]);
    const ends = new Map(
      result.events
        .filter(({ event }) => event === "step-finished")
        .map(({ service, status, reason }) => [service, `${status ?? ""} ${reason ?? ""}`]),
    );
    expect(ends).toEqual(
      new Map([
        ["stuck", "124 timeout"],
        ["deaf", "124 timeout"],
        ["own124", "124 -"],
      ]),
    );
    expect(await machine.run("pgrep -cx sleep || true")).toBe("0\n");
  });

  test("a failed step is tried again after 2, then 4 seconds", async () => {
    using project = new Project({
      "services/shaky/service.yaml": "retries: 2\n",
      "services/shaky/init.sh": sh("date +%s.%N >>/root/times; test $(wc -l </root/times) -ge 3"),
    });
    await using machine = await machineWith(project.plan());
    const result = await runPhase(machine, "init", ["shaky"]);
    expect(result.end).toMatchObject({ result: "ok" });
    const times = (await machine.run("cat /root/times")).trim().split("\n").map(Number);
    const [first = 0, second = 0, third = 0] = times;
    expect(second - first).toBeGreaterThan(1.9);
    // What is over the pause is the computer's, which may be busy; the pauses themselves are in the events.
    expect(second - first).toBeLessThan(6);
    expect(third - second).toBeGreaterThan(3.9);
    expect(third - second).toBeLessThan(8);
    expect(result.events.filter(({ event }) => event === "step-retry").map(({ delay }) => delay)).toEqual([
      "2",
      "4",
    ]);
  });

  test("two phase runs at once go one after the other, and none is lost", async () => {
    using project = new Project({
      "services/a/init.sh": sh("echo a-begins >>/root/trace; sleep 0.5; echo a-ends >>/root/trace"),
      "services/b/init.sh": sh("echo b >>/root/trace"),
      "services/b/update.sh": sh("echo b-updated >>/root/trace"),
    });
    await using machine = await machineWith(project.plan());
    const [one, two, three] = [newRun(), newRun(), newRun()];
    const cursor = await start(machine, `init ${one} a`);
    await start(machine, `init ${two} b`);
    await start(machine, `update ${three}`);
    // The answer to the first was lost, and it is asked for again.
    expect(await start(machine, `init ${one} a`)).toBe(cursor);
    await finished(machine, "update", three);
    await finished(machine, "init", two);
    const all = await happened(machine, cursor);
    expect(
      all.events
        .filter(({ event }) => event === "phase-finished")
        .map(({ run, result }) => `${run ?? ""} ${result ?? ""}`)
        .sort(),
    ).toEqual([`${one} ok`, `${two} ok`, `${three} ok`].sort());
    // Which came first is systemd's to say; never one inside the other.
    const borders = all.events
      .filter(({ event }) => event === "phase-started" || event === "phase-finished")
      .map(({ event, run }) => `${event} ${run ?? ""}`);
    for (let index = 0; index < borders.length; index += 2) {
      expect(borders[index + 1]).toBe(borders[index]?.replace("started", "finished"));
    }
    // The first run may find both services asked for, and runs them side by side then.
    expect((await machine.run("cat /root/trace")).trim().split("\n").sort()).toEqual([
      "a-begins",
      "a-ends",
      "b",
      "b-updated",
    ]);
  });

  test("what a step leaves in the background neither holds the phase up nor dies with it", async () => {
    using project = new Project({
      "services/web/init.sh": sh("sleep 60 & echo $! >/root/pid; (sleep 0.5; echo later) &"),
    });
    await using machine = await machineWith(project.plan());
    const begun = Date.now();
    const result = await runPhase(machine, "init", ["web"]);
    expect(result.end).toMatchObject({ result: "ok" });
    expect(Date.now() - begun).toBeLessThan(10_000);
    await machine.run("kill -0 $(cat /root/pid); sleep 0.6");
    const later = await happened(machine);
    expect(later.output.get("web")?.toString()).toBe("later\n");
  });

  test("unknown services, phases and run ids are refused and change nothing", async () => {
    using project = new Project({ "services/web/init.sh": sh("true") });
    await using machine = await machineWith(project.plan());
    const before = await machine.run("find /var/lib/bake-ami /run/bake-ami -type f | sort");
    for (const [words, message] of [
      ["init r1 --builder web wbe", "this bundle has no service wbe"],
      ["init r1 ../web", "not a service name: ../web"],
      ["bake r1", "no phase: bake"],
      ["init 'r 1' web", "not a run id: r 1"],
      ["init r1 --metadata ftp://x web", "not a metadata address: ftp://x"],
    ] as const) {
      const result = await machine.exec(`/opt/bake-ami/current/bin/start ${words}`);
      expect(result.status).toBe(2);
      expect(result.stderr).toContain(message);
      expect(result.stderr.trim().split("\n")).toHaveLength(1);
    }
    const after = await machine.run("find /var/lib/bake-ami /run/bake-ami -type f | sort");
    expect(after.replace("/run/bake-ami/start.lock\n", "")).toBe(before);
    expect(await status(machine, "init")).toEqual({ state: "idle" });
  });

  test("a driver that was killed is not taken for a running one", async () => {
    using project = new Project({ "services/web/init.sh": sh("sleep 30") });
    await using machine = await machineWith(project.plan());
    await start(machine, "init r1 web");
    await machine.run(
      "until grep -q state=running /var/lib/bake-ami/outcome/init 2>/dev/null; do sleep 0.05; done",
    );
    expect(await status(machine, "init")).toMatchObject({ state: "running", run: "r1" });
    await machine.run("systemctl kill --signal=KILL bake-ami-run@init-r1.service; sleep 0.2");
    expect(await status(machine, "init")).toMatchObject({ state: "idle" });
  });

  test("a changed service runs its init again with a new bundle; the others do not", async () => {
    using project = new Project({
      "services/a/init.sh": sh("echo a1 >>/root/trace"),
      "services/b/init.sh": sh("echo b >>/root/trace"),
    });
    await using machine = await machineWith(project.plan());
    const first = (await machine.run("readlink /opt/bake-ami/current")).trim();
    await install(machine, project.plan());
    await runPhase(machine, "init", ["a", "b"]);
    project.write({ "services/a/init.sh": sh("echo a2 >>/root/trace"), "services/c/init.sh": sh("true") });
    await install(machine, project.plan());
    await runPhase(machine, "init");
    expect(await machine.run("sort /root/trace")).toBe("a1\na2\nb\n");
    expect(await machine.run("ls /var/lib/bake-ami/init | wc -l")).toBe("2\n");
    project.write({ "services/d/init.sh": sh("true") });
    await install(machine, project.plan());
    // The one in use and the one before it.
    expect(await machine.run("ls /opt/bake-ami/bundles | wc -l")).toBe("2\n");
    expect(await machine.run("ls /opt/bake-ami/bundles")).not.toContain(first.replace("bundles/", ""));
    expect(await machine.run("systemctl is-enabled bake-ami-update bake-ami-resume")).toBe(
      "enabled\nenabled\n",
    );
  });

  test("a driver that fails itself says so", async () => {
    using project = new Project({ "services/web/init.sh": sh("true") });
    await using machine = await machineWith(project.plan());
    await machine.run("rm /opt/bake-ami/current/catalog.tsv");
    const result = await runPhase(machine, "init", ["web"]);
    expect(result.end).toMatchObject({ result: "failed", failed: "_driver" });
    expect(result.messages.join()).toContain("catalog.tsv");
  });

  test("a full disk fails the step that meets it, and the outcome is still told", async () => {
    using project = new Project({
      "services/big/init.sh": sh("echo begun; cat /dev/zero >/var/lib/bake-ami/fill"),
      "services/upon/service.yaml": "requires: [big]\n",
      "services/upon/init.sh": sh("true"),
    });
    await using machine = await machineWith(project.plan());
    await machine.run("mount -t tmpfs -o size=128k tmpfs /var/lib/bake-ami");
    const result = await runPhase(machine, "init", ["upon"]);
    expect(result.end).toMatchObject({ result: "failed", failed: "big", "not-started": "upon" });
    expect(result.output.get("big")?.toString()).toContain("No space left on device");
    expect(await status(machine, "init")).toMatchObject({
      state: "finished",
      result: "failed",
      failed: "big",
    });
  });

  test("a bundle that does not fit, or is not what it says, changes nothing", async () => {
    using project = new Project({ "services/web/init.sh": sh("true") });
    await using machine = await machineWith(project.plan());
    const before = await machine.run("readlink /opt/bake-ami/current; ls -A /opt/bake-ami/bundles");
    const { archive, digest } = await makeBundle(project.plan());
    await expect(receive(machine, "0123456789abcdef", archive)).rejects.toThrow(
      `the bundle is ${digest}, not 0123456789abcdef`,
    );
    await expect(receive(machine, "../../etc", archive)).rejects.toThrow("not a bundle digest");
    await expect(receive(machine, "0123456789abcdef", archive.slice(0, 1000))).rejects.toThrow(/gzip|tar/);
    expect(await machine.run("readlink /opt/bake-ami/current; ls -A /opt/bake-ami/bundles")).toBe(before);
    await machine.run("mount -t tmpfs -o size=64k tmpfs /opt/bake-ami/bundles");
    await expect(receive(machine, digest, archive)).rejects.toThrow("No space left on device");
    expect(await machine.run("ls -A /opt/bake-ami/bundles")).toBe("");
  });

  test("a phase waits for cloud-init, and says meanwhile that it runs", async () => {
    using project = new Project({ "services/web/init.sh": sh("cat /root/cloud-init") });
    await using machine = await machineWith(project.plan());
    await machine.run(`
      printf '[Unit]\\nDefaultDependencies=no\\nAfter=basic.target\\n[Service]\\nType=oneshot\\nExecStart=/bin/sh -c "sleep 2; echo done >/root/cloud-init"\\n' \
        >/etc/systemd/system/cloud-final.service
      mkdir -p /etc/systemd/system/multi-user.target.wants
      ln -s ../cloud-final.service /etc/systemd/system/multi-user.target.wants/
      touch /var/lib/bake-ami/builder`);
    await machine.reboot();
    await machine.run("until systemctl list-jobs | grep -q cloud-final; do sleep 0.02; done");
    const run = newRun();
    await start(machine, `init ${run} web`);
    expect(await status(machine, "init")).toEqual({ state: "running", phase: "init", run });
    await finished(machine, "init", run);
    expect((await happened(machine)).output.get("web")?.toString()).toBe("done\n");
  });
});

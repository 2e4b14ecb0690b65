import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { noTestMachines, type TestMachine } from "../support/nspawn.ts";
import { fakeMetadata } from "./metadata.ts";
import { consoleSays, finished, happened, machineWith, Project, runPhase, sh, start } from "./support.ts";

const skipped = noTestMachines === undefined ? "" : ` (${noTestMachines})`;
const logs = "/opt/bake-ami/current/bin/logs";

describe.skipIf(noTestMachines)(`phase runs, past and live${skipped}`, () => {
  let machine: TestMachine;

  beforeAll(async () => {
    using project = new Project({
      "services/web/init.sh": sh('echo initialised; test -z "$(ls /root/fail 2>/dev/null)"'),
      "services/web/update.sh": sh(
        "echo updated; test ! -e /root/slow || { sleep 2; echo slowly; }; test ! -e /root/restless || { rm /root/restless; exit 194; }",
      ),
    });
    machine = await machineWith(project.plan());
  });
  afterAll(async () => {
    await machine[Symbol.asyncDispose]();
  });

  const list = async (words = ""): Promise<string[][]> =>
    (await machine.run(`${logs} --list ${words}`))
      .trim()
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => line.split("\t"));
  const time: unknown = expect.stringMatching(/^\d{8}T\d{6}Z$/);

  test("are listed and shown", async () => {
    expect(await list()).toEqual([]);
    const none = await machine.exec(logs);
    expect([none.status, none.stderr]).toEqual([1, "no phase run is known here\n"]);
    await machine.run("touch /root/fail");
    await runPhase(machine, "init", ["web"], "one");
    await machine.run("rm /root/fail");
    await runPhase(machine, "init", ["web"], "two");
    await runPhase(machine, "update", [], "three");
    await runPhase(machine, "verify", [], "four");
    expect(await list()).toEqual([
      ["init", "one", time, time, "failed"],
      ["init", "two", time, time, "ok"],
      ["update", "three", time, time, "ok"],
      ["verify", "four", time, time, "ok"],
    ]);
    expect(await list("--phase update")).toEqual([["update", "three", time, time, "ok"]]);
    const two = await machine.run(`${logs} --run two`);
    expect(two).toMatch(/^\w{3} \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC bake-ami/m);
    expect(two).toMatch(/bake-ami-init@web\.service\[\d+\]: initialised/);
    expect(two).toContain("phase=init run=two result=ok");
    expect(two).not.toContain("run=one");
    expect(await machine.run(`${logs} --phase update`)).toContain("updated");
    expect(await machine.run(logs)).toContain("phase=verify run=four");
    expect((await machine.exec(`${logs} --run five`)).stderr).toBe("no phase run five is known here\n");
    for (const words of ["--phase bake", "--run 'a b'", "--nothing"]) {
      expect((await machine.exec(`${logs} ${words}`)).status).toBe(2);
    }
  });

  test("are followed to their end while they run", async () => {
    await machine.run("touch /root/slow");
    await start(machine, "update live");
    await machine.run(`until ${logs} --list | grep -q live; do sleep 0.05; done`);
    expect((await list()).at(-1)).toEqual(["update", "live", time, "-", "running"]);
    const followed = await machine.run(`${logs} --run live --follow`, "", 20);
    expect(followed).toContain("updated");
    expect(followed).toContain("slowly");
    expect(followed.trim().split("\n").at(-1)).toContain("phase-finished phase=update run=live result=ok");
    await finished(machine, "update", "live");
    expect(await machine.run(`${logs} --run live --follow`, "", 20)).toContain("slowly");
    const endless = await machine.exec(`timeout 1 ${logs} --follow`, "", 20);
    expect([endless.status, endless.stdout]).toEqual([124, expect.stringContaining("slowly")]);
    await start(machine, "update killed");
    await machine.run(`until ${logs} --list | grep -q killed; do sleep 0.05; done`);
    await machine.run("/opt/bake-ami/current/bin/stop; sleep 0.5");
    expect((await list()).at(-1)).toEqual(["update", "killed", time, "-", "interrupted"]);
    await machine.run("rm /root/slow");
  });

  test("are one run over a reboot, with one log", async () => {
    await machine.run("touch /root/restless; touch /root/slow");
    const before = machine.bootPid();
    await start(machine, "update over");
    await machine.rebooted(before);
    // Taken up again, it begins at the beginning and goes on to the end.
    const followed = await machine.run(`${logs} --run over --follow`, "", 30);
    expect(followed.match(/: updated/g)).toHaveLength(2);
    expect(followed.trim().split("\n").at(-1)).toContain("phase-finished phase=update run=over result=ok");
    await finished(machine, "update", "over");
    await machine.run("rm /root/slow");
    expect(await machine.run("ls -A /run/bake-ami | grep follow || :")).toBe("");
    const runs = (await list()).filter(([, run]) => run === "over");
    expect(runs).toEqual([["update", "over", time, time, "ok"]]);
    const log = await machine.run(`${logs} --run over`);
    expect(log).toBe(followed);
    expect(log.match(/: updated/g)).toHaveLength(2);
    expect(log).toContain("event=rebooting phase=update run=over");
  });
});

test.skipIf(noTestMachines).each(["dash", "bash"] as const)(
  `the times of a boot add up, under %s${skipped}`,
  async (shell) => {
    using project = new Project({
      "services/a/update.sh": sh("sleep 0.3"),
      "services/b/service.yaml": "requires: [a]\n",
      "services/b/update.sh": sh("sleep 0.2"),
      "services/late/init.sh": sh("sleep 0.2"),
    });
    await using metadata = await fakeMetadata("late");
    await using machine = await machineWith(project.plan(), shell);
    await runPhase(machine, "init", ["--builder", "--metadata", metadata.url, "b"]);
    await machine.run("rm /var/lib/bake-ami/builder");
    await machine.reboot();
    await machine.booted();
    const run = (await happened(machine)).end["run"] ?? "";
    await consoleSays(machine, `bake-ami: phase=update run=${run}`);
    const line = new RegExp(
      `bake-ami: times run=${run} booted=(\\d+\\.\\d\\d) hook=(\\d+\\.\\d\\d) ready=(\\d+\\.\\d\\d) services=(\\S+)`,
    ).exec(await machine.console());
    const [booted = 0, hook = 0, ready = 0] = (line?.slice(1, 4) ?? []).map(Number);
    const spans = Object.fromEntries(
      (line?.[4] ?? "").split(",").map((span) => {
        const [name = "", begin = "", end = ""] = span.split(":");
        return [name, { begin: Number(begin), end: Number(end) }];
      }),
    );
    expect(Object.keys(spans)).toEqual(["init/late", "update/a", "update/b"]);
    const { "init/late": late, "update/a": a, "update/b": b } = spans;
    const times = [hook, late?.begin, late?.end, a?.begin, a?.end, b?.begin, b?.end, ready].map(Number);
    expect(times).toEqual([...times].sort((one, other) => one - other));
    const inServices = [late, a, b].reduce((sum, span) => sum + (span?.end ?? 0) - (span?.begin ?? 0), 0);
    expect(inServices).toBeGreaterThanOrEqual(0.68);
    console.log(`hook to ready ${(ready - hook).toFixed(2)} s, of it in services ${inServices.toFixed(2)} s`);
    expect(ready - hook - inServices).toBeLessThan(1);
    // This computer's kernel is the machine's too.
    const uptime = Number((await machine.run("cat /proc/uptime")).split(" ")[0]);
    expect(Math.abs(booted + uptime - Date.now() / 1000)).toBeLessThan(1);
  },
);

import { mkdtemp, mkdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse } from "yaml";
import { z } from "zod";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { jobBootCommands } from "../../src/jobs/boot.ts";
import { planUploads } from "../../src/jobs/uploads.ts";
import { bootMachine, noTestMachines, type TestMachine } from "../support/nspawn.ts";
import { deliver, follow, forget, order, program } from "./support.ts";

const skipped = noTestMachines ?? "";

describe.skipIf(noTestMachines !== undefined)(`a job on its machine ${skipped}`, () => {
  let machine: TestMachine;
  beforeAll(async () => {
    machine = await bootMachine();
    await machine.booted();
  });
  afterEach(async () => {
    await forget(machine);
  });
  afterAll(async () => {
    await machine[Symbol.asyncDispose]();
  });

  const start = (name = ""): Promise<string> => machine.run(`${program} start ${name}`);

  test.each([
    ["0", "exit 0", "0", "-"],
    ["1", "exit 1", "1", "-"],
    ["137 of its own", "exit 137", "137", "-"],
    ["killed", "kill -9 $$", "137", "signal KILL"],
    ["no such program", "exec no-such-program", "127", "-"],
  ])("its status: %s", async (_, script, status, reason) => {
    await deliver(machine, order(`echo out; echo err >&2; ${script}`));
    await start();
    const ended = await follow(machine);
    expect(ended.output.toString()).toMatch(/^out\nerr\n/);
    expect(ended).toMatchObject({ status, reason, log: "none", why: "-" });
    expect(Number(ended.size)).toBe(ended.output.length);
    const json: unknown = JSON.parse(await machine.run("cat /run/bake-ami/job/job.json"));
    expect(json).toMatchObject({
      run: "20260102-030405-abcdef",
      status: Number(status),
      reason: reason === "-" ? null : reason,
      logBytes: ended.output.length,
    });
    // The console is written behind the back of whoever follows.
    await expect
      .poll(async () => await machine.console(), { timeout: 10_000 })
      .toContain(
        `bake-ami: job run=20260102-030405-abcdef result=finished status=${status} log=none reason=${reason}`,
      );
  });

  test("megabytes of any bytes come whole, from any byte on", async () => {
    await deliver(machine, order("head -c 5000000 /dev/urandom; printf '\\377\\000end'"));
    await start();
    const whole = await follow(machine);
    const file = (await machine.exec("cat /var/log/bake-ami/job.log")).stdoutBytes;
    expect(file.length).toBe(5_000_005);
    expect(whole.output.equals(file)).toBe(true);
    expect((await follow(machine, 4_999_999)).output.equals(file.subarray(4_999_999))).toBe(true);
    expect((await follow(machine, 6_000_000)).output.length).toBe(0);
  });

  test("output is seen as it comes, and starting again starts nothing", async () => {
    await deliver(machine, order("echo one; sleep 1.5; echo two >>/root/twice; echo two"));
    await start("me");
    await start("me");
    const seen = machine.exec(`timeout 0.7 ${program} follow me 0`);
    expect((await seen).stdout).toBe("one\n");
    expect((await follow(machine)).output.toString()).toBe("one\ntwo\n");
    await start("me");
    await machine.run("sleep 0.3");
    expect(await machine.run("cat /root/twice")).toBe("two\n");
  });

  test("its environment, its directory, its files and their modes; a second upload replaces the first", async () => {
    const here = await mkdtemp(join(tmpdir(), "bake-ami-job-"));
    try {
      await mkdir(join(here, "data/empty"), { recursive: true });
      await writeFile(
        join(here, "bench.sh"),
        '#!/bin/sh\npwd; printf "%s|" "$@" "$SECRET" "$EMPTY"; ls -R data\n',
      );
      await writeFile(join(here, "data/a b"), "x", { mode: 0o640 });
      await symlink("a b", join(here, "data/link"));
      const { command, uploads } = await planUploads(here, ["./bench.sh", "a b", "it's", "$HOME"], ["data"]);
      await deliver(machine, order("exit 9"));
      await deliver(
        machine,
        order("", {
          command,
          environment: new Map([
            ["SECRET", "two\nlines 'and' \"more\" $x `y`"],
            ["EMPTY", ""],
          ]),
        }),
        uploads,
      );
      await start();
      const ended = await follow(machine);
      expect(ended.output.toString()).toBe(
        "/var/lib/bake-ami/job\na b|it's|$HOME|two\nlines 'and' \"more\" $x `y`||data:\na b\nempty\nlink\n\ndata/empty:\n",
      );
      const modes = await machine.run(
        "cd /var/lib/bake-ami; stat -c '%a %U %n' job.d job job/bench.sh 'job/data/a b'; readlink job/data/link",
      );
      expect(modes).toBe("700 root job.d\n755 root job\n755 root job/bench.sh\n640 root job/data/a b\na b\n");
    } finally {
      await rm(here, { recursive: true });
    }
  });

  test("what takes too long is ended, with all that it started", async () => {
    await deliver(machine, order("sleep 1000 & echo begun; trap '' TERM; sleep 1001", { maxSeconds: 1 }));
    await start();
    const ended = await follow(machine);
    expect(ended).toMatchObject({ status: "124", reason: "it took longer than 1 s" });
    expect((await machine.exec("pgrep -f '[s]leep 100'")).stdout).toBe("");
  });

  test("a job that is stopped says why, though it ends with 0", async () => {
    await deliver(
      machine,
      order("trap 'echo bye; exit 0' TERM; echo begun; while :; do read -r _ || :; done"),
    );
    await start();
    await machine.run(`sleep 0.3; ${program} stop 'interrupted by its caller'`);
    const ended = await follow(machine);
    expect(ended.output.toString()).toBe("begun\nbye\n");
    expect(ended).toMatchObject({ status: "143", reason: "interrupted by its caller" });
  });

  test("two callers get all of it; one is counted until it has seen the end", async () => {
    await deliver(machine, order("for i in 1 2 3 4 5; do echo $i; sleep 0.1; done"));
    await start("a");
    const [one, two] = await Promise.all([follow(machine, 0, "a"), follow(machine, 0, "b")]);
    expect(one.output.toString()).toBe("1\n2\n3\n4\n5\n");
    expect(two.output.toString()).toBe("1\n2\n3\n4\n5\n");
    expect(await machine.run(`${program} seen a`)).toBe("1\n");
    expect(await machine.run(`${program} seen b`)).toBe("0\n");
  });

  test("files that came half are no job; sent again, they are", async () => {
    const wanted = order("exit 2");
    await expect(deliver(machine, wanted, [], 3000)).rejects.toThrow(/tar/);
    expect((await machine.exec(`${program} start`)).status).not.toBe(0);
    await deliver(machine, wanted);
    await start();
    expect((await follow(machine)).status).toBe("2");
    // One that runs, or ran, is not replaced.
    await deliver(machine, order("exit 3"));
    await start();
    expect((await follow(machine)).status).toBe("2");
  });

  test("values of the environment are in no log and in no list of processes", async () => {
    await deliver(
      machine,
      order('sleep 1; test -n "$TOKEN"', { environment: new Map([["TOKEN", "hunter2secret"]]) }),
    );
    await machine.run(`${program} start; sleep 0.5`);
    const found = await machine.run(
      "journalctl --sync; { journalctl --no-pager -o export; cat /proc/[0-9]*/cmdline | tr '\\0' ' '; " +
        "systemctl show 'bake-ami-*'; cat /run/bake-ami/job/* /var/log/bake-ami/*; } 2>/dev/null | grep -c [h]unter2secret || :",
    );
    expect(found).toBe("0\n");
    expect((await follow(machine)).status).toBe("0");
  });

  test("states", async () => {
    expect((await machine.exec(`${program} status`)).status).not.toBe(0);
    await deliver(machine, order("sleep 0.5"));
    expect(await machine.run(`${program} status`)).toContain("state=waiting\nrun=20260102-030405-abcdef\n");
    await start();
    expect(await machine.run(`${program} status`)).toContain("state=running\n");
    await follow(machine);
    expect(await machine.run(`${program} status`)).toContain("state=ended\n");
  });
});

describe.skipIf(noTestMachines !== undefined)(`the end of a job's machine ${skipped}`, () => {
  let machine: TestMachine;
  beforeEach(async () => {
    machine = await bootMachine();
    await machine.booted();
  });
  afterEach(async () => {
    await machine[Symbol.asyncDispose]();
  });

  const result = (): Promise<string> =>
    readFile(join(machine.changes, "var/lib/bake-ami/job.d/result"), "utf8");
  const seconds = async (work: Promise<unknown>): Promise<number> => {
    const begun = performance.now();
    await work;
    return (performance.now() - begun) / 1000;
  };

  test("nobody follows: it powers itself off at once", async () => {
    await deliver(machine, order("echo done", { keep: false }));
    await machine.run(`${program} start`);
    expect(await seconds(machine.stopped(20))).toBeLessThan(10);
    expect(await result()).toBe("0\n5\nnone\n-\n-\n");
  });

  test("a caller has the whole end before it goes", async () => {
    await deliver(machine, order("sleep 0.5; head -c 3000000 /dev/zero; exit 3", { keep: false }));
    await machine.run(`${program} start me`);
    const ended = await follow(machine, 0, "me");
    expect(ended.output.length).toBe(3_000_000);
    expect(ended.status).toBe("3");
    await machine.run("sleep 1");
    expect(await machine.run(`${program} seen me`)).toBe("0\n");
    await machine.stopped(20);
  });

  test("a caller who is lost may come back for a while, and no longer", async () => {
    await deliver(machine, order("sleep 1", { keep: false }));
    await machine.run(`${program} start me`);
    await machine.exec(`timeout --signal=KILL 0.5 ${program} follow me 0`);
    const waited = await seconds(machine.stopped(60));
    expect(waited).toBeGreaterThan(20);
    expect(waited).toBeLessThan(45);
  });

  test("a shutdown while it runs: the job is ended, its result kept; after a reboot the machine ends itself", async () => {
    await deliver(machine, order("echo begun; sleep 1000", { keep: false }));
    await machine.run(`${program} start; sleep 0.5`);
    await machine.exec("systemctl reboot");
    // It would run again, and does for a moment that may be too short to be seen.
    await machine.stopped(30);
    expect(await result()).toBe("143\n6\nnone\nthe machine was shut down while it ran\n-\n");
  });

  test("a machine that crashes: the next boot tells, and ends the machine", async () => {
    await deliver(machine, order("echo begun; sleep 1000", { keep: false }));
    await machine.run(`${program} start; sleep 0.5; sync`);
    // A reboot that tells nobody, as after a panic.
    await machine.exec("systemctl reboot --force --force", "", 5);
    await machine.stopped(30);
    expect(await result()).toBe("255\n6\nnone\nthe machine went down while the job ran\n-\n");
  });

  test("a machine that is kept stays, also after a reboot", async () => {
    await deliver(machine, order("exit 4"));
    await machine.run(`${program} start`);
    expect((await follow(machine)).status).toBe("4");
    await machine.reboot();
    await machine.run("sleep 1");
    expect((await follow(machine)).status).toBe("4");
    expect(await machine.run("systemctl is-active bake-ami-job.service || :")).toBe("inactive\n");
  });
});

describe.skipIf(noTestMachines !== undefined)(`a job's machine without its caller ${skipped}`, () => {
  /** A machine that runs the boot commands of its user data early, as cloud-init does. */
  const machineFor = async (idle: number): Promise<TestMachine> =>
    await bootMachine({
      prepare: async (root) => {
        const units = join(root, "etc/systemd/system");
        const { bootcmd } = z
          .object({ bootcmd: z.array(z.string()) })
          .parse(parse(jobBootCommands({ idle, deadline: Date.now() + 3600_000 })));
        await writeFile(
          join(root, "root/boot-commands"),
          `#!/bin/sh\n${bootcmd.map((line) => `${line}\n`).join("")}`,
        );
        await writeFile(
          join(units, "early.service"),
          "[Unit]\nDefaultDependencies=no\nBefore=sysinit.target\n\n" +
            "[Service]\nType=oneshot\nExecStart=/bin/sh /root/boot-commands\n",
        );
        await mkdir(join(units, "sysinit.target.wants"), { recursive: true });
        await symlink("../early.service", join(units, "sysinit.target.wants/early.service"));
      },
    });

  test("no job was started in time: it ends itself", async () => {
    await using machine = await machineFor(Date.now() + 3600_000);
    const timers =
      "systemctl list-timers --all --no-legend 'bake-ami-*' | grep -o 'bake-ami-[a-z-]*.timer' | sort";
    expect(await machine.run(timers)).toBe("bake-ami-deadline.timer\nbake-ami-job-idle.timer\n");
    // As if the time had come: a boot leaves a minute even when it has passed.
    await machine.exec("systemctl start --no-block bake-ami-job-idle.service");
    await machine.stopped(20);
  });

  test("a job was started: only the deadline is left, also after a reboot", async () => {
    await using machine = await machineFor(Date.now() + 3600_000);
    await deliver(machine, order("sleep 1000"));
    await machine.run(`${program} start`);
    const timers =
      "systemctl list-timers --all --no-legend 'bake-ami-*' | grep -o 'bake-ami-[a-z-]*.timer' | sort";
    expect(await machine.run(timers)).toBe("bake-ami-deadline.timer\n");
    await machine.reboot();
    expect(await machine.run(timers)).toBe("bake-ami-deadline.timer\n");
  });

  test("the deadline in the middle of a job: the job is ended, and its end is kept", async () => {
    await using machine = await machineFor(Date.now() + 3600_000);
    await deliver(machine, order("sleep 1000", { keep: false }));
    await machine.run(`${program} start; sleep 0.5`);
    await machine.exec("systemctl start --no-block bake-ami-deadline.service");
    await machine.stopped(30);
    const result = await readFile(join(machine.changes, "var/lib/bake-ami/job.d/result"), "utf8");
    expect(result).toMatch(/^143\n/);
    expect(result).toContain("none\nthe machine was shut down while it ran\n-\n");
  });
});

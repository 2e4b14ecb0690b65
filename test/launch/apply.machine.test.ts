import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { followJournal } from "../../src/machine/journal-follow.ts";
import { newKeyPair } from "../../src/machine/keys.ts";
import { listRuns, showLogs } from "../../src/machine/logs.ts";
import { Machine } from "../../src/machine/machine.ts";
import type { LogsRequest } from "../../src/machine/remote.ts";
import type { Event } from "../../src/report/events.ts";
import { bakeAmi, type CliOptions, type CliResult } from "../support/cli.ts";
import { Forwarder } from "../support/forwarder.ts";
import { bootMachine, freePort, noTestMachines, type TestMachine } from "../support/nspawn.ts";
import { Project } from "../support/project.ts";

const never = new AbortController().signal;

describe.skipIf(noTestMachines !== undefined)(`apply to a real machine ${noTestMachines ?? ""}`, () => {
  let host: TestMachine;
  let project: Project;
  let identity: string;

  beforeAll(async () => {
    host = await bootMachine();
    project = new Project({
      "services/slow/init/10-count.sh": "#!/bin/sh\nfor i in 1 2 3 4 5 6; do echo slow $i; sleep 0.5; done\n",
      "services/app/service.yaml": "requires: [slow]\nparameters: {greeting: {default: hello}}\n",
      "services/app/init/10-once.sh": '#!/bin/sh\necho "init $BAKE_GREETING" >>/root/app\n',
      "services/app/update/10-again.sh": "#!/bin/sh\necho update >>/root/app\n",
      "services/app/verify/10-look.sh": "#!/bin/sh\necho looked\ntest -e /root/fine\n",
      "services/broken/init/10-fail.sh": "#!/bin/sh\necho about to fail\necho the reason >&2\nexit 3\n",
      "services/after/service.yaml": "requires: [broken]\n",
      "services/after/init/10.sh": "#!/bin/sh\ntrue\n",
      "services/long/init/10-sleep.sh": "#!/bin/sh\necho asleep\nexec sleep 300\n",
    });
    identity = join(project.directory, "key");
    writeFileSync(identity, host.loginKey.privateKey.reveal(), { mode: 0o600 });
  });
  afterAll(async () => {
    project[Symbol.dispose]();
    await host[Symbol.asyncDispose]();
  });

  const apply = (
    args: readonly string[],
    port = host.sshPort,
    onLine?: NonNullable<CliOptions["onLine"]>,
  ): Promise<CliResult> => onHost(["apply", ...args], port, onLine);
  const onHost = (
    words: readonly string[],
    port = host.sshPort,
    onLine?: NonNullable<CliOptions["onLine"]>,
  ): Promise<CliResult> =>
    bakeAmi(
      [
        ...words,
        ...[
          "--host",
          `admin@127.0.0.1:${port}`,
          "--identity",
          identity,
          "--host-key",
          host.hostKey.publicKey,
        ],
      ],
      {
        cwd: project.directory,
        env: { BAKE_AMI_DATA_DIR: join(project.directory, "data") },
        ...(onLine === undefined ? {} : { onLine }),
      },
    );

  test("a machine that has nothing of ours cannot be verified", async () => {
    const result = await onHost(["verify"]);
    expect(result.stderr).toMatch(/this machine has no services of bake-ami/);
    expect(result.status).toBe(2);
  });

  test("init and update; the next time only update", async () => {
    const first = await apply(["app", "--set", "app.greeting=good day"]);
    expect(first.stderr).toContain("init app done");
    expect(first.stderr).toMatch(/where the time went/);
    expect(first.status).toBe(0);
    expect(await host.run("cat /root/app")).toBe("init good day\nupdate\n");
    const second = await apply(["app", "--set", "app.greeting=good day"]);
    expect(second.stderr).toContain("init app was done before");
    expect(await host.run("cat /root/app")).toBe("init good day\nupdate\nupdate\n");
  });

  test("its phase runs are listed, and each can be shown; the journal tells the same again", async () => {
    await using machine = new Machine(host.ssh, { deadlineSeconds: 20 });
    const runs = await listRuns(machine, undefined, never);
    expect(runs.map(({ phase, result }) => `${phase} ${result}`)).toEqual([
      "init ok",
      "update ok",
      "init ok",
      "update ok",
    ]);
    const [first, second] = runs;
    if (first?.startedAt === undefined || first.endedAt === undefined) throw new Error("no times");
    expect(first.endedAt.getTime() - first.startedAt.getTime()).toBeGreaterThanOrEqual(2000);
    expect(Date.now() - first.startedAt.getTime()).toBeLessThan(600_000);
    expect(await listRuns(machine, "init", never)).toHaveLength(2);
    const show = async (request: Partial<LogsRequest>): Promise<string> => {
      let text = "";
      const write = (chunk: Buffer): unknown => (text += chunk.toString());
      await showLogs(machine, { phase: undefined, run: undefined, follow: false, ...request }, write, never);
      return text;
    };
    const log = await show({ run: first.run, phase: "init" });
    expect(log).toContain("slow 6");
    expect(log).toMatch(/event=phase-finished phase=init/);
    expect(log).not.toContain("phase=update");
    // The end of a run that is over is the end of following it.
    expect(await show({ run: first.run, phase: "init", follow: true })).toBe(log);
    expect(await show({})).toMatch(/event=phase-finished phase=update/);
    await expect(show({ run: "nope" })).rejects.toMatchObject({
      kind: "usage",
      message: "no phase run nope is known here",
    });
    const events: Event[] = [];
    const end = await followJournal(machine, {
      listener: (event) => events.push(event),
      signal: never,
      isOver: ({ phase }) => phase === "update",
    });
    expect(end).toMatchObject({ run: second?.run, result: "ok" });
    const lines = events.flatMap((event) => (event.type === "output" ? [event.line] : []));
    expect(lines).toEqual(["slow 1", "slow 2", "slow 3", "slow 4", "slow 5", "slow 6"]);
  });

  test("verify says whether its steps are content, by its exit status", async () => {
    const failed = await onHost(["verify"]);
    expect(failed.status).toBe(1);
    expect(failed.stdout).toBe("");
    expect(failed.stderr).toMatch(/verify failed: step 10-look.sh of app ended with status 1/);
    expect(failed.stderr).toMatch(/its last lines:\n +looked/);
    expect(failed.stderr).toMatch(/verify failed after/);
    expect(failed.stderr).not.toMatch(/verify done in/);
    await host.run("touch /root/fine");
    const good = await onHost(["verify", "app"]);
    expect(good.stdout).toBe("app ok\n");
    expect(good.status).toBe(0);
    const nothing = await onHost(["verify", "slow"]);
    expect(nothing.stderr).toContain("no verify steps: slow");
    expect(nothing.status).toBe(0);
    const unknown = await onHost(["verify", "ap"]);
    expect(unknown.stderr).toMatch(/this machine knows no service ap[\s\S]*did you mean "app"/);
    expect(unknown.status).toBe(2);
    // In one go with apply; nothing else ran again.
    const before = await host.run("cat /root/app");
    const applied = await apply(["app", "--verify", "--set", "app.greeting=good day"]);
    expect(applied.status).toBe(0);
    expect(applied.stderr).toContain("verify app done");
    expect(await host.run("cat /root/app")).toBe(`${before}update\n`);
  });

  test("bake-ami's own login key is tried after the user's", async () => {
    const home = join(project.directory, "home");
    mkdirSync(join(home, ".ssh"), { recursive: true });
    const other = newKeyPair("other").privateKey.reveal();
    writeFileSync(join(home, ".ssh", "id_ed25519"), other, { mode: 0o600 });
    mkdirSync(join(home, "data", "login"), { recursive: true });
    const own = join(home, "data", "login", "id_ed25519");
    const verify = (): Promise<CliResult> =>
      bakeAmi(
        ["verify", ...["--host", `admin@127.0.0.1:${host.sshPort}`, "--host-key", host.hostKey.publicKey]],
        {
          cwd: project.directory,
          env: { HOME: home, BAKE_AMI_DATA_DIR: join(home, "data"), SSH_AUTH_SOCK: "" },
        },
      );
    const refused = await verify();
    expect(refused.stderr).toMatch(/does not accept the login key/);
    writeFileSync(own, host.loginKey.privateKey.reveal(), { mode: 0o600 });
    const accepted = await verify();
    expect(accepted.stdout).toBe("app ok\n");
  });

  test("a connection cut in the middle of init: it goes on, and every line comes exactly once", async () => {
    await host.run("rm -f /var/lib/bake-ami/init/slow@*");
    const port = await freePort();
    await using forwarder = await Forwarder.open(port, host.sshPort);
    const result = await apply(["slow", "--json"], port, (line) => {
      if (line.includes('"slow 2"') || line.includes('"slow 4"')) forwarder.cut();
    });
    expect(result.status).toBe(0);
    const lines = result.stdout
      .split("\n")
      .filter((line) => line.includes('"type":"output"'))
      .map((line) => /"line":"([^"]*)"/.exec(line)?.[1]);
    expect(lines).toEqual([1, 2, 3, 4, 5, 6].map((n) => `slow ${n}`));
    expect(result.stdout).toContain("connected again");
  });

  test("a failed step: service, step, status, last lines, and what was not started", async () => {
    const result = await apply(["after"]);
    expect(result.status).toBe(1);
    expect(result.stderr).toMatch(/init failed: step 10-fail.sh of broken ended with status 3/);
    expect(result.stderr).toMatch(/its last lines:\n +about to fail\n +the reason/);
    expect(result.stderr).toMatch(/not started because of that: after/);
    const log = /the whole output: less (\S+)/.exec(result.stderr)?.[1];
    expect(log).toBeDefined();
    expect(readFileSync(log ?? "", "utf8")).toContain("broken | the reason");
  });

  test("Ctrl-C ends the phase on the machine too", async () => {
    const result = await apply(["long", "--json"], host.sshPort, (line, child) => {
      if (line.includes('"asleep"')) child.kill("SIGINT");
    });
    expect(result.status).toBe(130);
    expect(await host.run("pgrep -f '[s]leep 300' || echo none")).toBe("none\n");
  });

  test("another machine at the address is refused", async () => {
    const result = await bakeAmi(
      [
        "apply",
        "app",
        "--host",
        `admin@127.0.0.1:${host.sshPort}`,
        "--identity",
        identity,
        "--host-key",
        host.loginKey.publicKey,
      ],
      { cwd: project.directory },
    );
    expect(result.status).toBe(1);
    expect(result.stderr).toMatch(/host key that is not the pinned one/);
  });
});

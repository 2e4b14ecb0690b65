import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { CreateTagsCommand } from "@aws-sdk/client-ec2";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bakeAmi, type CliOptions, type CliResult } from "../support/cli.ts";
import { instance, owner } from "../support/leavings.ts";
import { stateOnlyCloud, type StateOnlyCloud } from "../support/local-cloud.ts";
import { bootMachine, noTestMachines, type TestMachine } from "../support/nspawn.ts";
import { Project } from "../support/project.ts";

/* The command line, a cloud without virtual machines, and a real machine that answers for one of its instances. */

describe.skipIf(noTestMachines !== undefined)(`cp and logs of a machine ${noTestMachines ?? ""}`, () => {
  let host: TestMachine;
  let local: StateOnlyCloud;
  let project: Project;
  let id: string;

  beforeAll(async () => {
    host = await bootMachine();
    local = await stateOnlyCloud();
    id = await instance(local, "machine");
    const login = { Key: "bake-ami:login", Value: "admin" };
    await local.ec2.send(new CreateTagsCommand({ Resources: [id], Tags: [login] }));
    const scope = `local-${createHash("sha256").update(owner).digest("hex").slice(0, 12)}`;
    project = new Project({
      key: host.loginKey.privateKey.reveal(),
      small: "small\n",
      "dir/a b": "1\n",
      [`data/host-keys/${scope}/${id}`]: `${host.hostKey.publicKey.split(" ").slice(0, 2).join(" ")}\n`,
    });
  });
  afterAll(async () => {
    project[Symbol.dispose]();
    await local[Symbol.asyncDispose]();
    await host[Symbol.asyncDispose]();
  });

  function run(words: readonly string[], onLine?: NonNullable<CliOptions["onLine"]>): Promise<CliResult> {
    const proxy = `node -e 'const s=require("node:net").connect(${host.sshPort},"127.0.0.1");process.stdin.pipe(s).pipe(process.stdout)'`;
    return bakeAmi(
      [...words, "--local", "--owner", owner, "--identity", "key", "--ssh-proxy-command", proxy],
      {
        cwd: project.directory,
        env: { BAKE_AMI_DATA_DIR: join(project.directory, "data"), BAKE_AMI_LOCAL_DIR: local.directory },
        ...(onLine === undefined ? {} : { onLine }),
      },
    );
  }

  test("several sources there, and back under another name; what was copied is told", async () => {
    const there = await run(["cp", "small", "dir", "latest:"]);
    expect(there.stderr).toMatch(/copied 2 files, 8 B in \d/);
    expect([there.status, there.stdout]).toEqual([0, ""]);
    const back = await run(["cp", `${id}:dir`, "back", "--json"]);
    expect(readFileSync(join(project.directory, "back", "a b"), "utf8")).toBe("1\n");
    const lines = back.stdout.trimEnd().split("\n");
    expect(lines.at(-1)).toBe('{"type":"result","value":{"files":1,"directories":1,"links":0,"bytes":2}}');
    expect(back.stdout).toContain('"type":"copied"');
  });

  test("what is not there starts nothing; what is not allowed fails; each is one message", async () => {
    const missing = await run(["cp", "latest:nope", "."]);
    expect(missing.stderr).toMatch(/^bake-ami: there is no latest:nope$/m);
    expect(missing.status).toBe(2);
    const denied = await run(["cp", "small", `${id}:/etc/small`]);
    expect(denied.stderr).toMatch(
      new RegExp(`^bake-ami: cannot write ${id}:/etc/small: permission denied for admin$`, "m"),
    );
    expect(denied.stderr).toContain(`\`bake-ami ssh ${id} --local --owner somebody -- sudo ...\``);
    expect(denied.status).toBe(1);
  });

  test("Ctrl-C in the middle: 130, and nothing of the file there", async () => {
    const big = join(project.directory, "big");
    mkdirSync(dirname(big), { recursive: true });
    writeFileSync(big, Buffer.alloc(300_000_000));
    const cut = await run(["cp", "big", "latest:big", "--json"], (line, child) => {
      if (line.includes('"copying"')) child.kill("SIGINT");
    });
    expect(cut.stderr).toContain("interrupted by SIGINT");
    expect(cut.status).toBe(130);
    expect(await host.run("ls -A /home/admin | grep -e big -e part || echo none")).toBe("none\n");
  });

  test("a machine without bake-ami has no phase runs, and a new one shows nothing on its console", async () => {
    const none = await run(["logs", "latest"]);
    expect(none.stderr).toMatch(/this machine has no bake-ami, so it has no phase runs[\s\S]*--console/);
    expect(none.status).toBe(2);
    const empty = await run(["logs", "latest", "--console"]);
    expect(empty.stderr).toMatch(/the console of i-\S+ shows nothing yet/);
  });
});

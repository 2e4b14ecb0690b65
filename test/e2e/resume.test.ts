import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bakeAmi, type CliResult } from "../support/cli.ts";
import { noLocalMachines, openTestCloud, type TestCloud } from "../support/vm-cloud.ts";

describe.skipIf(noLocalMachines !== undefined)(`a builder that is kept ${noLocalMachines ?? ""}`, () => {
  let cloud: TestCloud;
  let project: string;

  beforeAll(async () => {
    cloud = await openTestCloud();
    project = mkdtempSync(join(tmpdir(), "bake-ami-resume-"));
    step("steady/init.sh", "echo once >>/var/lib/steady");
    step("steady/update.sh", "echo steady was initialised $(wc -l </var/lib/steady) time");
    step("shaky/init.sh", "echo no luck; exit 3");
  });
  afterAll(async () => {
    rmSync(project, { recursive: true, force: true });
    await cloud[Symbol.asyncDispose]();
  });

  function step(path: string, command: string): void {
    const file = join(project, "services", path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, `#!/bin/sh\nset -eu\n${command}\n`);
    chmodSync(file, 0o755);
  }

  const run = (...args: string[]): Promise<CliResult> =>
    bakeAmi([...args, "--local"], { cwd: project, env: cloud.env });

  // A spot builder, because EC2 does not stop one: its image is made with a restart.
  test("a failed bake with --on-error keep tells how to look and how to go on; --resume does", async () => {
    const failed = await run("steady", "shaky", "--spot", "--on-error", "keep");
    expect(failed.status).toBe(1);
    expect(failed.stderr).toContain("no luck");
    const [, builder = ""] = /bake-ami ssh (i-[0-9a-f]+)/.exec(failed.stderr) ?? [];
    expect(failed.stderr).toMatch(/bake-ami shaky steady .*--resume|bake-ami shaky steady --resume/);
    expect(await cloud.leftovers()).toHaveLength(3);

    const looked = await bakeAmi(["ssh", builder, "--local", "--", "cat", "/var/lib/steady"], {
      cwd: project,
      env: cloud.env,
    });
    expect(looked.stdout).toBe("once\n");

    step("shaky/init.sh", "echo better luck");
    const resumed = await run("steady", "shaky", "--resume");
    expect(resumed.stderr).toContain("better luck");
    expect(resumed.stderr).toContain("steady was done before");
    expect(resumed.status).toBe(0);
    const imageId = resumed.stdout.trim();
    expect(await cloud.leftovers()).toEqual([imageId]);

    const launched = await run("launch", imageId, "--wait");
    expect(launched.status).toBe(0);
    const [machine = ""] = /i-[0-9a-f]+/.exec(launched.stdout) ?? [];
    const logs = await run("logs", machine);
    expect(logs.stdout).toContain("steady was initialised 1 time");
    expect((await run("terminate", machine)).status).toBe(0);
  });
});

import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bakeAmi, type CliResult } from "../support/cli.ts";
import { noLocalMachines, openTestCloud, type TestCloud } from "../support/vm-cloud.ts";

/** Every stage of a bake in which something exists that must not stay. */
const stages = ["prepare", "boot", "connect", "upload", "init", "seal", "stop", "image"] as const;

/** Processes whose command line names the cloud's directory: its virtual machines. */
function machinesOf(directory: string): string[] {
  return readdirSync("/proc")
    .filter((pid) => /^\d+$/.test(pid))
    .flatMap((pid) => {
      try {
        const command = readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
        return command.includes(directory) && command.includes("qemu") ? [command] : [];
      } catch {
        return [];
      }
    });
}

describe.skipIf(noLocalMachines !== undefined)(`a bake that is cut short ${noLocalMachines ?? ""}`, () => {
  let cloud: TestCloud;
  let project: string;

  beforeAll(async () => {
    cloud = await openTestCloud();
    project = mkdtempSync(join(tmpdir(), "bake-ami-interrupt-"));
    const init = join(project, "services", "tiny", "init");
    mkdirSync(init, { recursive: true });
    writeFileSync(join(init, "10-wait.sh"), "#!/bin/sh\necho tiny is at work\nsleep 1\n");
    chmodSync(join(init, "10-wait.sh"), 0o755);
  });
  afterAll(async () => {
    rmSync(project, { recursive: true, force: true });
    await cloud[Symbol.asyncDispose]();
  });

  const run = (...args: string[]): Promise<CliResult> =>
    bakeAmi([...args, "--local"], { cwd: project, env: cloud.env });

  /** Bakes, and sends `signal` when `stage` begins. */
  async function cutAt(stage: string, signal: NodeJS.Signals): Promise<CliResult> {
    return await bakeAmi(["tiny", "--local", "--json"], {
      cwd: project,
      env: cloud.env,
      onLine: (line, child) => {
        if (line.includes('"stage-started"') && line.includes(`"stage":"${stage}"`)) child.kill(signal);
      },
    });
  }

  /** What is left in the cloud: nothing but the base image. */
  async function expectNothingLeft(): Promise<void> {
    expect(machinesOf(cloud.directory)).toEqual([]);
    expect(await cloud.leftovers()).toEqual([]);
  }

  test.each(stages)("Ctrl-C at %s leaves nothing", async (stage) => {
    const result = await cutAt(stage, "SIGINT");
    expect(result.stderr).toContain("interrupted");
    expect(result.status).toBe(130);
    await expectNothingLeft();
  });

  test("SIGTERM is the same as Ctrl-C", async () => {
    const result = await cutAt("upload", "SIGTERM");
    expect(result.status).toBe(130);
    await expectNothingLeft();
  });

  test.each(stages)("kill -9 at %s, then cleanup, leaves nothing", async (stage) => {
    const result = await cutAt(stage, "SIGKILL");
    expect(result.status).toBe(137);
    const dry = await run("cleanup", "--dry-run");
    expect(dry.status).toBe(0);
    const cleaned = await run("cleanup");
    expect(cleaned.stderr).not.toContain("could not");
    expect(cleaned.status).toBe(0);
    // A dry run says exactly what the real one then does.
    expect(cleaned.stdout.replaceAll(/^deleted/gm, "would delete")).toBe(dry.stdout);
    await expectNothingLeft();
    expect((await run("cleanup")).stdout).toBe("nothing was left behind\n");
  });
});

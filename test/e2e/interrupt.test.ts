import { readdirSync, readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bakeAmi, type CliResult } from "../support/cli.ts";
import { ForsakenBuilder, graceSeconds } from "../support/forsaken-builder.ts";
import { Project } from "../support/project.ts";
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

/* Two clouds are at work at once, because a bake is mostly waiting; and in a third a builder waits for its deadline. */
describe.skipIf(noLocalMachines !== undefined)(`a bake that is cut short ${noLocalMachines ?? ""}`, () => {
  let clouds: readonly [TestCloud, TestCloud];
  let project: Project;
  let forsaken: ForsakenBuilder;

  beforeAll(async () => {
    clouds = [await openTestCloud(), await openTestCloud()];
    project = new Project({
      "services/tiny/init/10-wait.sh": "#!/bin/sh\necho tiny is at work\nsleep 1\n",
    });
    forsaken = await ForsakenBuilder.make();
  });
  afterAll(async () => {
    project[Symbol.dispose]();
    for (const cloud of [...clouds, forsaken]) await cloud[Symbol.asyncDispose]();
  });

  const run = ({ env }: TestCloud, ...args: string[]): Promise<CliResult> =>
    bakeAmi([...args, "--local"], { cwd: project.directory, env });

  /** Bakes, and sends `signal` when `stage` begins. */
  async function cutAt({ env }: TestCloud, stage: string, signal: NodeJS.Signals): Promise<CliResult> {
    return await bakeAmi(["tiny", "--local", "--json"], {
      cwd: project.directory,
      env,
      onLine: (line, child) => {
        if (line.includes('"stage-started"') && line.includes(`"stage":"${stage}"`)) child.kill(signal);
      },
    });
  }

  /** What is left in a cloud: nothing but the base image. */
  async function expectNothingLeft(cloud: TestCloud): Promise<void> {
    expect(machinesOf(cloud.directory)).toEqual([]);
    expect(await cloud.leftovers()).toEqual([]);
  }

  async function interruptAt(cloud: TestCloud, stage: string, signal: NodeJS.Signals): Promise<void> {
    const result = await cutAt(cloud, stage, signal);
    expect(result.stderr).toContain("interrupted");
    expect(result.status).toBe(130);
    await expectNothingLeft(cloud);
  }

  async function killAt(cloud: TestCloud, stage: string): Promise<void> {
    const result = await cutAt(cloud, stage, "SIGKILL");
    expect(result.status).toBe(137);
    const dry = await run(cloud, "cleanup", "--dry-run");
    expect(dry.status).toBe(0);
    const cleaned = await run(cloud, "cleanup");
    expect(cleaned.stderr).not.toContain("could not");
    expect(cleaned.status).toBe(0);
    // A dry run says exactly what the real one then does.
    expect(cleaned.stdout.replaceAll(/^deleted/gm, "would delete")).toBe(dry.stdout);
    await expectNothingLeft(cloud);
    expect((await run(cloud, "cleanup")).stdout).toBe("nothing was left behind\n");
  }

  /** Both to their ends, so that a failure of one does not end the other in the middle. */
  async function both(a: Promise<void>, b: Promise<void>): Promise<void> {
    for (const each of await Promise.allSettled([a, b])) if (each.status === "rejected") throw each.reason;
  }

  test.each(stages)("at %s: Ctrl-C leaves nothing, nor does kill -9 after a cleanup", async (stage) => {
    await both(interruptAt(clouds[0], stage, "SIGINT"), killAt(clouds[1], stage));
  });

  test("SIGTERM is the same as Ctrl-C", async () => {
    await interruptAt(clouds[0], "upload", "SIGTERM");
  });

  test("a builder whose controller was killed ends itself when its time is over, after a reboot too", async () => {
    const { late, reason } = await forsaken.end();
    console.log(`terminated ${late.toFixed(1)} s after its expiry`);
    expect(late).toBeGreaterThanOrEqual(graceSeconds);
    expect(reason).toBe("Client.InstanceInitiatedShutdown");
    const kinds = (ids: readonly string[]): string[] => ids.map((id) => id.replace(/-.*/, "")).sort();
    expect(kinds(await forsaken.cloud.leftovers())).toEqual(["key", "sg"]);
    const cleaned = await forsaken.cleanup();
    expect(cleaned.status).toBe(0);
    expect(
      cleaned.stdout
        .replaceAll(/ of run .*/g, "")
        .trimEnd()
        .split("\n"),
    ).toEqual([
      expect.stringMatching(/^deleted security group sg-/),
      expect.stringMatching(/^deleted key pair key-/),
    ]);
    expect(await forsaken.cloud.leftovers()).toEqual([]);
  });
});

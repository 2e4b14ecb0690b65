import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bakeAmi, type CliResult } from "../support/cli.ts";
import { Project } from "../support/project.ts";
import { noLocalMachines, openTestCloud, type TestCloud } from "../support/vm-cloud.ts";

const sh = (script: string): string => `#!/bin/sh\nset -eu\n${script}\n`;

describe.skipIf(noLocalMachines !== undefined)(
  `launch templates and deployments on real virtual machines ${noLocalMachines ?? ""}`,
  () => {
    let cloud: TestCloud;
    let project: Project;

    beforeAll(async () => {
      cloud = await openTestCloud();
      project = new Project({
        "services/web/init.sh": sh("echo baked >/root/web"),
        "services/web/update.sh": sh("echo first >>/root/web"),
        "services/web/verify.sh": sh("grep -q baked /root/web"),
        "services/broken/update.sh": sh("echo the reason; exit 3"),
      });
    });
    afterAll(async () => {
      project[Symbol.dispose]();
      await cloud[Symbol.asyncDispose]();
    });

    const run = (verb: string, ...args: string[]): Promise<CliResult> =>
      bakeAmi([verb, "--local", ...args], { cwd: project.directory, env: cloud.env });
    const good = async (verb: string, ...args: string[]): Promise<string> => {
      const { status, stdout, stderr } = await run(verb, ...args);
      if (status !== 0) throw new Error(`status ${status} of ${verb} ${args.join(" ")}: ${stdout}${stderr}`);
      return stdout.trim();
    };
    const machines = async (): Promise<string[]> =>
      (await good("ls")).match(/^i-[0-9a-f]+ +(?:running|pending)/gm) ?? [];

    test("a template of a baked image: its machine's update and verify steps are looked at, and it is gone again", async () => {
      await good("bake", "web");
      const made = await run("template", "web");
      expect(made.stderr).toContain("verify web done");
      expect(made.stdout).toMatch(/^lt-[0-9a-f]+ 1\n$/);
      expect(made.status).toBe(0);
      expect(await machines()).toEqual([]);
      const again = await run("template", "web");
      expect(again.stdout).toBe(made.stdout);
      expect(again.stderr).toContain("version 1 of bake-ami-web is there already, and the default");
    });

    test("a version whose machine fails is not kept, and the message says why", async () => {
      const failed = await run("template", "web", "--with", "broken", "--verify", "update");
      expect(failed.status).toBe(1);
      expect(failed.stderr).toMatch(/the update failed on i-/);
      expect(failed.stderr).toMatch(/broken: update: step .* ended with status 3/);
      expect(await machines()).toEqual([]);
      const back = await run("template", "web", "--default", "2");
      expect(back.status).toBe(2);
      expect(back.stderr).toContain("bake-ami-web has no version 2");
      expect(back.stderr).toContain("it has: 1");
    });

    test("new code on the machines that run", async () => {
      await good("launch", "web", "--count", "2", "--wait");
      project.write("services/web/update.sh", sh("echo second >>/root/web"));
      const deployed = await run("deploy", "web", "--verify");
      expect(deployed.stderr).not.toContain("FAILED");
      expect(deployed.stdout).toMatch(
        /^MACHINE +RESULT +TIME +SERVICES +WHY\n(?:i-[0-9a-f]+ +ok +\S+ s +web\n){2}$/,
      );
      expect(deployed.status).toBe(0);
      expect(await good("ssh", "latest", "--quiet", "--", "sudo cat /root/web")).toBe("baked\nfirst\nsecond");
    });
  },
);

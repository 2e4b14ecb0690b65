import { readFileSync } from "node:fs";
import { request } from "node:http";
import { get as getTls } from "node:https";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bakeAmi, type CliResult } from "../support/cli.ts";
import { filesOnDisk } from "../support/image-files.ts";
import { runLibraryExample } from "../support/library-example.ts";
import { noLocalMachines, openTestCloud, type TestCloud } from "../support/vm-cloud.ts";
import { Project } from "../support/project.ts";

interface MachineValue {
  readonly id: string;
  readonly address: string;
  readonly ports: Readonly<Record<string, number>>;
  readonly update?: {
    readonly run: string;
    readonly result: string;
    readonly services: string[];
    readonly initialised: string[];
  };
  readonly boot?: { readonly totalMs: number; readonly parts: Readonly<Record<string, number>> };
}

/** The result line of a `--json` run. */
function resultOf(output: string): unknown {
  const last: unknown = JSON.parse(output.trimEnd().split("\n").at(-1) ?? "");
  if (typeof last !== "object" || last === null || !("value" in last)) throw new Error(output.slice(-2000));
  return last.value;
}

const isMachine = (value: unknown): value is MachineValue =>
  typeof value === "object" && value !== null && "id" in value && "address" in value && "ports" in value;

async function page(machine: MachineValue, port: 80 | 443): Promise<string> {
  const options = { host: machine.address, port: machine.ports[String(port)] ?? port, timeout: 20_000 };
  return await new Promise((resolve, reject) => {
    const read = (response: NodeJS.ReadableStream): void => {
      let text = "";
      response.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
      response.on("end", () => {
        resolve(text);
      });
    };
    const client =
      port === 80 ? request(options, read) : getTls({ ...options, rejectUnauthorized: false }, read);
    client.on("error", reject).end();
  });
}

describe.skipIf(noLocalMachines !== undefined)(
  `bake and launch on real virtual machines ${noLocalMachines ?? ""}`,
  () => {
    let cloud: TestCloud;
    let project: Project;
    let imageId = "";
    const machines: MachineValue[] = [];

    beforeAll(async () => {
      cloud = await openTestCloud();
      project = new Project();
    });
    afterAll(async () => {
      project[Symbol.dispose]();
      await cloud[Symbol.asyncDispose]();
    });

    const run = (verb: string, ...args: string[]): Promise<CliResult> =>
      bakeAmi([verb, "--local", ...args], { cwd: project.directory, env: cloud.env });

    const ssh = async (machine: MachineValue, command: string): Promise<string> => {
      const result = await run("ssh", machine.id, "--quiet", "--", command);
      if (result.status !== 0)
        throw new Error(`status ${result.status} of ${command}: ${result.stdout}${result.stderr}`);
      return result.stdout;
    };

    async function launch(...args: string[]): Promise<MachineValue[]> {
      const result = await run("launch", ...args, "--wait", "--json");
      if (result.status !== 0) throw new Error(`${result.stdout.slice(-3000)}${result.stderr}`);
      const value = resultOf(result.stdout);
      if (!Array.isArray(value) || !value.every(isMachine)) throw new Error("no machines");
      return value;
    }

    test("bake-ami hello-web --local prints the image id alone on stdout", async () => {
      const result = await run("hello-web");
      if (result.status !== 0) throw new Error(result.stderr);
      expect(result.stdout).toMatch(/^ami-[0-9a-f]+\n$/);
      imageId = result.stdout.trim();
      expect(result.stderr).toMatch(/init package installation done/);
      // For the record; no assertion on a time in the suite.
      console.log(result.stderr.slice(result.stderr.indexOf("where the time went")));
      expect(await cloud.leftovers()).toEqual([imageId]);
    });

    test("the baked disk is clean", async () => {
      using disk = filesOnDisk(await cloud.diskOf(imageId));
      expect(disk.content("/etc/machine-id").trim()).toBe("");
      expect(disk.list("/etc/ssh").filter((name) => name.startsWith("ssh_host_"))).toEqual([]);
      for (const home of ["/root", "/home/admin"]) {
        expect(disk.list(home).filter((name) => name.endsWith("_history"))).toEqual([]);
        expect(disk.list(`${home}/.ssh`).filter((name) => name.startsWith("authorized_keys"))).toEqual([]);
      }
      expect(disk.list("/var/log/journal")).toEqual([]);
      expect(disk.list("/opt/bake-ami/bundles")).toHaveLength(1);
      expect(disk.list("/var/lib/bake-ami")).not.toContain("builder");
      expect(disk.list("/var/lib/bake-ami/init").map((name) => name.replace(/@.*/, ""))).toEqual(
        expect.arrayContaining(["base", "hello-web", "nginx"]),
      );
      expect(disk.list("/tmp")).toEqual([]);
      expect(disk.list("/var/tmp")).toEqual([]);
      expect(disk.list("/var/lib/systemd")).not.toContain("random-seed");
      // The builder's deadline is not the image's.
      expect(disk.list("/var/lib/local-cloud")).not.toContain("boot-commands");
    });

    test("two machines from it: no init since the bake, host keys and machine ids of their own, each its page", async () => {
      machines.push(...(await launch("hello-web", "--count", "2", "--open", "80,443")));
      const [a, b] = machines;
      if (a === undefined || b === undefined) throw new Error("no two machines");
      const facts = await Promise.all(
        [a, b].map(async (machine) => {
          expect(
            await ssh(machine, "systemctl list-units --all --plain --no-legend 'bake-ami-deadline*'"),
          ).toBe("");
          const journal = await ssh(machine, "sudo journalctl --no-pager -o cat -t bake-ami");
          expect(journal).toContain("event=service-finished phase=update service=hello-web result=ok");
          expect(journal).not.toContain("phase=init");
          expect(await page(machine, 80)).toContain(machine.id);
          const hostKey = await ssh(machine, "cat /etc/ssh/ssh_host_ed25519_key.pub");
          return { hostKey, machineId: await ssh(machine, "cat /etc/machine-id") };
        }),
      );
      expect(facts[0]?.machineId).toMatch(/^[0-9a-f]{32}\n$/);
      expect(facts[0]?.machineId).not.toBe(facts[1]?.machineId);
      expect(facts[0]?.hostKey).not.toBe(facts[1]?.hostKey);
    });

    test("a reboot runs update again, and nothing else", async () => {
      const [machine] = machines;
      if (machine === undefined) throw new Error("no machine");
      const before = machine.update?.run;
      await run("ssh", machine.id, "--quiet", "--", "sudo systemctl reboot");
      let after = before;
      for (let tries = 0; tries < 120 && after === before; tries += 1) {
        await sleep(500);
        const listed = resultOf((await run("ls", "--json")).stdout);
        const found: unknown[] =
          typeof listed === "object" &&
          listed !== null &&
          "machines" in listed &&
          Array.isArray(listed.machines)
            ? listed.machines
            : [];
        after = found.filter(isMachine).find(({ id }) => id === machine.id)?.update?.run ?? before;
      }
      expect(after).not.toBe(before);
      const journal = await ssh(machine, "sudo journalctl --no-pager -o cat -t bake-ami -b");
      expect(journal).toContain("event=phase-finished phase=update");
      expect(journal).not.toContain("phase=init");
    });

    test("terminate ends machines and their group", async () => {
      const result = await run("terminate", ...machines.map(({ id }) => id));
      expect(result.stdout.trim().split("\n").sort()).toEqual(machines.map(({ id }) => id).sort());
      machines.length = 0;
      expect(await cloud.leftovers()).toEqual([imageId]);
    });

    test("launch --with hello-cert: init of hello-cert alone, then update of everything; shown live, and where the time went", async () => {
      // At the same time a program that uses the library has a machine of its own.
      const example = runLibraryExample(cloud.directory, "hello-web", "127.0.0.0/8");
      const result = await run(
        "launch",
        "hello-web",
        "--with",
        "hello-cert",
        "--open",
        "80,443",
        "--tail",
        "--json",
      );
      if (result.status !== 0) throw new Error(`${result.stdout.slice(-3000)}${result.stderr}`);
      expect(result.stdout).toMatch(
        /"type":"service-finished".*"phase":"init","service":"hello-cert","result":"ok"/,
      );
      expect(result.stdout).toMatch(/"type":"phase-finished".*"phase":"update","result":"ok"/);
      const value = resultOf(result.stdout);
      const [machine] = Array.isArray(value) ? value.filter(isMachine) : [];
      if (machine === undefined) throw new Error("no machine");
      const { parts, totalMs } = machine.boot ?? { parts: {}, totalMs: -1 };
      console.log("from launch to service", parts);
      expect(Object.keys(parts)).toEqual(["launchMs", "bootMs", "servicesMs", "hookMs"]);
      expect(Object.values(parts).reduce((a, b) => a + b, 0)).toBe(totalMs);
      expect(Math.min(...Object.values(parts))).toBeGreaterThanOrEqual(0);
      const ran = await example;
      expect(ran.output).toMatch(/^i-[0-9a-f]+ at 127\.\S+: update ok$/m);
      expect(ran.output).toContain("status 0, 3 lines");
      expect([ran.status, ran.sorted]).toEqual([0, "1\n2\n3\n"]);
      expect(machine.update?.initialised).toEqual(["hello-cert"]);
      const journal = await ssh(machine, "sudo journalctl --no-pager -o cat -t bake-ami");
      const inits = [...journal.matchAll(/event=service-finished phase=init service=(\S+) result=ok/g)].map(
        (m) => m[1],
      );
      expect(inits.filter((name) => name?.startsWith("_") !== true)).toEqual(["hello-cert"]);
      expect(journal.lastIndexOf("phase=init")).toBeLessThan(
        journal.indexOf("event=service-started phase=update"),
      );
      for (const service of ["hello-web", "hello-cert"]) {
        expect(journal).toContain(`event=service-finished phase=update service=${service} result=ok`);
      }
      expect(await page(machine, 443)).toContain(machine.id);
      const listed = (await run("logs", machine.id, "--list")).stdout;
      const [, phaseRun = ""] = /^update +(\S+) .* ok$/m.exec(listed) ?? [];
      const logged = await run("logs", machine.id, "--run", phaseRun, "--follow");
      expect(logged.stdout).toMatch(
        /service-finished phase=init service=hello-cert[\s\S]*phase-finished phase=update/,
      );
      expect((await run("logs", machine.id, "--console")).stdout).toContain(
        `bake-ami: times run=${phaseRun} `,
      );
      project.write("to send/a", "1\n");
      expect((await run("cp", "to send", `${machine.id}:sent`)).stderr).toMatch(/copied 1 file, 2 B in/);
      expect((await run("cp", `${machine.id}:sent/a`, `${machine.id}:/etc/hostname`, ".")).status).toBe(0);
      expect(readFileSync(join(project.directory, "a"), "utf8")).toBe("1\n");
      expect((await run("ls")).stdout).toMatch(
        new RegExp(
          `${machine.id} +running .* on-demand .* ok +\\d\\S*(?: min \\d+)? s +hello-web \\+hello-cert`,
        ),
      );
      expect((await run("terminate", machine.id)).status).toBe(0);
      expect(await cloud.leftovers()).toEqual([imageId]);
    });

    test("a service that fails: named, with its last lines, and nothing left", async () => {
      project.write("services/bad/init/10-bad.sh", "#!/bin/sh\necho what was wrong\nexit 7\n");
      const result = await run("bad");
      expect(result.status).toBe(1);
      expect(result.stdout).toBe("");
      expect(result.stderr).toMatch(/init failed: step 10-bad.sh of bad ended with status 7/);
      expect(result.stderr).toContain("what was wrong");
      expect(await cloud.leftovers()).toEqual([imageId]);
    });

    test("a full disk while baking is one clear message", async () => {
      // Most of it by allocation, which costs no time; the rest by real writes, which fail.
      project.write(
        "services/hog/init/10-hog.sh",
        '#!/bin/sh\nfallocate -l "$(df --output=avail -k / | tail -n 1)K" /var/hog || :\nhead -c 1G /dev/zero >/var/hog2\n',
      );
      const result = await run("hog");
      expect(result.status).toBe(1);
      expect(result.stderr).toMatch(/No space left on device/);
      expect(await cloud.leftovers()).toEqual([imageId]);
    });
  },
);

import { readFileSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { CreateBucketCommand, PutObjectCommand } from "@aws-sdk/client-s3";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { packageRoot } from "../../src/base/package-root.ts";
import { makeBundle, type Bundle } from "../../src/bundle/index.ts";
import { deploy, deployError, type Deployed, type DeployOptions } from "../../src/fleet/deploy.ts";
import type { Plan } from "../../src/plan/plan.ts";
import type { Event } from "../../src/report/events.ts";
import { bootMachine, noTestMachines, type TestMachine } from "../support/nspawn.ts";
import { anInstance } from "../support/resources.ts";
import { newObjects, serveObjects, type Objects, type ServedObjects } from "../support/s3.ts";
import { channelObject, SigningKey } from "../phases/channel.ts";
import { fakeMetadata, type TestMetadata } from "../phases/metadata.ts";
import { machineWith, Project, runPhase, sh } from "../phases/support.ts";

const skipped = noTestMachines === undefined ? "" : ` (${noTestMachines})`;

describe.skipIf(noTestMachines)(`deploy over SSH to real machines${skipped}`, () => {
  const machines: TestMachine[] = [];
  let project: Project;
  let plan: Plan;
  let bundle: Bundle;
  let events: Event[] = [];

  beforeAll(async () => {
    machines.push(...(await Promise.all([bootMachine(), bootMachine(), bootMachine()])));
    project = new Project({
      "services/web/init.sh": sh("echo init >>/root/trace"),
      "services/web/update.sh": sh(
        "echo update >>/root/trace; if [ -e /root/sleep ]; then echo asleep; exec sleep 300; fi; if [ -e /root/broken ]; then echo the reason; exit 3; fi",
      ),
      "services/web/verify.sh": sh("test -e /root/fine"),
      "services/db/update.sh": sh("echo db >>/root/trace"),
    });
    plan = project.plan();
    bundle = await makeBundle(plan);
  });
  afterAll(async () => {
    project[Symbol.dispose]();
    await Promise.all(machines.map((machine) => machine[Symbol.asyncDispose]()));
  });

  const everywhere = async (command: string): Promise<string[]> =>
    await Promise.all(machines.map((machine) => machine.run(command)));

  let runs = 0;
  /** Deploys to all three: the first has web and db, the others web alone. */
  async function deployed(rest: Partial<DeployOptions> = {}): Promise<Deployed[]> {
    runs += 1;
    events = [];
    return await deploy({
      machines: machines.map((_, index) => ({
        instance: anInstance(`i-${index}`),
        services: index === 0 ? ["db", "web"] : ["web"],
      })),
      reach: ({ instance }) => {
        const machine = machines[Number(instance.id.slice(2))];
        return machine === undefined ? Promise.reject(new Error("no machine")) : Promise.resolve(machine.ssh);
      },
      plan,
      bundle,
      verify: false,
      max: 10,
      maxErrors: 1,
      secondsEach: 120,
      run: `deploy-${runs}`,
      listener: (event) => events.push(event),
      signal: new AbortController().signal,
      ...rest,
    });
  }
  const results = (all: readonly Deployed[]): string => all.map(({ result }) => result).join(", ");

  test("all machines at once, each with the services that it has", async () => {
    const all = await deployed();
    expect(results(all)).toBe("ok, ok, ok");
    expect(deployError(all, "")).toBeUndefined();
    const traces = await everywhere("sort /root/trace; rm /root/trace");
    expect(traces).toEqual(["db\ninit\nupdate\n", "init\nupdate\n", "init\nupdate\n"]);
    const notes = events.flatMap((event) => (event.type === "note" ? [event.message] : []));
    for (const id of ["i-0", "i-1", "i-2"]) {
      expect(notes).toEqual(expect.arrayContaining([`${id}: init`, `${id}: update`, `${id}: done`]));
    }
  });

  test("a failure stops what has not begun, and names the machine and the last lines", async () => {
    await machines[1]?.run("touch /root/broken");
    const all = await deployed({ max: 1 });
    expect(results(all)).toBe("ok, failed, not started");
    // What is initialised stays so.
    expect(await everywhere("sort /root/trace 2>/dev/null; rm -f /root/trace")).toEqual([
      "db\nupdate\n",
      "update\n",
      "",
    ]);
    const error = deployError(all, "look");
    expect(error?.kind).toBe("phase-failed");
    expect(error?.message).toBe("the deployment failed on 1 machine, was not started on 1");
    expect(error?.details.join("\n")).toMatch(/^i-1: update failed: .*ended with status 3[^]*the reason/);
    // Each line says which machine printed it.
    expect(events).toContainEqual(
      expect.objectContaining({ type: "output", machine: "i-1", line: "the reason" }),
    );
    const more = await deployed({ max: 1, maxErrors: 2 });
    expect(results(more)).toBe("ok, failed, ok");
    await everywhere("rm -f /root/broken /root/trace");
  });

  test("verify steps count", async () => {
    await machines[0]?.run("touch /root/fine");
    const all = await deployed({ verify: true, maxErrors: 9 });
    expect(results(all)).toBe("ok, failed, failed");
    await everywhere("rm -f /root/trace");
  });

  test("an interruption ends it on every machine", async () => {
    await everywhere("touch /root/sleep");
    const abort = new AbortController();
    let asleep = 0;
    const all = await deployed({
      signal: abort.signal,
      listener: (event) => {
        if (event.type === "output" && event.line === "asleep") asleep += 1;
        if (asleep === 3) abort.abort();
      },
    });
    expect(results(all)).toBe("interrupted, interrupted, interrupted");
    expect(deployError(all, "")?.kind).toBe("interrupted");
    expect(await everywhere("pgrep -f '[s]leep 300' || echo none")).toEqual(["none\n", "none\n", "none\n"]);
  });

  test("a machine that takes too long is given up, and ended there", async () => {
    const all = await deployed({ secondsEach: 15, maxErrors: 9 });
    expect(results(all)).toBe("failed, failed, failed");
    expect(all[0]?.error?.message).toMatch(/gave up after 15 s of waiting for the deployment on i-0/);
    expect(await everywhere("pgrep -f '[s]leep 300' || echo none; rm /root/sleep")).toEqual([
      "none\n",
      "none\n",
      "none\n",
    ]);
  });
});

describe.skipIf(noTestMachines)(`what Run Command runs, on a real machine${skipped}`, () => {
  let objects: Objects;
  let served: ServedObjects;
  let metadata: TestMetadata;
  let machine: TestMachine;
  let key: SigningKey;
  let project: Project;

  beforeAll(async () => {
    objects = await newObjects();
    served = await serveObjects(objects);
    await served.s3.send(new CreateBucketCommand({ Bucket: "bundles" }));
    metadata = await fakeMetadata(undefined, {
      role: { accessKeyId: "local", secretAccessKey: "local", token: "" },
    });
    metadata.facts.tags = { "bake-ami:channel": "test", "bake-ami:bundles": "s3://bundles/some/prefix" };
    key = new SigningKey();
    project = new Project(version("first"));
    machine = await machineWith(project.plan());
    await runPhase(machine, "init", ["--builder", "--metadata", metadata.url, "web"]);
    await machine.run("rm /var/lib/bake-ami/builder");
    await mkdir(join(machine.root, "etc/bake-ami"));
    await writeFile(join(machine.root, "etc/bake-ami/signers"), key.signers);
  });
  afterAll(async () => {
    project[Symbol.dispose]();
    key[Symbol.dispose]();
    await machine[Symbol.asyncDispose]();
    await metadata[Symbol.asyncDispose]();
    await served[Symbol.asyncDispose]();
    await objects[Symbol.asyncDispose]();
  });

  function version(word: string): Record<string, string> {
    return {
      "services/web/init.sh": sh("true"),
      "services/web/update.sh": sh(`echo ${word} >>/root/trace; test ! -e /root/broken`),
      "services/web/verify.sh": sh("test -e /root/fine"),
    };
  }
  async function push(word: string, serial: number): Promise<void> {
    project.write(version(word));
    const object = channelObject(await makeBundle(project.plan()), key, { serial });
    await served.s3.send(
      new PutObjectCommand({ Bucket: "bundles", Key: "some/prefix/test.bundle", Body: object }),
    );
  }
  /** As the agent runs it: a file of lines, by sh, as root. */
  async function command(words: string): Promise<string> {
    const script = readFileSync(join(packageRoot(), "phases", "deploy.sh"), "utf8");
    await machine.run("cat >/root/_script.sh", `set -- ${words}\n${script}`);
    const { status, stdout, stderr } = await machine.exec(
      `AWS_ENDPOINT_URL=${served.url} sh /root/_script.sh`,
    );
    const said = `${stdout}${stderr}`.split("\n").filter((line) => line.startsWith("bake-ami: "));
    return `${status} ${said.join("; ")}`;
  }

  test("it takes what the channel has, and runs update with it", async () => {
    await push("second", 1000);
    expect(await command("run-1 60 update web")).toBe("0 bake-ami: update ok");
    expect(await machine.run("cat /root/trace")).toBe("second\n");
    // Sent twice, it starts nothing twice.
    expect(await command("run-1 60 update web")).toBe("0 bake-ami: update ok");
    expect(await machine.run("cat /root/trace")).toBe("second\n");
  });

  test("update and then verify; what fails says so", async () => {
    expect(await command("run-2 60 verify web")).toBe("1 bake-ami: update ok; bake-ami: verify failed: web");
    await machine.run("touch /root/fine");
    expect(await command("run-3 60 verify web")).toBe("0 bake-ami: update ok; bake-ami: verify ok");
    await machine.run("touch /root/broken");
    expect(await command("run-4 60 update web")).toBe("1 bake-ami: update failed: web");
    await machine.run("rm /root/broken");
  });

  test("a bundle that is refused, and a machine that is none of ours", async () => {
    await push("third", 500);
    expect(await command("run-5 60 update web")).toBe(
      "1 bake-ami: no new bundle was taken, so nothing is changed",
    );
    expect(await machine.run("tail -n 1 /root/trace")).toBe("second\n");
    await machine.run("mv /opt/bake-ami /opt/away");
    expect(await command("run-6 60 update web")).toBe("1 bake-ami: this machine was not baked by bake-ami");
    await machine.run("mv /opt/away /opt/bake-ami");
  });
});

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  DescribeInstancesCommand,
  DescribeKeyPairsCommand,
  DescribeSecurityGroupsCommand,
} from "@aws-sdk/client-ec2";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Cloud } from "../../src/aws/cloud.ts";
import { launchMachine, type MachineOptions } from "../../src/launch/handle.ts";
import type { Event } from "../../src/report/events.ts";
import { image, owner } from "../support/leavings.ts";
import { clientOptions, stateOnlyCloud, type StateOnlyCloud } from "../support/local-cloud.ts";
import { bootMachine, noTestMachines, type TestMachine } from "../support/nspawn.ts";

/* A cloud without virtual machines, whose instances answer as one real machine does. */

describe.skipIf(noTestMachines !== undefined)(
  `a machine as a library's handle ${noTestMachines ?? ""}`,
  () => {
    let host: TestMachine;
    let local: StateOnlyCloud;
    let here: string;
    let console: string;
    let events: Event[] = [];

    beforeAll(async () => {
      host = await bootMachine();
      here = mkdtempSync(join(tmpdir(), "bake-ami-handle-"));
      local = await stateOnlyCloud({
        intercept: async (call, carryOut) => {
          if (call.action === "ImportKeyPair") {
            const material = call.query["PublicKeyMaterial"];
            if (typeof material === "string")
              await host.authorize(Buffer.from(material, "base64").toString());
          }
          const reply = await carryOut();
          if (call.action !== "GetConsoleOutput" || reply.status !== 200) return reply;
          const output = `<output>${Buffer.from(console).toString("base64")}</output>`;
          const body = reply.body.replace(/<output>.*?<\/output>|<output\s*\/>/, "");
          return { ...reply, body: body.replace("</GetConsoleOutputResponse>", `${output}$&`) };
        },
      });
      await image(local, "baked", false);
    });
    afterAll(async () => {
      rmSync(here, { recursive: true, force: true });
      await local[Symbol.asyncDispose]();
      await host[Symbol.asyncDispose]();
    });

    const says = (result: string): string =>
      [
        "-----BEGIN SSH HOST KEY KEYS-----",
        host.hostKey.publicKey,
        "-----END SSH HOST KEY KEYS-----",
        "bake-ami: why run=boot-1 web: update: step 10.sh ended with status 3",
        `bake-ami: phase=update run=boot-1 result=${result} services=web failed=${result === "ok" ? "-" : "web"} not-started=- init=-`,
      ].join("\n");
    const options = (): MachineOptions => ({
      cloud: new Cloud(clientOptions(local.cloud)),
      from: ["web"],
      allow: ["127.0.0.0/8"],
      owner,
      login: "admin",
      sshProxyCommand: `node -e 'const s=require("node:net").connect(${host.sshPort},"127.0.0.1");process.stdin.pipe(s).pipe(process.stdout)'`,
      listener: (event) => events.push(event),
    });

    async function left(): Promise<{ states: string[]; rest: number }> {
      const { Reservations = [] } = await local.ec2.send(new DescribeInstancesCommand());
      const instances = Reservations.flatMap(({ Instances = [] }) => Instances);
      const keys = (await local.ec2.send(new DescribeKeyPairsCommand())).KeyPairs ?? [];
      const groups = (await local.ec2.send(new DescribeSecurityGroupsCommand())).SecurityGroups ?? [];
      const ours = groups.filter(({ GroupName }) => GroupName !== "default");
      const jobs = instances.filter(({ Tags = [] }) => Tags.some(({ Value }) => Value === "job"));
      return { states: jobs.map(({ State }) => State?.Name ?? "-"), rest: keys.length + ours.length };
    }

    test("runs, pushes, pulls; and is gone at the end of its scope, with all that was made for it", async () => {
      console = says("ok");
      const before = (await left()).rest;
      let id = "";
      {
        await using machine = await launchMachine({ ...options(), maxSeconds: 3600 });
        id = machine.id;
        expect(machine.outcome).toMatchObject({ result: "ok", services: ["web"] });
        expect(machine.address).toMatch(/^127\./);
        expect(await machine.run("echo out; echo err >&2; exit 3")).toEqual({
          stdout: "out\n",
          stderr: "err\n",
          status: 3,
        });
        expect((await machine.run(["printf", "%s|", "a b", "$HOME", "it's"])).stdout).toBe("a b|$HOME|it's|");
        expect((await machine.run("cat", { input: Buffer.from("in") })).stdout).toBe("in");
        writeFileSync(join(here, "numbers"), "2\n1\n");
        await machine.push(join(here, "numbers"), "~/");
        await machine.run("sort numbers >sorted");
        expect(await machine.pull("sorted", join(here, "sorted"))).toMatchObject({ files: 1, bytes: 4 });
        expect(readFileSync(join(here, "sorted"), "utf8")).toBe("1\n2\n");
        const { Reservations = [] } = await local.ec2.send(
          new DescribeInstancesCommand({ InstanceIds: [id] }),
        );
        const tags = new Map(Reservations[0]?.Instances?.[0]?.Tags?.map(({ Key, Value }) => [Key, Value]));
        expect(Date.parse(tags.get("bake-ami:expires") ?? "") - Date.now()).toBeLessThan(3_600_000);
        expect(tags.get("bake-ami:role")).toBe("job");
        const stopped = AbortSignal.abort();
        await expect(machine.run("true", { signal: stopped })).rejects.toMatchObject({ kind: "interrupted" });
      }
      expect(await left()).toEqual({ states: ["terminated"], rest: before });
      expect(events).toContainEqual(expect.objectContaining({ type: "deleted", what: "instance", id }));
    });

    test("a failed update ends the machine, and says why", async () => {
      console = says("failed");
      events = [];
      await expect(launchMachine(options())).rejects.toMatchObject({
        kind: "phase-failed",
        details: ["web: update: step 10.sh ended with status 3"],
      });
      expect(new Set((await left()).states)).toEqual(new Set(["terminated"]));
    });

    test("an error in the scope ends the machine too", async () => {
      console = says("ok");
      const work = async (): Promise<void> => {
        await using machine = await launchMachine(options());
        throw new Error(`on ${machine.id}`);
      };
      await expect(work()).rejects.toThrow(/^on i-/);
      expect(new Set((await left()).states)).toEqual(new Set(["terminated"]));
    });
  },
);

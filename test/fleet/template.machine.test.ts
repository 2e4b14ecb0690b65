import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { applyToMachine } from "../../src/launch/apply.ts";
import { makeBundle } from "../../src/bundle/index.ts";
import { bootMachine, noTestMachines, type TestMachine } from "../support/nspawn.ts";
import { failureOf } from "../support/failure.ts";
import { Project, sh } from "../phases/support.ts";
import { left, open, template } from "./template-world.ts";

const { signal } = new AbortController();

/** The trial's instance is of a cloud without virtual machines; what answers over SSH for it is a real machine. */
describe.skipIf(noTestMachines)(
  `verify steps of a version${noTestMachines === undefined ? "" : ` (${noTestMachines})`}`,
  () => {
    let machine: TestMachine;
    let project: Project;

    beforeAll(async () => {
      machine = await bootMachine();
      project = new Project({ "services/web/verify.sh": sh("echo looking; test -e /root/fine") });
      const plan = project.plan();
      const bundle = await makeBundle(plan);
      const run = "baked";
      await applyToMachine({ target: machine.ssh, plan, bundle, run, listener: () => undefined, signal });
    });
    afterAll(async () => {
      project[Symbol.dispose]();
      await machine[Symbol.asyncDispose]();
    });

    test("a version is kept only when they are content", async () => {
      await using world = await open();
      const trial = { waitSeconds: 60, reach: () => Promise.resolve(machine.ssh) };
      const error = await failureOf(template(world, { trial }));
      expect(error.kind).toBe("phase-failed");
      expect(error.message).toMatch(/^verify failed: step \S+ of web ended with status 1/);
      expect(error.details.join("\n")).toContain("looking");
      expect(await left(world)).toBe(" groups=0 keys=0 live=0");
      await machine.run("touch /root/fine");
      expect(await template(world, { trial })).toMatchObject({ version: 1, isDefault: true });
      expect(await left(world)).toBe("1* groups=1 keys=1 live=0");
      expect(world.events).toContainEqual(
        expect.objectContaining({ type: "stage-finished", stage: "verify" }),
      );
    });
  },
);

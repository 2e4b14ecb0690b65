import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { readOutcome } from "../../src/launch/outcome.ts";
import { writeRequest, type RequestLine } from "../../src/launch/request-lines.ts";
import { launchUserData } from "../../src/launch/user-data.ts";
import { noTestMachines, type TestMachine } from "../support/nspawn.ts";
import { fakeMetadata, type TestMetadata } from "./metadata.ts";
import { happened, machineWith, names, Project, runPhase, sh, type Happened } from "./support.ts";

const skipped = noTestMachines === undefined ? "" : ` (${noTestMachines})`;

const show = (name: string): string =>
  sh(
    `{ echo "$BAKE_PHASE port=$BAKE_PORT greeting=\${BAKE_GREETING-unset} extra=\${BAKE_EXTRA-unset}"; } >>/root/${name}`,
  );
const service = `parameters:
  port: {default: "80"}
  greeting: {default: hello, phase: update}
  extra: {phase: update}
`;
const files = {
  "services/web/service.yaml": service,
  "services/web/init.sh": show("web"),
  "services/web/update.sh": show("web"),
  "services/web/verify.sh": show("web"),
  "services/late/service.yaml": service,
  "services/late/init.sh": show("late"),
  "services/late/update.sh": show("late"),
};
const set = (of: string, parameter: string, value: string): RequestLine => ({
  kind: "set",
  service: of,
  parameter,
  value,
});

const asText = (lines: readonly RequestLine[]): string =>
  ["#cloud-config", ...writeRequest(lines), "{}", ""].join("\n");

async function launched(
  project: Project,
  metadata: TestMetadata,
  shell: "dash" | "bash" = "dash",
): Promise<TestMachine> {
  const machine = await machineWith(project.plan(), shell);
  await runPhase(machine, "init", ["--builder", "--metadata", metadata.url, "web"]);
  await machine.run("rm /var/lib/bake-ami/builder /root/web");
  return machine;
}

/** Boots it with this user data; returns what the boot hook did. */
async function bootWith(
  machine: TestMachine,
  metadata: TestMetadata,
  userData: string | Buffer | undefined,
): Promise<Happened> {
  metadata.facts.userData = userData;
  await machine.run("rm -f /root/web /root/late");
  await machine.reboot();
  await machine.booted();
  return await happened(machine);
}

describe.skipIf(noTestMachines)(`the launch request${skipped}`, () => {
  test.each(["dash", "bash"] as const)("values reach the steps of their phases, under %s", async (shell) => {
    using project = new Project(files);
    await using metadata = await fakeMetadata("late");
    await using machine = await launched(project, metadata, shell);
    const odd = 'it\'s "odd" $HOME `id` \\ \n\n ümläut 😀\t.';
    const lines = [
      set("web", "greeting", odd),
      set("late", "port", "99"),
      set("late", "greeting", ""),
      set("late", "extra", "more"),
    ];
    const first = await bootWith(machine, metadata, launchUserData({ lines }));
    expect(first.end).toMatchObject({ result: "ok" });
    expect(await machine.run("cat /root/web")).toBe(`update port=80 greeting=${odd} extra=unset\n`);
    // A late init gets what init uses, and no more than at a bake.
    expect(await machine.run("cat /root/late")).toBe(
      "init port=99 greeting=unset extra=unset\nupdate port=99 greeting= extra=more\n",
    );
    // Verify and later updates of the same boot have it too, and do not ask for the user data again.
    await machine.run("rm /root/web /root/late");
    await runPhase(machine, "verify");
    await runPhase(machine, "update", ["web"]);
    expect(await machine.run("cat /root/web")).toBe(
      `verify port=80 greeting=${odd} extra=unset\nupdate port=80 greeting=${odd} extra=unset\n`,
    );
    expect(metadata.asked.filter((asked) => asked.endsWith("/user-data"))).toHaveLength(1);
    expect((await machine.run("stat -c %a /run/bake-ami/launch")).trim()).toBe("700");

    // The next boot of a machine whose user data is gone has the image's own values.
    expect((await bootWith(machine, metadata, undefined)).end).toMatchObject({ result: "ok" });
    expect(await machine.run("cat /root/web")).toBe("update port=80 greeting=hello extra=unset\n");
  });

  test("it is found in every form that user data has", async () => {
    using project = new Project(files);
    await using metadata = await fakeMetadata();
    await using machine = await launched(project, metadata);
    const lines = [set("web", "extra", "found")];
    const script = Buffer.from("#!/bin/sh\necho hello\n");
    const long = Buffer.from(`#cloud-config\nwrite_files: []\n# ${"x".repeat(20_000)}\n`);
    const plain = Buffer.from(asText(lines));
    const forms: Record<string, Buffer> = {
      alone: plain,
      gzipped: gzipSync(plain),
      "beside a script": launchUserData({ lines, own: script }) ?? Buffer.alloc(0),
      "beside a gzipped script": launchUserData({ lines, own: gzipSync(script) }) ?? Buffer.alloc(0),
      "beside a long cloud-config": launchUserData({ lines, own: long }) ?? Buffer.alloc(0),
      "with line ends of the other kind": Buffer.from(plain.toString().replaceAll("\n", "\r\n")),
    };
    for (const [form, userData] of Object.entries(forms)) {
      const { end } = await bootWith(machine, metadata, userData);
      expect([form, end["result"]]).toEqual([form, "ok"]);
      expect([form, await machine.run("cat /root/web")]).toEqual([
        form,
        "update port=80 greeting=hello extra=found\n",
      ]);
    }
    // User data of others is left alone.
    for (const own of [script, Buffer.from([0, 1, 2, 255, 10, 0]), Buffer.from("")]) {
      expect((await bootWith(machine, metadata, own)).end).toMatchObject({ result: "ok" });
      expect(await machine.run("cat /root/web")).toBe("update port=80 greeting=hello extra=unset\n");
    }
  });

  test("one that cannot be used fails the run with the reason, which updates all the same", async () => {
    using project = new Project(files);
    await using metadata = await fakeMetadata();
    await using machine = await launched(project, metadata);
    const whole = asText([set("web", "extra", "a"), set("web", "port", "b")]);
    const cannot = "the launch: the launch request in the user data cannot be used: ";
    const cases: readonly (readonly [string | Buffer, string])[] = [
      [whole.slice(0, whole.indexOf("#bake-ami end")), `${cannot}it is cut: 2 lines of more`],
      [whole.replace(/#bake-ami set web port.*\n/, ""), `${cannot}it is cut: 1 lines of 2`],
      [whole.replace(/#bake-ami launch-request.*\n/, ""), `${cannot}its beginning is cut off`],
      [
        whole.replace("request 1", "request 2"),
        `${cannot}it is of version 2, and this image knows version 1`,
      ],
      [whole.replace("Yg==", "Y*=="), `${cannot}line 2 of it is damaged`],
      [whole.replace("set web", "set ../web"), `${cannot}line 1 of it is damaged`],
      [gzipSync(whole.repeat(9)).subarray(0, 60), "the launch: the user data is a damaged gzip archive"],
      [
        asText([set("wbe", "extra", "a")]),
        "the launch: it gives a parameter to wbe, which is no service of this machine's bundle",
      ],
    ];
    for (const [userData, reason] of cases) {
      const { end } = await bootWith(machine, metadata, userData);
      expect([reason, end["result"], end["failed"]]).toEqual([reason, "failed", "_launch-request"]);
      expect(readOutcome(await machine.console())?.reasons).toEqual([reason]);
      expect(await machine.run("cat /root/web")).toBe("update port=80 greeting=hello extra=unset\n");
    }
    // Later runs of the same boot say it again.
    expect((await runPhase(machine, "update")).end).toMatchObject({ failed: "_launch-request" });
    metadata.facts.enabled = false;
    await bootWith(machine, metadata, undefined);
    expect(readOutcome(await machine.console())?.reasons).toEqual([
      "the launch: the metadata service of this machine is switched off",
    ]);
  });

  test("what must have a value and has none fails its service", async () => {
    using project = new Project({
      "services/web/service.yaml": "parameters: {token: {required: true, phase: update}}\n",
      "services/web/init.sh": sh(": >/root/web"),
      "services/web/update.sh": sh('echo "$BAKE_TOKEN" >/root/web'),
    });
    await using metadata = await fakeMetadata();
    await using machine = await launched(project, metadata);
    expect((await bootWith(machine, metadata, undefined)).end).toMatchObject({ failed: "web" });
    expect(readOutcome(await machine.console())?.reasons).toEqual([
      "web: update: its parameter token must have a value and has none",
    ]);
    const lines = [set("web", "token", "given")];
    const given = await bootWith(machine, metadata, launchUserData({ lines }));
    expect(given.end).toMatchObject({ result: "ok" });
    // Each event says whose it is, at both boots.
    expect(names(given, "service-finished", "update")).toEqual(["web", "web"]);
    expect(await machine.run("cat /root/web")).toBe("given\n");
  });
});

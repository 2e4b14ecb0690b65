import { spawnSync } from "node:child_process";
import { describe, expect, test } from "vitest";
import { sealCommand } from "../../src/machine/remote.ts";
import { Machine } from "../../src/machine/machine.ts";
import { readOutcome } from "../../src/launch/outcome.ts";
import { launchUserData } from "../../src/launch/user-data.ts";
import { freePort, noTestMachines, type TestMachine } from "../support/nspawn.ts";
import { fakeMetadata, type RoleKeys, type TestMetadata } from "./metadata.ts";
import { parameterStore, type ParameterStore } from "./parameter-store.ts";
import { consoleSays, happened, machineWith, Project, runPhase, sh, status } from "./support.ts";

const skipped = noTestMachines === undefined ? "" : ` (${noTestMachines})`;
const keys: RoleKeys = {
  accessKeyId: "ASIATESTTESTTEST",
  secretAccessKey: "KEY-OF-THE-ROLE-1f0e",
  token: "TOKEN-OF-THE-ROLE-77aa",
};
const never = new AbortController().signal;

/** The values are compared, not printed: what a step prints is in the journal for good. */
const project = (): Project =>
  new Project({
    "services/web/service.yaml":
      'parameters: {token: {secret: true, from: "ssm:/app/token"}, other: {secret: true}, plain: {default: a, phase: update}}\n',
    "services/web/init.sh": sh('test -z "${BAKE_TOKEN-}"'),
    "services/web/update.sh": sh(
      'printf %s "$BAKE_TOKEN" | sha256sum; printf %s "${BAKE_OTHER-}" | sha256sum; ps axww >/root/ps; test -z "${ssm_value-}${aws_secret-}"',
    ),
    "services/web/verify.sh": sh('printf %s "$BAKE_TOKEN" | sha256sum'),
    "services/plain/update.sh": sh('test -z "${BAKE_TOKEN-}"; echo plain >>/root/plain'),
  });

const sha256 = (text: string): string => spawnSync("sha256sum", { input: text, encoding: "utf8" }).stdout;

async function launched(
  of: Project,
  metadata: TestMetadata,
  store: ParameterStore,
  shell: "dash" | "bash" = "dash",
): Promise<TestMachine> {
  const machine = await machineWith(of.plan(), shell);
  await machine.run(
    "mkdir -p /etc/systemd/system.conf.d; cat >/etc/systemd/system.conf.d/endpoint.conf; systemctl daemon-reexec",
    `[Manager]\nDefaultEnvironment=AWS_ENDPOINT_URL=${store.url}\n`,
  );
  const init = await runPhase(machine, "init", ["--builder", "--metadata", metadata.url, "web", "plain"]);
  expect(init.end).toMatchObject({ result: "ok" });
  await machine.run("rm /var/lib/bake-ami/builder");
  return machine;
}

describe.skipIf(noTestMachines)(`secrets${skipped}`, () => {
  test.each(["dash", "bash"] as const)(
    "reach the steps of update and verify, and nothing else; none is in the next image, under %s",
    async (shell) => {
      using catalog = project();
      await using metadata = await fakeMetadata(undefined, { role: keys });
      await using store = await parameterStore(keys);
      await using machine = await launched(catalog, metadata, store, shell);
      const token = 'SECRET-OF-THE-IMAGE "quoted"\nwith lines\n';
      store.values.set("/app/token", token);
      store.values.set("/launch/other", "SECRET-OF-THE-LAUNCH");
      metadata.facts.userData = launchUserData({
        own: Buffer.from("#!/bin/sh\n# USER-DATA-OF-THE-USER\n"),
        lines: [
          { kind: "secret", service: "web", parameter: "other", name: "/launch/other" },
          { kind: "set", service: "web", parameter: "plain", value: "VALUE-OF-THE-LAUNCH" },
          { kind: "channel-url", url: "http://127.0.0.1:1/PRESIGNED-SIGNATURE" },
        ],
      });
      await machine.reboot();
      await machine.booted();
      const update = await happened(machine);
      expect(update.end).toMatchObject({ phase: "update", result: "ok" });
      expect(update.output.get("web")?.toString()).toBe(`${sha256(token)}${sha256("SECRET-OF-THE-LAUNCH")}`);
      const verify = await runPhase(machine, "verify");
      expect(verify.end).toMatchObject({ result: "ok" });
      expect(verify.output.get("web")?.toString()).toBe(sha256(token));

      const words = ["SECRET-OF-THE", keys.secretAccessKey, keys.token];
      const everywhere = async (): Promise<string> =>
        await machine.run(
          `for word in ${words.join(" ")}; do
            grep -rlaF -- "$word" /var /run /opt /etc /root /tmp /home /dev/shm 2>/dev/null || :
            journalctl --all --output=export | grep -aF -- "$word" || :
            cat /root/ps | grep -F -- "$word" || :
            ps axeww | grep -v grep | grep -F -- "$word" || :
          done`,
        );
      await machine.run("echo SECRET-OF-THE-CONTROL >/root/control");
      expect(await everywhere()).toBe("/root/control\n");
      await machine.run("rm /root/control");
      for (const word of [...words, "PRESIGNED-SIGNATURE"])
        expect(await machine.console()).not.toContain(word);
      expect(update.messages.join()).not.toMatch(/SECRET|PRESIGNED/);

      // cloud-init keeps what it was given; done by hand here.
      await machine.run(
        `mkdir -p /var/lib/cloud/instances/i-0123/scripts /var/lib/cloud/data
        for copy in user-data.txt user-data.txt.i cloud-config.txt scripts/part-001; do
          echo '#bake-ami set web plain VALUE-OF-THE-LAUNCH PRESIGNED-SIGNATURE USER-DATA-OF-THE-USER' >/var/lib/cloud/instances/i-0123/$copy
        done
        ln -s instances/i-0123 /var/lib/cloud/instance
        echo VALUE-OF-THE-LAUNCH >/var/log/cloud-init-output.log; echo VALUE-OF-THE-LAUNCH >/var/log/cloud-init.log`,
      );
      await using session = new Machine(machine.ssh, { deadlineSeconds: 20 });
      await session.connect(never);
      expect(await session.exec(sealCommand("admin"), { signal: never })).toMatchObject({
        status: 0,
        stderr: "",
      });
      expect((await machine.exec("ls /run/bake-ami/launch")).status).toBe(2);
      await session[Symbol.asyncDispose]();
      await machine.stop();
      for (const word of [...words, "VALUE-OF-THE-LAUNCH", "PRESIGNED-SIGNATURE", "USER-DATA-OF-THE-USER"]) {
        const { stdout } = spawnSync("grep", ["-rlaF", "--", word, machine.changes], { encoding: "utf8" });
        expect([word, stdout]).toEqual([word, ""]);
      }
    },
  );

  test("that cannot be resolved fail their service with one clear reason; the others go on", async () => {
    using catalog = project();
    await using metadata = await fakeMetadata();
    await using store = await parameterStore(keys);
    await using machine = await launched(catalog, metadata, store);
    const reasonOf = async (): Promise<string> => {
      await machine.run("rm -f /root/plain");
      const update = await runPhase(machine, "update");
      expect(update.end).toMatchObject({ result: "failed", failed: "web" });
      expect(await machine.run("cat /root/plain")).toBe("plain\n");
      const run = update.end["run"] ?? "";
      await consoleSays(machine, `bake-ami: phase=update run=${run} `);
      const [reason = "", ...more] = readOutcome(await machine.console())?.reasons ?? [];
      expect(more).toEqual([]);
      expect(update.messages).toContain(reason.replace("web: update: ", "web: "));
      return reason.replace("web: update: parameter /app/token: ", "");
    };
    expect(await reasonOf()).toBe("this machine has no role (no instance profile)");
    metadata.facts.role = keys;
    expect(await reasonOf()).toBe("no such parameter");
    store.values.set("/app/token", new Error("no"));
    expect(await reasonOf()).toMatch(/^access denied \(the machine's role may not ssm:GetParameter it/);
    store.values.set("/app/token", "there");
    metadata.facts.role = { ...keys, token: "another" };
    expect(await reasonOf()).toBe("InvalidSignatureException: another token");
    metadata.facts.role = keys;
    const port = await freePort();
    await machine.run(
      `echo '[Manager]
DefaultEnvironment=AWS_ENDPOINT_URL=http://127.0.0.1:${port}' >/etc/systemd/system.conf.d/endpoint.conf; systemctl daemon-reexec`,
    );
    expect(await reasonOf()).toMatch(new RegExp(`^no answer from 127.0.0.1:${port}: Failed to connect`));
    expect(await status(machine, "update")).toMatchObject({ failed: "web" });
  });
});

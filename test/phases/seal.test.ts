import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync, statSync, existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { sealCommand } from "../../src/machine/remote.ts";
import { Machine } from "../../src/machine/machine.ts";
import { noTestMachines } from "../support/nspawn.ts";
import { happened, install, machineWith, Project, runPhase, sh } from "./support.ts";

const skipped = noTestMachines === undefined ? "" : ` (${noTestMachines})`;
const never = new AbortController().signal;

const signers = ["ssh-ed25519 AAAAfirst", "ssh-ed25519 AAAAsecond"];

/** What a bake and the people at it leave on a machine, each with a word that must not be found again. */
const traces = `
  secret=SECRET-OF-THE-BUILDER
  mkdir -p /home/admin/.ssh /root/.ssh /var/lib/cloud/instances/i-1 /var/lib/cloud/scripts/per-boot /var/lib/dhcp \\
    /var/log/app /var/cache/dnf/x /var/lib/apt/lists/partial /var/lib/systemd/coredump "/var/tmp/with blank" \\
    /var/lib/local-cloud
  useradd --create-home --home-dir /srv/second second
  mkdir -p /srv/second/.ssh
  for file in /root/.ssh/authorized_keys /srv/second/.ssh/authorized_keys /root/.bash_history /home/admin/.bash_history \\
    /root/.python_history /var/lib/cloud/instances/i-1/user-data.txt /var/lib/dhcp/dhclient.eth0.leases \\
    /var/log/messages /var/log/messages-20260101 /var/log/syslog.1 /var/log/app/app.log /var/log/cloud-init.log \\
    /var/lib/apt/lists/mirror_Packages /var/cache/dnf/x/y /tmp/.hidden "/tmp/with blank" "/var/tmp/with blank/x" \\
    /var/lib/systemd/random-seed /var/log/btmp /etc/ssh/ssh_host_rsa_key /var/lib/systemd/coredump/core \\
    /var/lib/local-cloud/user-data /var/lib/local-cloud/boot-commands; do
    echo "$secret" >"$file"
  done
  ln -s instances/i-1 /var/lib/cloud/instance
  chown 1000 /var/log/app/app.log
  echo kept >/var/lib/cloud/scripts/per-boot/kept
  echo kept >/root/kept; mkdir -p /etc/sudoers.d; echo '# kept' >/etc/sudoers.d/90-kept
`;

describe.skipIf(noTestMachines)(`seal${skipped}`, () => {
  test.each(["dash", "bash"] as const)(
    "leaves nothing of the builder, keeps its session, and survives the shutdown, under %s",
    async (shell) => {
      using project = new Project({
        "services/web/init.sh": sh("echo init >>/root/trace; echo printed"),
        "services/web/update.sh": sh("echo update >>/root/trace"),
      });
      await using host = await machineWith(project.plan(), shell);
      const machineId = (await host.run("cat /etc/machine-id")).trim();
      expect(machineId).toMatch(/^[0-9a-f]{32}$/);
      await using machine = new Machine(host.ssh, { deadlineSeconds: 20 });
      await machine.connect(never);
      await runPhase(host, "init", ["--builder", "--metadata", "none", "web"], "run-of-the-bake");
      project.write({ "services/more/init.sh": sh("true") });
      const digest = await install(host, project.plan());
      await host.run(traces);

      const begun = performance.now();
      const sealed = await machine.exec(sealCommand("admin", signers), { signal: never });
      console.log(`seal: ${Math.round(performance.now() - begun)} ms`);
      expect(sealed).toEqual({ status: 0, stdout: "", stderr: "" });
      expect((await machine.exec("sudo -n id -u", { signal: never })).stdout).toBe("0\n");
      await machine[Symbol.asyncDispose]();
      await host.stop();

      const tree = (path: string): string => join(host.root, path);
      const found = (pattern: string): string =>
        spawnSync("grep", ["-rlaF", "--", pattern, host.changes], { encoding: "utf8" }).stdout;
      expect(found("SECRET-OF-THE-BUILDER")).toBe("");
      expect(found(machineId)).toBe("");
      expect(found("run-of-the-bake")).toBe("");
      expect(found(host.loginKey.publicKey.split(" ")[1] ?? "")).toBe("");
      expect(statSync(tree("etc/machine-id")).size).toBe(0);
      expect(readdirSync(tree("etc/ssh")).filter((name) => name.startsWith("ssh_host_"))).toEqual([]);
      for (const directory of [
        "tmp",
        "var/tmp",
        "var/log/journal",
        "var/log/bake-ami",
        "var/lib/bake-ami/reboot",
      ]) {
        expect(readdirSync(tree(directory)), directory).toEqual([]);
      }
      for (const path of [
        "var/log/wtmp",
        "var/log/btmp",
        "var/log/lastlog",
        "etc/hostname",
        "var/lib/systemd/random-seed",
        "var/lib/cloud/instance",
      ]) {
        expect(existsSync(tree(path)), path).toBe(false);
      }
      const full = spawnSync("find", [tree("var/log"), "-type", "f", "-size", "+0"], { encoding: "utf8" });
      expect(full.stdout).toBe("");
      expect(statSync(tree("var/log/app/app.log"))).toMatchObject({ size: 0, uid: 1000 });
      expect(readdirSync(tree("opt/bake-ami/bundles"))).toEqual([digest]);
      const state = spawnSync("find", [tree("var/lib/bake-ami"), "-type", "f", "-printf", "%P\n"], {
        encoding: "utf8",
      });
      expect(state.stdout.trim().split("\n").sort()).toEqual([
        expect.stringMatching(/^init\/web@[0-9a-f]{16}$/),
        "metadata",
        "services",
      ]);
      expect(readFileSync(tree("etc/bake-ami/signers"), "utf8")).toBe(
        signers.map((key) => `bake-ami ${key}\n`).join(""),
      );
      for (const path of ["root/kept", "etc/sudoers.d/90-kept", "var/lib/cloud/scripts/per-boot/kept"]) {
        expect(readFileSync(tree(path), "utf8"), path).toContain("kept");
      }

      // The next boot is another machine's: what cloud-init does there, done by hand here.
      await writeFile(tree("etc/ssh/ssh_host_ed25519_key"), host.hostKey.privateKey.reveal(), {
        mode: 0o600,
      });
      await host.start();
      await host.booted();
      const next = await happened(host);
      expect(next.end).toMatchObject({ phase: "update", result: "ok" });
      expect(await host.run("cat /root/trace")).toBe("init\nupdate\n");
      const newId = (await host.run("cat /etc/machine-id")).trim();
      expect(newId).not.toBe(machineId);
      expect(await host.run("ls /var/log/journal")).toBe(`${newId}\n`);
    },
  );

  test("names what it could not remove, and fails", async () => {
    using project = new Project({ "services/web/init.sh": sh("true") });
    await using host = await machineWith(project.plan());
    await host.run(
      "mkdir /tmp/held; mount -t tmpfs tmpfs /tmp/held; mkdir -p /root/.ssh/authorized_keys; mount -t tmpfs tmpfs /root/.ssh/authorized_keys",
    );
    const result = await host.exec("/opt/bake-ami/current/bin/seal");
    expect(result.status).toBe(1);
    expect(result.stderr).toContain("the seal left this behind:");
    expect(result.stderr).toContain("/tmp/held");
    expect(result.stderr).toContain("/root/.ssh/authorized_keys");
  });
});

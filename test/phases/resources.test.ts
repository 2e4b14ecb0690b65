import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { noTestMachines, type TestMachine } from "../support/nspawn.ts";
import { install, machineWith, Project, runPhase, sh } from "./support.ts";

const skipped = noTestMachines === undefined ? "" : ` (${noTestMachines})`;

const unit = (description: string): string =>
  `[Unit]\nDescription=${description}\n[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n`;

const yaml = String.raw`
groups: [web, {name: data, gid: 1600}]
users:
  - web
  - name: deploy
    uid: 1601
    group: data
    groups: [web]
    shell: /bin/bash
    home: /srv/deploy
    authorizedKeys: ["ssh-ed25519 AAAA one", "ssh-ed25519 BBBB it's two"]
sources:
  - {file: app.tar.gz, to: /opt/app, strip: 1, owner: deploy}
files:
  - {path: /etc/app/app.conf, source: app.conf, template: true, phase: update, owner: deploy, group: web, mode: "0640"}
  - {path: /etc/app/banner, content: "tab\there \\n and {{ title }}\n"}
  - {path: /etc/systemd/system/app.service, source: app.service}
  - {path: /etc/systemd/system/other.service, source: app.service}
  - {path: /usr/local/bin/app, link: /opt/app/bin/app}
commands:
  - run: "echo one >>/root/one; echo $LEVEL $PWD"
    test: "[ ! -e /root/one ]"
    cwd: /srv
    env: {LEVEL: "it's info"}
  - {run: "exit 3", ignoreErrors: true}
  - {name: list, run: [touch, "/root/a b"]}
  - {run: "echo updated >>/root/updated", phase: update}
units:
  - {name: app.service, restartOn: [/etc/app/app.conf, /opt/app]}
  - {name: other.service, enabled: false}
  - {name: sleep.target, masked: true}
parameters: {title: {default: "a & b", phase: update}}
`;

/** An archive with app/bin/app and app/version. */
function archive(directory: string, version: string): void {
  const root = join(directory, "archive", "app");
  mkdirSync(join(root, "bin"), { recursive: true });
  writeFileSync(join(root, "bin/app"), "#!/bin/sh\necho app\n", { mode: 0o755 });
  writeFileSync(join(root, "version"), version);
  const target = join(directory, "services/web/files/app.tar.gz");
  mkdirSync(dirname(target), { recursive: true });
  execFileSync("tar", ["-czf", target, "-C", dirname(root), "app"]);
}

async function changes(machine: TestMachine, phase: "init" | "update"): Promise<string[]> {
  const happened = await runPhase(
    machine,
    phase,
    phase === "init" ? ["--builder", "--metadata", "none", "web"] : [],
  );
  const output = happened.output.get("web")?.toString() ?? "";
  expect(happened.end, output).toMatchObject({ result: "ok" });
  return output.split("\n").filter((line) => /^(changed|restarting)/.test(line));
}

test.skipIf(noTestMachines)(`each declared resource is made, and made once${skipped}`, async () => {
  using project = new Project({
    "services/web/service.yaml": yaml,
    "services/web/files/app.conf": "title={{title}} and {{ title }}; {{not a name}}\n",
    "services/web/files/app.service": unit("app"),
    "services/web/init/10-look.sh": sh("id -un deploy; cat /opt/app/version; cat /etc/app/banner"),
  });
  archive(project.directory, "1\n");
  await using machine = await machineWith(project.plan());

  expect(await changes(machine, "init")).toEqual([
    "changed group web",
    "changed group data",
    "changed user web",
    "changed user deploy",
    "changed archive /opt/app",
    "changed file /etc/app/banner",
    "changed file /etc/systemd/system/app.service",
    "changed file /etc/systemd/system/other.service",
    "changed link /usr/local/bin/app",
  ]);
  expect(
    await machine.run("id deploy; getent passwd deploy; /usr/local/bin/app; cat /root/one; ls /root"),
  ).toBe(
    "uid=1601(deploy) gid=1600(data) groups=1600(data),1000(web)\n".replace(
      "1000(web)",
      (await machine.run("getent group web | cut -d: -f3")).trim() + "(web)",
    ) + "deploy:x:1601:1600::/srv/deploy:/bin/bash\napp\none\na b\none\n",
  );
  expect(await machine.run("cat /etc/app/banner")).toBe("tab\there \\n and {{ title }}\n");
  expect(await machine.run("stat -c '%U %a' /opt/app/version /etc/app/banner")).toBe(
    "deploy 644\nroot 644\n",
  );
  expect(await machine.run("systemctl is-enabled app.service other.service sleep.target || :")).toBe(
    "enabled\ndisabled\nmasked\n",
  );
  expect(await machine.run("systemctl is-active app.service other.service || :")).toBe("active\ninactive\n");
  const started = await machine.run("systemctl show --property=ActiveEnterTimestampMonotonic app.service");

  const firstUpdate = await changes(machine, "update");
  expect(firstUpdate).toEqual([
    "changed keys of deploy",
    "changed file /etc/app/app.conf",
    "restarting app.service",
  ]);
  expect(await machine.run("cat /etc/app/app.conf; stat -c '%U %G %a' /etc/app/app.conf")).toBe(
    "title=a & b and a & b; {{not a name}}\ndeploy web 640\n",
  );
  expect(
    await machine.run(
      "cat /srv/deploy/.ssh/authorized_keys; stat -c '%U %a' /srv/deploy/.ssh/authorized_keys",
    ),
  ).toBe("ssh-ed25519 AAAA one\nssh-ed25519 BBBB it's two\ndeploy 600\n");
  expect(await machine.run("systemctl show --property=ActiveEnterTimestampMonotonic app.service")).not.toBe(
    started,
  );
  expect(await changes(machine, "update")).toEqual([]);

  // Once more from the start, on the machine as it is: nothing is left to change.
  await machine.run("rm /var/lib/bake-ami/init/web@*");
  expect(await changes(machine, "init")).toEqual([]);
  expect(await machine.run("cat /root/one /root/updated")).toBe("one\nupdated\nupdated\n");

  // Another content of the archive replaces all of the old one; a unit that goes by it starts again.
  archive(project.directory, "2\n");
  await machine.run("echo mine >/opt/app/mine");
  await install(machine, project.plan());
  expect(await changes(machine, "init")).toEqual(["changed archive /opt/app", "restarting app.service"]);
  expect(await machine.run("cat /opt/app/version; ls /opt/app")).toBe("2\nbin\nversion\n");
});

test.skipIf(noTestMachines)(`what fails leaves what was there, and says what it was${skipped}`, async () => {
  using project = new Project({
    "services/web/service.yaml": [
      "files:",
      "  - {path: /etc/app.conf, source: app.conf, template: true, phase: update}",
      "parameters: {title: {phase: update}}",
      "",
    ].join("\n"),
    "services/web/files/app.conf": "one\ntitle={{title}}\n",
  });
  await using machine = await machineWith(project.plan());
  await machine.run("echo before >/etc/app.conf");
  await runPhase(machine, "init", ["--builder", "--metadata", "none", "web"]);
  const happened = await runPhase(machine, "update");
  expect(happened.end).toMatchObject({ result: "failed", failed: "web" });
  expect(happened.output.get("web")?.toString()).toContain(
    "/etc/app.conf has {{title}} in line 2, and the parameter title has no value",
  );
  expect(await machine.run("cat /etc/app.conf; ls -a /etc | grep bake-ami-new || :")).toBe("before\n");
  expect(readFileSync(join(project.directory, "services/web/files/app.conf"), "utf8")).toContain("{{title}}");
});

test.skipIf(noTestMachines)(
  `units wait for their service's update at every boot, timers run${skipped}`,
  async () => {
    const answer = (word: string): string =>
      `[Unit]\nDescription=${word}\n[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/sh -c 'cat /run/updated >>/root/${word}'\n[Install]\nWantedBy=multi-user.target\n`;
    using project = new Project({
      "services/late/service.yaml": String.raw`
units: [late.service]
files: [{path: /etc/systemd/system/late.service, source: late.service}]
timers:
  - {name: tick, schedule: "*-*-* *:*:0/1", run: 'printf "%s\n" "$WORD" "$(id -un)" >/tmp/tick', env: {WORD: 'a "{{word}}" $x \'}, user: nobody}
parameters: {word: {default: b, phase: update}}
`,
      "services/late/files/late.service": answer("late"),
      "services/late/update.sh": sh("sleep 1; echo updated >/run/updated"),
      "services/soon/service.yaml":
        "units: [soon.service]\nfiles: [{path: /etc/systemd/system/soon.service, source: soon.service}]\n",
      "services/soon/files/soon.service": answer("soon").replace("cat /run/updated", "echo soon"),
    });
    await using machine = await machineWith(project.plan());
    await machine.run("echo init >/run/updated");
    const init = await runPhase(machine, "init", ["--builder", "--metadata", "none", "late", "soon"]);
    expect(init.end).toMatchObject({ result: "ok" });
    expect(await machine.run("cat /root/late")).toBe("init\n");
    await machine.run("rm /var/lib/bake-ami/builder");
    await machine.reboot();
    await machine.booted();
    const look =
      "for i in 1 2 3 4 5 6 7 8 9; do [ ! -e /tmp/tick ] || break; sleep 0.5; done; cat /root/late /root/soon /tmp/tick";
    expect(await machine.run(look)).toBe('init\nupdated\nsoon\nsoon\na "b" $x \\\nnobody\n');
    expect(
      await machine.run(
        "systemctl is-active tick.timer late.service; ls /etc/systemd/system/soon.service.d 2>&1 || :",
      ),
    ).toContain("active\nactive\n");
    // What the update does not end well with, does not start.
    await machine.run(
      "rm /root/late; printf '#!/bin/sh\\nexit 1\\n' >/opt/bake-ami/current/services/late/dir/update.sh",
    );
    await machine.reboot();
    await machine.booted();
    expect(await machine.run("cat /root/late 2>&1 || :; systemctl is-active late.service || :")).toContain(
      "inactive",
    );
  },
);

import { existsSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { noTestMachines } from "../support/nspawn.ts";
import { fakeMetadata } from "./metadata.ts";
import { happened, machineWith, Project, runPhase } from "./support.ts";

/** Test machines share this computer's network, and the services want their own ports. */
const portsInUse = [80, 443].some(isListenedOn);
const why = noTestMachines ?? (portsInUse ? "ports 80 and 443 are in use here" : undefined);

test.skipIf(why)(
  `the built-in services do what they say${why === undefined ? "" : ` (${why})`}`,
  async () => {
    using project = new Project({});
    await using machine = await machineWith(project.plan(true));
    await using metadata = await fakeMetadata("hello-cert");
    const init = await runPhase(machine, "init", ["--builder", "--metadata", metadata.url, "hello-web"]);
    expect(
      init.end,
      [...init.output].map(([name, text]) => `${name}:\n${text.toString()}`).join("\n"),
    ).toMatchObject({
      result: "ok",
    });
    await machine.run("rm /var/lib/bake-ami/builder");
    await machine.reboot();
    await machine.booted();
    const boot = await happened(machine);
    expect(boot.end).toMatchObject({ phase: "update", result: "ok" });
    const page = await machine.run("curl -sS --fail http://127.0.0.1/");
    expect(page).toContain("<dd>i-0123</dd>");
    expect(page).toContain("<dd>ami-4567</dd>");
    expect(page).toMatch(/<dd>20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ<\/dd>/);
    const certificate = await machine.run("openssl x509 -in /etc/nginx/hello-cert.crt -noout -text");
    expect(certificate).toContain("DNS:testmachine");
    expect((await runPhase(machine, "verify")).end).toMatchObject({ result: "ok" });

    // A second update keeps the certificate; another name gets another.
    const again = await runPhase(machine, "update");
    expect(again.output.get("hello-cert")?.toString()).toBe(
      "the certificate for testmachine is still good\n",
    );
    await machine.run("hostname another.example");
    const renamed = await runPhase(machine, "update");
    expect(renamed.output.get("hello-cert")?.toString()).toContain("a new certificate for another.example\n");
    expect((await runPhase(machine, "verify")).end).toMatchObject({ result: "ok" });

    await machine.run("echo none >/var/lib/bake-ami/metadata");
    await runPhase(machine, "update", ["hello-web"]);
    expect(await machine.run("curl -sS --fail http://127.0.0.1/")).toContain("(no metadata service)");
  },
);

/** Whether anything listens on the port, at whatever address. */
function isListenedOn(port: number): boolean {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  return ["/proc/net/tcp", "/proc/net/tcp6"]
    .filter((path) => existsSync(path))
    .flatMap((path) => readFileSync(path, "utf8").split("\n"))
    .map((line) => line.trim().split(/\s+/))
    .some(([, local, , state]) => state === "0A" && local?.endsWith(suffix) === true);
}

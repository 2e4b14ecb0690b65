import { CreateBucketCommand, GetObjectCommand, ListObjectsV2Command } from "@aws-sdk/client-s3";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { writeRequest, type RequestLine } from "../../src/launch/request-lines.ts";
import { freePort, noTestMachines, type TestMachine } from "../support/nspawn.ts";
import { newObjects, presign, serveObjects, type Objects, type ServedObjects } from "../support/s3.ts";
import { fakeMetadata, type RoleKeys, type TestMetadata } from "./metadata.ts";
import { consoleSays, happened, machineWith, Project, runPhase, sh } from "./support.ts";

const skipped = noTestMachines === undefined ? "" : ` (${noTestMachines})`;
const Bucket = "logs";
const role: RoleKeys = { accessKeyId: "local", secretAccessKey: "local", token: "" };

describe.skipIf(noTestMachines)(`the upload of an update's log${skipped}`, () => {
  let objects: Objects;
  let served: ServedObjects;
  let metadata: TestMetadata;
  let machine: TestMachine;

  beforeAll(async () => {
    objects = await newObjects();
    served = await serveObjects(objects);
    await served.s3.send(new CreateBucketCommand({ Bucket }));
    metadata = await fakeMetadata(undefined, { launchIndex: 2 });
    using project = new Project({
      "services/web/init.sh": sh("true"),
      "services/web/update.sh": sh("echo what the step printed; test ! -e /root/fail"),
    });
    machine = await machineWith(project.plan());
    await runPhase(machine, "init", ["--builder", "--metadata", metadata.url, "web"]);
    await machine.run(
      "rm /var/lib/bake-ami/builder; mkdir -p /etc/systemd/system.conf.d; cat >/etc/systemd/system.conf.d/endpoint.conf",
      `[Manager]\nDefaultEnvironment=AWS_ENDPOINT_URL=${served.url}\n`,
    );
  });
  afterAll(async () => {
    await machine[Symbol.asyncDispose]();
    await metadata[Symbol.asyncDispose]();
    await served[Symbol.asyncDispose]();
    await objects[Symbol.asyncDispose]();
  });

  const url = async (name: string, at = new Date()): Promise<string> =>
    await presign(served.s3, { method: "PUT", url: `${served.url}/${Bucket}/run/${name}`, seconds: 60, at });
  const logUrl = (index: number, text: string): RequestLine => ({
    kind: "log-url",
    index,
    name: "update.log",
    url: text,
  });
  const textOf = async (key: string): Promise<string> =>
    (await (await served.s3.send(new GetObjectCommand({ Bucket, Key: key }))).Body?.transformToString()) ??
    "";
  const keys = async (): Promise<string[]> =>
    ((await served.s3.send(new ListObjectsV2Command({ Bucket }))).Contents ?? []).map(({ Key = "" }) => Key);
  /** Boots with this request, and waits until the console has this line about the log. */
  const boot = async (instance: string, lines: readonly RequestLine[], line: string): Promise<string> => {
    metadata.facts.instanceId = instance;
    metadata.facts.userData = writeRequest(lines).join("\n");
    await machine.run("rm -rf /run/bake-ami/launch");
    await machine.reboot();
    await machine.booted();
    await consoleSays(machine, line, 20);
    return (await happened(machine)).end["run"] ?? "";
  };

  test("by presigned URL, the one of its launch index", async () => {
    const lines = [logUrl(0, await url("0/update.log")), logUrl(2, await url("2/update.log"))];
    const run = await boot("i-1", lines, "bake-ami: log name=update.log result=ok reason=-");
    expect(await keys()).toEqual(["run/2/update.log"]);
    const log = await textOf("run/2/update.log");
    expect(log).toContain("what the step printed");
    expect(log).toContain("bake-ami-update@web.service");
    expect(log).toContain(`event=phase-finished phase=update run=${run} result=ok`);
    // It is the last line of all: nothing waited for it.
    const console = await machine.console();
    expect(console.indexOf(`bake-ami: phase=update run=${run} `)).toBeLessThan(
      console.lastIndexOf("bake-ami: log name="),
    );
  });

  test("by role: of the first boot, and of later ones; also of a failed update", async () => {
    metadata.facts.role = role;
    const lines: RequestLine[] = [{ kind: "log", url: `s3://${Bucket}/by-role/run/` }];
    await machine.run("touch /root/fail");
    const run = await boot("i-2", lines, "bake-ami: log name=update.log result=ok reason=-");
    expect(await textOf("by-role/run/2/update.log")).toContain(
      `event=phase-finished phase=update run=${run} result=failed`,
    );
    await machine.run("rm /root/fail");
    const before = await keys();
    await boot("i-2", lines, "bake-ami: log name=update-2");
    const [added = ""] = (await keys()).filter((key) => !before.includes(key));
    expect(added).toMatch(/^by-role\/run\/2\/update-\d{8}T\d{6}Z\.log$/);
    await consoleSays(machine, `bake-ami: log name=${added.split("/").at(-1) ?? ""} result=ok reason=-`);
  });

  test("what goes wrong is said on the console, and neither fails the boot nor holds it up", async () => {
    const failed = "bake-ami: log name=update.log result=failed reason=";
    metadata.facts.role = { ...role, secretAccessKey: "wrong" };
    const place = (bucket: string): RequestLine[] => [{ kind: "log", url: `s3://${bucket}/x/` }];
    await boot("i-3", place(Bucket), `${failed}access denied: the signature does not match`);
    metadata.facts.role = role;
    await boot("i-4", place("no-bucket"), `${failed}there is no such bucket`);
    metadata.facts.role = undefined;
    await boot("i-5", place(Bucket), `${failed}this machine has no role (no instance profile)`);
    const expired = await url("2/update.log", new Date(Date.now() - 3600_000));
    const run = await boot("i-6", [logUrl(2, expired)], `${failed}the URL has expired`);
    await consoleSays(machine, `bake-ami: phase=update run=${run} result=ok`);
    expect((await machine.run("systemctl show -P Result bake-ami-update.service")).trim()).toBe("success");

    const nowhere = `http://127.0.0.1:${await freePort()}/x`;
    metadata.facts.instanceId = "i-7";
    metadata.facts.userData = writeRequest([logUrl(2, nowhere)]).join("\n");
    await machine.reboot();
    const begun = Date.now();
    await machine.run(
      "until systemctl show -P ActiveState,SubState bake-ami-update.service | grep -qx dead && systemctl show -P ExecMainExitTimestampMonotonic bake-ami-update.service | grep -qv '^0$'; do sleep 0.1; done",
    );
    expect(Date.now() - begun).toBeLessThan(10_000);
    expect((await machine.run("systemctl list-units --no-legend 'bake-ami-log@*'")).trim()).toContain(
      "activating",
    );
    // Without a request nothing is uploaded.
    metadata.facts.userData = undefined;
    const before = await keys();
    await machine.reboot();
    await machine.booted();
    expect((await machine.run("systemctl list-units --all --no-legend 'bake-ami-log@*'")).trim()).toBe("");
    expect(await keys()).toEqual(before);
  });
});

import { writeFile, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { CreateBucketCommand, DeleteObjectCommand, PutObjectCommand } from "@aws-sdk/client-s3";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { makeBundle, type Bundle } from "../../src/bundle/index.ts";
import { freePort, noTestMachines, type TestMachine } from "../support/nspawn.ts";
import { newObjects, presign, serveObjects, type Objects, type ServedObjects } from "../support/s3.ts";
import { channelObject, headOf, SigningKey, type HeadChanges } from "./channel.ts";
import { fakeMetadata, type RoleKeys, type TestMetadata } from "./metadata.ts";
import { consoleSays, happened, machineWith, Project, runPhase, sh } from "./support.ts";

const skipped = noTestMachines === undefined ? "" : ` (${noTestMachines})`;
const Bucket = "bundles";
const role: RoleKeys = { accessKeyId: "local", secretAccessKey: "local", token: "" };

describe.skipIf(noTestMachines).each(["dash", "bash"] as const)(`a channel, under %s${skipped}`, (shell) => {
  let objects: Objects;
  let served: ServedObjects;
  let metadata: TestMetadata;
  let machine: TestMachine;
  let key: SigningKey;
  let project: Project;
  let first: Bundle;
  let second: Bundle;

  beforeAll(async () => {
    objects = await newObjects();
    served = await serveObjects(objects);
    await served.s3.send(new CreateBucketCommand({ Bucket }));
    metadata = await fakeMetadata(undefined, { role });
    key = new SigningKey();
    const version = (word: string): Record<string, string> => ({
      "services/web/init.sh": sh("true"),
      "services/web/update.sh": sh(`echo ${word} >>/root/trace`),
    });
    project = new Project(version("first"));
    first = await makeBundle(project.plan());
    machine = await machineWith(project.plan(), shell);
    await runPhase(machine, "init", ["--builder", "--metadata", metadata.url, "web"]);
    await machine.run("rm /var/lib/bake-ami/builder");
    await mkdir(join(machine.root, "etc/bake-ami"));
    await writeFile(join(machine.root, "etc/bake-ami/signers"), key.signers);
    project.write(version("second"));
    second = await makeBundle(project.plan());
    await machine.run(
      "mkdir -p /etc/systemd/system.conf.d; cat >/etc/systemd/system.conf.d/endpoint.conf",
      `[Manager]\nDefaultEnvironment=AWS_ENDPOINT_URL=${served.url}\n`,
    );
    metadata.facts.tags = { "bake-ami:channel": "test", "bake-ami:bundles": `s3://${Bucket}/some/prefix` };
  });
  afterAll(async () => {
    project[Symbol.dispose]();
    key[Symbol.dispose]();
    await machine[Symbol.asyncDispose]();
    await metadata[Symbol.asyncDispose]();
    await served[Symbol.asyncDispose]();
    await objects[Symbol.asyncDispose]();
  });

  const Key = "some/prefix/test.bundle";
  const push = async (object: Uint8Array): Promise<void> => {
    await served.s3.send(new PutObjectCommand({ Bucket, Key, Body: object }));
  };
  /** Runs fetch as a deployment does, and returns the rest of what it says after the channel's name. */
  const fetch = async (words = ""): Promise<{ readonly status: number; readonly said: string }> => {
    const { status, stdout, stderr } = await machine.exec(
      `AWS_ENDPOINT_URL=${served.url} /opt/bake-ami/current/bin/fetch ${words}`,
    );
    expect(stderr).toBe("");
    const line = stdout.trim();
    // The same is on the console.
    await consoleSays(machine, `bake-ami: ${line}`);
    return { status, said: line.replace(/^channel=\S+ /, "") };
  };
  const current = async (): Promise<string> =>
    (await machine.run("readlink /opt/bake-ami/current")).trim().replace("bundles/", "");
  /** Fetches, and expects that the first bundle is kept for this reason. */
  const kept = async (reason: string, words = ""): Promise<void> => {
    expect(await fetch(words)).toEqual({
      status: 1,
      said: `result=kept digest=${first.digest} serial=- reason=${reason}`,
    });
    expect(await current()).toBe(first.digest);
    expect(
      await machine.run("ls -A /opt/bake-ami/bundles; ls /var/lib/bake-ami/channel 2>/dev/null || :"),
    ).toBe(`${first.digest}\n`);
  };
  const pushed = async (changes: HeadChanges): Promise<void> => {
    await push(channelObject(second, key, changes));
  };

  test("everything that is not as it must be is refused with its reason, and the last good bundle stays", async () => {
    const good = channelObject(second, key);
    const head = headOf(second);
    await kept("gone: there is no such object");

    const tampered = Buffer.from(good);
    tampered[tampered.length - 5] = (tampered.at(-5) ?? 0) ^ 1;
    await push(tampered);
    await kept("its archive is not the one that was signed (another SHA-256)");

    await push(Buffer.from(good.toString("latin1").replace("serial 1000", "serial 2000"), "latin1"));
    await kept("the signature does not fit what it signs: the bundle was changed after it was signed");
    await push(Buffer.from(good.toString("latin1").replace("channel test", "channel  test"), "latin1"));
    await kept("the signature does not fit what it signs: the bundle was changed after it was signed");

    using other = new SigningKey();
    await push(channelObject(second, other));
    await kept("it is signed with a key that this image does not know");

    await push(Buffer.concat([Buffer.from(`${head}${key.sign(head, "file")}\n`), second.archive]));
    await kept("the signature does not fit what it signs: the bundle was changed after it was signed");

    await pushed({ channel: "other" });
    await kept("it is of channel other");
    await push(good.subarray(0, good.length - 1000));
    await kept(
      `it is cut: its archive has ${second.archive.length - 1000} bytes instead of ${second.archive.length}`,
    );
    for (const length of [0, 10, 200, 300]) {
      await push(good.subarray(0, length));
      await kept("it is no bundle of a channel");
    }
    await push(Buffer.from("<html>no bundle</html>".repeat(1000)));
    await kept("it is no bundle of a channel");
    await pushed({ size: second.archive.length + 1 });
    await kept(
      `it is cut: its archive has ${second.archive.length} bytes instead of ${second.archive.length + 1}`,
    );
    await pushed({ digest: "0123456789abcdef" });
    await kept(`the bundle could not be installed: the bundle is ${second.digest}, not 0123456789abcdef`);

    await push(good);
    await machine.run("mv /etc/bake-ami/signers /etc/bake-ami/away");
    await kept("this image has no key to verify bundles with (/etc/bake-ami/signers)");
    await machine.run("mv /etc/bake-ami/away /etc/bake-ami/signers");
  });

  test("a disk that is full keeps the last good bundle whole", async () => {
    await push(channelObject(second, key));
    const units = "/usr/local/lib/systemd/system";
    await machine.run(
      `cp -a ${units} /root/units; size=$(($(find ${units} | wc -l) * 4 + 8)); mount -t tmpfs -o size=\${size}k tmpfs ${units}; cp -a /root/units/. ${units}/`,
    );
    const { status, said } = await fetch();
    expect([status, said]).toEqual([
      1,
      expect.stringMatching(
        /result=kept .* reason=the bundle could not be installed: .*No space left on device/,
      ),
    ]);
    expect(await current()).toBe(first.digest);
    expect(await machine.run(`diff -r /root/units ${units} && echo the same`)).toBe("the same\n");
    await machine.run(`umount ${units}; rm -rf /root/units; rm -rf /opt/bake-ami/bundles/${second.digest}`);
    await machine.run(
      "cp -a /opt/bake-ami/bundles /root/bundles; mount -t tmpfs -o size=1M tmpfs /opt/bake-ami/bundles; cp -a /root/bundles/. /opt/bake-ami/bundles/; head -c 1M /dev/zero >/opt/bake-ami/bundles/.new.full || :",
    );
    expect((await fetch()).said).toMatch(/^result=kept .* reason=there is no room for /);
    expect(await current()).toBe(first.digest);
    await machine.run("umount /opt/bake-ami/bundles; rm -rf /root/bundles");
  });

  test("what cannot be had, by role and by URL", async () => {
    await push(channelObject(second, key));
    const url = async (name: string, at = new Date()): Promise<string> =>
      await presign(served.s3, { method: "GET", url: `${served.url}/${Bucket}/${name}`, seconds: 60, at });
    const giveUrl = async (text: string): Promise<void> => {
      await machine.run(
        "mkdir -p -m 0700 /run/bake-ami/launch; cat >/run/bake-ami/launch/channel-url",
        `${text}\n`,
      );
    };
    metadata.facts.role = { ...role, secretAccessKey: "wrong" };
    await kept("access denied: the signature does not match");
    metadata.facts.role = undefined;
    await kept("this machine has no role (no instance profile), and the launch gave it no URL");
    metadata.facts.tags = { "bake-ami:channel": "test" };
    await kept("the launch does not say where its bundles are (no tag bake-ami:bundles)");
    await giveUrl(await url(Key, new Date(Date.now() - 3600_000)));
    await kept("the URL has expired");
    await giveUrl(await url("gone"));
    await kept("gone: there is no such object");
    await giveUrl((await url(Key)).replace(/Signature=./, "Signature=z"));
    await kept("access denied: the signature does not match");
    const port = await freePort();
    await giveUrl(`http://127.0.0.1:${port}/x`);
    const begun = Date.now();
    const { said } = await fetch();
    expect(said).toContain(
      `result=kept digest=${first.digest} serial=- reason=no answer from 127.0.0.1:${port}:`,
    );
    expect(Date.now() - begun).toBeLessThan(60_000);
    await machine.run("rm /run/bake-ami/launch/channel-url");
    metadata.facts.role = role;
    metadata.facts.tags = {};
    const without = await machine.exec("/opt/bake-ami/current/bin/fetch");
    expect([without.status, without.stderr]).toEqual([
      2,
      "fetch: this machine follows no channel (it has no tag bake-ami:channel)\n",
    ]);
    metadata.facts.tags = { "bake-ami:channel": "test", "bake-ami:bundles": `s3://${Bucket}/some/prefix` };
  });

  test("the boot hook takes a new bundle and goes on with it; unchanged ones are not got again", async () => {
    await push(channelObject(second, key));
    await machine.run("rm -f /root/trace");
    await machine.reboot();
    await machine.booted();
    expect(await machine.run("cat /root/trace")).toBe("second\n");
    expect(await current()).toBe(second.digest);
    await consoleSays(
      machine,
      `bake-ami: channel=test result=new digest=${second.digest} serial=1000 reason=-`,
    );
    expect((await happened(machine)).end).toMatchObject({ phase: "update", result: "ok" });
    expect(await machine.run("cat /var/lib/bake-ami/channel")).toMatch(
      new RegExp(`^test 1000 [0-9a-f]{32} ${second.digest}\n$`),
    );
    // The bundle before it stays, and nothing else.
    expect((await machine.run("ls -A /opt/bake-ami/bundles")).trim().split("\n").sort()).toEqual(
      [first.digest, second.digest].sort(),
    );

    await machine.reboot();
    await machine.booted();
    await consoleSays(
      machine,
      `bake-ami: channel=test result=same digest=${second.digest} serial=1000 reason=not modified`,
    );
    expect(await machine.run("cat /root/trace")).toBe("second\nsecond\n");
    const same = {
      status: 0,
      said: `result=same digest=${second.digest} serial=2000 reason=the machine has this bundle`,
    };
    await pushed({ serial: 2000 });
    expect(await fetch("--channel test --bundles s3://bundles/some/prefix/")).toEqual(same);

    // What was pushed before is not taken again, even though it is signed; a newer push of the old bundle is.
    await push(channelObject(first, key, { serial: 1500 }));
    expect(await fetch()).toEqual({
      status: 1,
      said: `result=kept digest=${second.digest} serial=2000 reason=it is older (serial 1500) than what this machine took before`,
    });
    await push(channelObject(first, key, { serial: 3000 }));
    expect(await fetch()).toEqual({
      status: 0,
      said: `result=new digest=${first.digest} serial=3000 reason=-`,
    });
    expect(await current()).toBe(first.digest);
    // Another channel has serials of its own.
    await served.s3.send(
      new PutObjectCommand({
        Bucket,
        Key: "some/prefix/more.bundle",
        Body: channelObject(second, key, { channel: "more", serial: 7 }),
      }),
    );
    const more = await fetch("--channel more --bundles s3://bundles/some/prefix");
    expect(more).toEqual({ status: 0, said: `result=new digest=${second.digest} serial=7 reason=-` });
    expect((await machine.run("cut -d ' ' -f 1,2 /var/lib/bake-ami/channel")).trim()).toBe(
      "test 3000\nmore 7",
    );

    // A boot whose channel cannot be had runs what is there, and is not held up.
    await served.s3.send(new DeleteObjectCommand({ Bucket, Key }));
    await machine.run("rm /root/trace");
    await machine.reboot();
    await machine.booted();
    expect(await machine.run("cat /root/trace")).toBe("second\n");
    await consoleSays(
      machine,
      `bake-ami: channel=test result=kept digest=${second.digest} serial=3000 reason=gone: there is no such object`,
    );
  });
});

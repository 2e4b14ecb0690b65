import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { bakeAmi, type CliResult } from "../support/cli.ts";
import { Project } from "../support/project.ts";
import { newObjects, run, serveObjects, type Objects, type ServedObjects } from "../support/s3.ts";

const noAws = existsSync("/usr/bin/aws") ? "" : " (skipped: needs awscli)";
const project = new Project({
  "services/web/init.sh": "#!/bin/sh\ntrue\n",
  "services/web/update.sh": "#!/bin/sh\necho one\n",
  "services/db/service.yaml": "parameters:\n  size: {type: integer, default: 3}\n",
});
const home = mkdtempSync(join(tmpdir(), "bake-ami-push-"));
let objects: Objects;
let served: ServedObjects;

beforeAll(async () => {
  objects = await newObjects();
  served = await serveObjects(objects);
});
afterAll(async () => {
  await served[Symbol.asyncDispose]();
  await objects[Symbol.asyncDispose]();
  project[Symbol.dispose]();
  rmSync(home, { recursive: true });
});

const push = (...args: string[]): Promise<CliResult> =>
  bakeAmi(["push", ...args, "--local", "--project", project.directory], {
    env: { BAKE_AMI_DATA_DIR: home, BAKE_AMI_LOCAL_DIR: objects.directory },
  });

test.skipIf(noAws !== "")(
  `what is pushed can be listed and fetched with aws, and verified with ssh-keygen${noAws}`,
  async () => {
    const early = await push("--channel", "test", "s3://team/bundles");
    expect(early.status).toBe(2);
    expect(early.stderr).toContain("there is no bucket team");
    await served.ask("s3", "mb", "s3://team");

    const dry = await push("--channel", "test", "s3://team/bundles", "--dry-run");
    expect(dry).toMatchObject({ status: 0, stdout: "" });
    expect(dry.stderr).toMatch(/would push bundle [0-9a-f]{16}, [\d.]+ KiB, signed by SHA256:/);
    expect(await served.ask("s3", "ls", "s3://team/")).toBe("");

    const pushed = await push("--channel", "test", "s3://team/bundles");
    expect(pushed.status).toBe(0);
    const [, digest = "", serial = ""] =
      /^s3:\/\/team\/bundles\/test\.bundle ([0-9a-f]{16}) (\d{13})\n$/.exec(pushed.stdout) ?? [];
    expect(pushed.stderr).toContain(`channel test has serial ${serial} now: bundle ${digest}`);
    expect(pushed.stderr).toContain("no image of yours trusts this key yet");
    expect(await served.ask("s3", "ls", "s3://team/bundles/")).toMatch(/ test\.bundle$/);

    const file = join(home, "fetched");
    await served.ask("s3", "cp", "s3://team/bundles/test.bundle", file);
    const bytes = readFileSync(file);
    const text = bytes.toString("latin1");
    const end = text.indexOf("-----END SSH SIGNATURE-----\n\n") + "-----END SSH SIGNATURE-----\n\n".length;
    const archive = bytes.subarray(end);
    const lines = text.split("\n").slice(0, 6);
    expect(lines).toEqual([
      "bake-ami-bundle 1",
      "channel test",
      `serial ${serial}`,
      `digest ${digest}`,
      `sha256 ${createHash("sha256").update(archive).digest("hex")}`,
      `size ${archive.length}`,
    ]);
    const key = readFileSync(join(home, "signing", "id_ed25519"), "utf8");
    const verified = await run("sh", [
      "-c",
      `set -e; cd "$1"
      sed -n 1,6p fetched >lines; sed -n '/^-----BEGIN SSH/,/^-----END SSH/p' fetched >signature
      printf 'bake-ami %s\\n' "$(ssh-keygen -y -f signing/id_ed25519)" >signers
      ssh-keygen -Y verify -f signers -I bake-ami -n bake-ami-bundle -s signature <lines`,
      "verify",
      home,
    ]);
    expect(verified).toMatchObject({ status: 0 });
    for (const { stdout, stderr } of [dry, pushed]) {
      expect(stdout + stderr).not.toContain(key.split("\n")[1]);
    }

    const same = await push("--channel", "test", "s3://team/bundles/");
    expect(same.stdout).toBe(pushed.stdout);
    expect(same.stderr).toContain(`channel test has this bundle already`);
    const list = await push("--list", "s3://team/bundles");
    expect(list.stdout).toMatch(
      new RegExp(`^test  ${digest}  20\\d\\d-\\d\\d-\\d\\d .* UTC  [\\d.]+ KiB  SHA256:\\S+\\n$`),
    );

    project.write("services/web/update.sh", "#!/bin/sh\necho two\n");
    const next = await push("--channel", "test", "s3://team/bundles", "--json");
    const result: unknown = JSON.parse(next.stdout.trim().split("\n").at(-1) ?? "");
    expect(result).toMatchObject({
      type: "result",
      value: { channel: "test", result: "pushed", previous: { digest, serial: Number(serial) } },
    });
    const set = await push("--channel", "test", "s3://team/bundles", "--set", "db.size=4");
    expect(set.stderr).toContain("channel test has serial");
  },
  60_000,
);

test.each<[string[], RegExp]>([
  [["--channel", "test"], /say where the channels are[\s\S]*bake-ami push --channel test s3:\/\//],
  [["s3://team/bundles"], /push needs the name of a channel[\s\S]*--list s3:\/\/team\/bundles/],
  [["--channel", "Test!", "s3://team"], /"Test!" cannot be the name of a channel/],
  [["--channel", "test", "team/bundles"], /push team\/bundles is not of the form s3:\/\/bucket\/prefix/],
  [["--list", "--channel", "test", "s3://team"], /--list and --channel exclude each other/],
  [["--channel", "test", "s3://team", "--signing-key", "/no/such"], /there is no key file \/no\/such/],
  [["--channel", "test", "s3://team", "--set", "db.size=many"], /db\.size/],
])("push %j starts nothing and ends with 2", async (args, message) => {
  const result = await push(...args);
  expect(result.stderr).toMatch(message);
  expect(result.status).toBe(2);
});

test.each<[string[], RegExp]>([
  [
    ["--signer", "/no/such.pub"],
    /cannot read --signer \/no\/such\.pub[\s\S]*--signer "ssh-ed25519 AAAA\.\.\."/,
  ],
  [["--signer", "ssh-rsa AAAA"], /"ssh-rsa AAAA" is no public key of type ed25519/],
  [["--signer", "/no/such.pub", "--no-signer"], /--signer and --no-signer exclude each other/],
  [["--log", "logs/"], /--log logs\/ is not of the form s3:\/\/bucket\/prefix\//],
  // Nothing is wrong with the keys: there is no image to start from.
  [["--no-signer"], /no image of owner amazon is named debian-12/],
  [["--log", "s3://nowhere/logs"], /there is no bucket nowhere/],
])("bake web %j starts nothing and ends with 2", async (args, message) => {
  const result = await bakeAmi(["web", ...args, "--local", "--project", project.directory], {
    env: { BAKE_AMI_DATA_DIR: home, BAKE_AMI_LOCAL_DIR: objects.directory },
  });
  expect(result.stderr).toMatch(message);
  expect(result.status).toBe(2);
});

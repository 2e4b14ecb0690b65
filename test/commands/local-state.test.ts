import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CreateTagsCommand } from "@aws-sdk/client-ec2";
import { afterAll, beforeAll, expect, test } from "vitest";
import { bakeAmi, type CliResult } from "../support/cli.ts";
import { image, instance, owner } from "../support/leavings.ts";
import { stateOnlyCloud, type StateOnlyCloud } from "../support/local-cloud.ts";

/* The command line against a cloud that has images and machines in its state, and none of them on this computer. */

let local: StateOnlyCloud;
let home: string;
let baked: string;
let machine: string;
let builder: string;

const run = (...args: string[]): Promise<CliResult> =>
  bakeAmi([...args, "--local", "--owner", owner], {
    cwd: home,
    env: { BAKE_AMI_DATA_DIR: join(home, "data"), BAKE_AMI_LOCAL_DIR: local.directory },
  });

beforeAll(async () => {
  local = await stateOnlyCloud();
  home = mkdtempSync(join(tmpdir(), "bake-ami-state-"));
  baked = await image(local, "baked", false);
  const catalog = { Key: "bake-ami:catalog.1", Value: "web=00000000 nginx=00000000" };
  await local.ec2.send(new CreateTagsCommand({ Resources: [baked], Tags: [catalog] }));
  machine = await instance(local, "machine");
  builder = await instance(local, "builder");
});
afterAll(async () => {
  await local[Symbol.asyncDispose]();
  rmSync(home, { recursive: true, force: true });
});

test.each<[string[], RegExp]>([
  [
    ["launch", "web", "--with", "nope"],
    /there is no service "nope"[\s\S]*`bake-ami services` lists them all/,
  ],
  [["launch", "web", "nope"], /there is no service "nope"/],
  [
    ["launch", "web", "--with", "hello-wob"],
    /there is no service "hello-wob"[\s\S]*did you mean "hello-web"/,
  ],
  [
    ["launch", "web", "--with", "hello-web"],
    /was baked before there was a service hello-web[\s\S]*`bake-ami web hello-web --local --owner somebody`/,
  ],
  [["launch", "web", "--type", "foo.bar"], /foo\.bar/],
  [["ssh", "i-00000"], /there is no machine i-00000 of yours/],
])("%j starts nothing and ends with 2", async (args, message) => {
  const result = await run(...args);
  expect(result.stderr).toMatch(message);
  expect(result.stderr).not.toContain("created");
  expect(result.status).toBe(2);
});

test("a builder is not the latest machine, and is ended by its whole id alone", async () => {
  const refused = await run("terminate", builder.slice(0, -2));
  expect(refused.stderr).toContain(`\`bake-ami terminate ${builder} --local --owner somebody\``);
  expect(refused.status).toBe(2);
  const listed = await run("ls", "--json");
  expect(listed.stdout).toContain(`"id":"${builder}","role":"builder"`);
  expect(listed.stdout).toContain(`"id":"${machine}","role":"machine"`);
});

test("host keys of machines that are gone are forgotten", async () => {
  await run("ls");
  const scopes = join(home, "data", "host-keys");
  // As ssh has left them; the directory is named by Region and owner.
  const scope = join(scopes, `local-${createHash("sha256").update(owner).digest("hex").slice(0, 12)}`);
  mkdirSync(scope, { recursive: true });
  for (const id of [machine, "i-0123456789abcdef0"]) writeFileSync(join(scope, id), "ssh-ed25519 AAAA\n");
  await run("ls");
  expect(readdirSync(scope)).toEqual([machine]);
  const ended = await run("terminate", "latest");
  expect(ended.stdout).toBe(`${machine}\n`);
  expect(readdirSync(scope)).toEqual([]);
  writeFileSync(join(scope, machine), "ssh-ed25519 AAAA\n");
  expect((await run("local", "reset")).status).toBe(0);
  expect(existsSync(scope)).toBe(false);
});

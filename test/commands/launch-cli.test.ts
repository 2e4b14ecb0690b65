import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { runProgram } from "../../src/base/process.ts";
import { shellWord } from "../../src/base/quote.ts";
import { bakeAmi, type CliResult } from "../support/cli.ts";
import { image, owner } from "../support/leavings.ts";
import { stateOnlyCloud, type StateOnlyCloud } from "../support/local-cloud.ts";

/* `launch` up to where it would start something, against a cloud that has an image of the service web. */

let local: StateOnlyCloud;
let home: string;
let baked: string;

const launch = (...args: string[]): Promise<CliResult> =>
  bakeAmi(["launch", ...args, "--local", "--owner", owner], {
    cwd: home,
    env: { BAKE_AMI_DATA_DIR: join(home, "data"), BAKE_AMI_LOCAL_DIR: local.directory },
  });

beforeAll(async () => {
  local = await stateOnlyCloud();
  home = mkdtempSync(join(tmpdir(), "bake-ami-launch-"));
  mkdirSync(join(home, "services/web/update"), { recursive: true });
  writeFileSync(
    join(home, "services/web/service.yaml"),
    [
      "parameters:",
      "  port: {type: integer, default: 80, phase: update}",
      "  root: {default: /srv, phase: init}",
      "  token: {secret: true}",
      "",
    ].join("\n"),
  );
  writeFileSync(join(home, "services/web/update/10-start.sh"), "#!/bin/sh\ntrue\n");
  chmodSync(join(home, "services/web/update/10-start.sh"), 0o755);
  writeFileSync(join(home, "big"), "#!/bin/sh\n".padEnd(16_385, "#"));
  baked = await image(local, "baked", false);
});
afterAll(async () => {
  await local[Symbol.asyncDispose]();
  rmSync(home, { recursive: true, force: true });
});

test("types that fit, where nobody can pick one: the list on stdout, and status 2", async () => {
  const { status, stdout, stderr } = await launch("web", "--cpu", "8", "--memory", "16GiB", "--spot");
  expect(status).toBe(2);
  const [heading, first] = stdout.split("\n");
  expect(heading).toMatch(/^type +vCPU +memory +network +arch$/);
  expect(first).toMatch(/^c5\.2xlarge +8 +16 GiB +\S.* +x86_64$/);
  expect(stderr).toContain("choose one of these instance types");
  expect(stderr).toContain("--type c5.2xlarge takes it; --cheapest takes the first of the list");
});

test("the same as JSON", async () => {
  const { status, stdout } = await launch("web", "--cpu", "8", "--json");
  expect(status).toBe(2);
  const result = stdout.split("\n").find((line) => line.startsWith('{"type":"result"')) ?? "";
  expect(result).toContain('"value":[{"name":"c5.2xlarge","cpus":8,"memoryMiB":16384,');
});

test.each<[string, string[], RegExp]>([
  ["nothing to launch", [], /say what to launch/],
  [
    "a type that there is not",
    ["web", "--type", "m5.lagre"],
    /no instance type m5\.lagre[\s\S]*did you mean "m5\.large"/,
  ],
  [
    "an architecture without an image",
    ["web", "--type", "t4g.small"],
    /no image of yours for arm64 has web; ami-\S+, which has, is for x86_64\n[\s\S]*--type t4g\.small/,
  ],
  ["the same by --arch", ["web", "--arch", "arm64"], /no image of yours for arm64 has web/],
  [
    "a type and an architecture that differ",
    ["web", "--type", "t3.small", "--arch", "arm64"],
    /--type t3\.small is x86_64, and --arch says arm64/,
  ],
  ["two types", ["web", "--type", "t3.small", "--type", "t3.micro"], /--type is given more than once/],
  ["no type that fits", ["web", "--cpu", "5000"], /no instance type of the current generation .*5000 vCPUs/],
  [
    "user data that is too long",
    ["web", "--user-data", "big"],
    /the user data takes 16,385 bytes, and EC2 takes 16,384\n.*gzip your user data/,
  ],
  ["user data that there is not", ["web", "--user-data", "none"], /--user-data none: there is no such file/],
  [
    "a literal secret",
    ["web", "--set", "web.token=hunter2"],
    /web\.token is a secret, and those are given by reference/,
  ],
  ["a value of another type", ["web", "--set", "web.port=http"], /web\.port is a whole number/],
  [
    "what is baked",
    ["web", "--set", "web.root=/var"],
    /web\.root is used by init, which ami-\S+ has behind it/,
  ],
  ["a key pair that there is not", ["web", "--key", "mine"], /there is no EC2 key pair mine here/],
  ["a subnet that there is not", ["web", "--subnet", "subnet-1"], /there is no subnet subnet-1 here/],
  [
    "a group that there is not",
    ["web", "--security-group", "sg-00000000000000001"],
    /there is no security group sg-00000000000000001 here/,
  ],
  [
    "one address for two",
    ["web", "--count", "2", "--elastic-ip", "new"],
    /one Elastic IP cannot be of 2 machines/,
  ],
  ["spot with protection", ["web", "--spot", "--protect"], /no termination protection for spot instances/],
])("%s: one message, status 2, and nothing is made", async (_, args, message) => {
  const { status, stdout, stderr } = await launch(...args);
  expect(stderr).toMatch(message);
  expect(stderr).not.toContain("hunter2");
  expect(status).toBe(2);
  expect(stdout).toBe("");
});

const scriptProgram = spawnSync("script", ["--version"]).status === 0;

test.skipIf(!scriptProgram)(
  `at a terminal the type is picked from pages ${scriptProgram ? "" : "(skipped: needs script of util-linux)"}`,
  async () => {
    const words = [process.execPath, join(inject("dist"), "cli.js"), "launch", "web", "--cpu", "8"];
    // What comes after the choice is refused, so that nothing starts.
    const command = [...words, "--user-data", "big", "--local", "--owner", owner].map(shellWord).join(" ");
    const { stdout } = await runProgram(["script", "-qec", command, "/dev/null"], {
      cwd: home,
      env: {
        ...process.env,
        BAKE_AMI_DATA_DIR: join(home, "data"),
        BAKE_AMI_LOCAL_DIR: local.directory,
        COLUMNS: "120",
      },
      input: "\n17\n",
      signal: AbortSignal.timeout(60_000),
    });
    expect(stdout).toMatch(/ 1 {2}c5\.2xlarge +8 +16 GiB/);
    expect(stdout).toMatch(/number or name, Enter for \d+ more, q for none: /);
    expect(stdout).toMatch(/16 {2}\S+\.2xlarge/);
    expect(stdout).toContain("the user data takes 16,385 bytes");
  },
);

test("the image by its id, beside names", async () => {
  const { stderr } = await launch("web", "--image", baked, "--user-data", "big");
  expect(stderr).toContain(`image ${baked}`);
});

test("the help has the options in groups", async () => {
  const { stdout } = await bakeAmi(["launch", "--help"], { cwd: home });
  for (const group of ["Image:", "Instance type:", "Machines:", "Root volume:", "Network and login:"]) {
    expect(stdout).toContain(`\n${group}\n`);
  }
});

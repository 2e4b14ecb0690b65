import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { verbs } from "../../src/commands/verbs.ts";
import { bakeAmi, type CliResult } from "../support/cli.ts";

let project: string;
const run = (...args: string[]): Promise<CliResult> =>
  bakeAmi(args, { cwd: project, env: { BAKE_AMI_DATA_DIR: join(project, "data") } });

function writeService(name: string, files: Readonly<Record<string, string>>): void {
  for (const [path, text] of Object.entries(files)) {
    const file = join(project, "services", name, path);
    mkdirSync(join(file, ".."), { recursive: true });
    writeFileSync(file, text);
    if (path.endsWith(".sh")) chmodSync(file, 0o755);
  }
}

beforeAll(() => {
  project = mkdtempSync(join(tmpdir(), "bake-ami-cli-"));
  writeService("app", {
    "service.yaml":
      "description: the app\nrequires: [nginx]\nparameters:\n  port: {default: 8080, description: listens here}\n",
    "init/10-install.sh": "#!/bin/sh\ntrue\n",
  });
});
afterAll(() => {
  rmSync(project, { recursive: true, force: true });
});

describe("help", () => {
  test("shows every verb that there is, and their options", async () => {
    const { status, stdout } = await run("--help");
    expect(status).toBe(0);
    for (const verb of [
      "bake",
      "plan",
      "services",
      "new",
      "launch",
      "apply",
      "ls",
      "logs",
      "ssh",
      "terminate",
      "verify",
      "cleanup",
      "doctor",
      "local",
    ]) {
      expect(stdout).toContain(`bake-ami ${verb}`);
      expect(verbs).toContain(verb);
    }
    for (const option of ["--local", "--json", "--quiet", "--debug", "--region", "--profile"]) {
      expect(stdout).toContain(option);
    }
  });
});

describe("bad input starts nothing and ends with 2", () => {
  test.each<[string[], RegExp]>([
    [[], /say which services the image must have[\s\S]*`bake-ami hello-web`/],
    [["--local"], /`bake-ami hello-web --local`/],
    [["launch"], /say what to launch[\s\S]*`bake-ami launch hello-web`/],
    [["terminate", "--local"], /say which machines to end[\s\S]*`bake-ami terminate latest --local`/],
    [["local"], /say what to do: setup, serve or reset/],
    [["local", "nope"], /local cannot nope[\s\S]*setup, serve or reset/],
    [["local", "reset", "nope"], /"nope" is a word too many for local/],
    [["local", "setup", "debian-11"], /debian-11 is no choice here[\s\S]*debian-12, al2023/],
    [["local", "serve", "--port", "x"], /--port x is no whole number from 0 to 65535/],
    [["local", "serve", "--port", "70000"], /--port 70000 is no whole number/],
    [["ls", "extra"], /"extra" is a word too many for ls/],
    [["services", "extra"], /"extra" is a word too many for services/],
    [["new", "a", "b"], /"b" is a word too many for new/],
    [["ssh", "i-1", "uptime"], /a word too many for ssh[\s\S]*`bake-ami ssh MACHINE -- uptime`/],
    [["lunch", "web"], /there is no service "lunch"[\s\S]*did you mean `bake-ami launch web`/],
    [["verifi", "latest"], /did you mean `bake-ami verify latest`/],
    [["plan", "ngnix"], /there is no service .*ngnix.*[\s\S]*did you mean "nginx"/i],
    [["ngnix", "--local"], /did you mean "nginx"/],
    [["plan", "app", "--set", "port=1"], /not of the form service.parameter=value/],
    [["plan", "app", "--set", "app.prot=1"], /prot[\s\S]*did you mean "port"/],
    [["plan", "app", "--no-such-option"], /unknown option --no-such-option/],
    [["ls", "--regoin", "x"], /unknown option --regoin[\s\S]*did you mean "--region"/],
    [["ls", "--region"], /--region needs a value/],
    [["ls", "--region", "a", "--region", "b"], /--region is given 2 times/],
    [["plan", "app", "--project", "/etc/passwd"], /--project \/etc\/passwd is no directory/],
    [["plan", "app", "--project", "/no/such/place"], /--project \/no\/such\/place is no directory/],
    [["bake", "app", "--max-bake-time", "soon"], /--max-bake-time soon is no duration/],
    [["launch", "app", "--open", "http", "--local"], /--open http is no port number/],
    [["launch", "app", "--count", "0", "--local"], /--count 0 is no whole number from 1 to 1000/],
    [["launch", "app", "--count", "x", "--local"], /--count x is no whole number/],
    [["launch", "app", "--allow-cidr", "999/1", "--local"], /--allow-cidr 999\/1 is no block of addresses/],
    [
      ["launch", "ami-00000000000000000", "--local"],
      /there is no image ami-0+ here[\s\S]*`bake-ami ls --local`/,
    ],
    [["launch", "ami-xyz", "--local"], /ami-xyz is neither the id of an image nor a service/],
    [["launch", "ngnix", "--local"], /there is no service "ngnix"[\s\S]*did you mean "nginx"/],
    [["launch", "nginx", "--local"], /no image of yours has nginx[\s\S]*`bake-ami nginx --local/],
    [["app", "--source-ami", "ami-00000000000000000", "--local"], /there is no image ami-0+ here/],
    [["ssh", "latest", "--local"], /you have no machine/],
    [["logs", "latest", "--local", "--console"], /you have no machine/],
    [["logs", "latest", "--list", "--follow"], /list.*follow/],
    [["cp"], /say what to copy and where to[\s\S]*`bake-ami cp app.conf latest:\/srv`/],
    [["cp", "a", "b", "--local"], /none of these names a machine[\s\S]*latest:\/var\/log/],
    [["cp", "latest:a", "--local"], /cp takes what to copy and where to/],
    [["cp", "package.json", "latest:", "--local"], /you have no machine/],
    [["cp", "latest:~root/a", ".", "--local"], /~root is not known here/],
    [["apply", "app"], /say on which machine[\s\S]*`bake-ami apply app --machine latest`/],
    [["apply", "app", "--host", "a@b", "--machine", "latest"], /give one of them/],
    [["apply", "app", "--host", "a@192.0.2.1"], /no host key of 192\.0\.2\.1 is known/],
    [["apply", "app", "--host", "admin"], /admin is taken for the address[\s\S]*write it like admin@/],
    [["apply", "app", "--host", "a@192.0.2.1", "--host-key", "AAAA"], /"AAAA" is no public host key/],
    [["apply", "app", "--host", "a@192.0.2.1", "--login", "b"], /--host b@192\.0\.2\.1/],
    [["verify"], /say on which machine[\s\S]*`bake-ami verify latest`/],
    [["apply", "app", "--host", "user@"], /--host user@ is no address/],
    [
      [
        "apply",
        "app",
        "--host",
        "a@nowhere.invalid",
        "--identity",
        "/no/such/key",
        "--host-key",
        "ssh-ed25519 AAAA",
      ],
      /cannot read the key file \/no\/such\/key/,
    ],
    [["new", "Bad Name"], /Bad Name/],
    [["new", "launch"], /launch/],
  ])("%j", async (args, message) => {
    const result = await run(...args);
    expect(result.stderr).toMatch(message);
    expect(result.stderr).not.toMatch(/^\s+at /m);
    expect(result.stdout).toBe("");
    expect(result.status).toBe(2);
  });

  test("--debug shows the stack, and --json the error as the last line", async () => {
    expect((await run("plan", "ngnix", "--debug")).stderr).toMatch(/^\s+at /m);
    const { stdout } = await run("plan", "ngnix", "--json");
    const last: unknown = JSON.parse(stdout.trimEnd().split("\n").at(-1) ?? "");
    expect(last).toMatchObject({ type: "error", error: { kind: "usage" } });
  });

  test("a broken catalog is shown whole, with places and hints", async () => {
    const broken = mkdtempSync(join(tmpdir(), "bake-ami-broken-"));
    mkdirSync(join(broken, "services", "a", "init"), { recursive: true });
    writeFileSync(join(broken, "services", "a", "service.yaml"), "requirs: [b]\nrequires: [nosuch]\n");
    writeFileSync(join(broken, "services", "a", "init", "10.sh"), "true\n");
    const result = await bakeAmi(["plan", "a"], { cwd: broken });
    rmSync(broken, { recursive: true });
    expect(result.status).toBe(2);
    expect(result.stderr).toMatch(/service\.yaml:1[\s\S]*requirs[\s\S]*requires/);
    expect(result.stderr).toMatch(/service\.yaml:2[\s\S]*nosuch/);
    expect(result.stderr).toMatch(/10\.sh/);
  });
});

describe("plan", () => {
  test("shows order, reasons, packages and steps", async () => {
    const { status, stdout } = await run("plan", "app");
    expect(status).toBe(0);
    expect(stdout).toMatch(/nginx[\s\S]*app/);
    expect(stdout).toContain("10-install.sh");
  });
  test("--json is a versioned value", async () => {
    const { stdout } = await run("plan", "app", "--json", "--set", "app.port=9");
    const plan: unknown = JSON.parse(stdout);
    expect(plan).toMatchObject({ version: 1 });
    expect(stdout).toContain('"9"');
  });
});

test("local serve shows a command that can be pasted", async () => {
  const { stdout, stderr } = await bakeAmi(["local", "serve", "--port", "0"], {
    env: { BAKE_AMI_DATA_DIR: join(project, "data") },
    onLine: (_, child) => {
      setTimeout(() => child.kill("SIGTERM"), 200);
    },
  });
  const url = stdout.trim();
  expect(stderr).toContain(
    `try: AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local aws ec2 describe-instances --endpoint-url ${url} --region local\n`,
  );
});

test("services lists the project's own and the built-in ones", async () => {
  const { stdout } = await run("services");
  expect(stdout).toMatch(/^app +the app \(requires nginx\)$/m);
  expect(stdout).toMatch(/^hello-web .*built in/m);
});

test("new tells when a built-in service has that name", async () => {
  const made = await run("new", "nginx");
  expect(made.status).toBe(0);
  expect(made.stderr).toMatch(/warning: nginx is also a built-in service/);
  rmSync(join(project, "services", "nginx"), { recursive: true });
});

test("new makes a service that plans at once", async () => {
  const made = await run("new", "fresh");
  expect(made.status).toBe(0);
  expect(made.stdout.trim()).toBe(join(project, "services", "fresh"));
  expect((await run("plan", "fresh")).status).toBe(0);
  const again = await run("new", "fresh");
  expect(again.status).toBe(2);
  expect(again.stderr).toContain("fresh");
});

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { deploySettings, type DeployArguments } from "../../src/commands/deploy-settings.ts";
import { templateNameOf } from "../../src/commands/fleet-names.ts";
import { rolloutSettings, type RolloutArguments } from "../../src/commands/rollout-settings.ts";
import { readVerify, textOrNo } from "../../src/commands/template-settings.ts";
import { messageOf } from "../../src/base/errors.ts";
import { bakeAmi } from "../support/cli.ts";

let data: string;

beforeAll(async () => {
  data = await mkdtemp(join(tmpdir(), "bake-ami-fleet-"));
});
afterAll(async () => {
  await rm(data, { recursive: true, force: true });
});

/** Without credentials, so that whatever asks AWS fails for that reason. */
async function run(...args: string[]): Promise<string> {
  const env = {
    BAKE_AMI_DATA_DIR: data,
    HOME: data,
    AWS_REGION: "eu-central-1",
    AWS_ACCESS_KEY_ID: "",
    AWS_SECRET_ACCESS_KEY: "",
    AWS_PROFILE: "",
    AWS_EC2_METADATA_DISABLED: "true",
  };
  const { status, stdout, stderr } = await bakeAmi(args, { env });
  return `${status} ${stdout}${stderr}`;
}

test.each([
  [["rollout", "web", "--asg", "x", "--local"], "the local cloud has no Auto Scaling"],
  [["deploy", "web", "--via", "ssm", "--local"], "the local cloud has no Run Command"],
  [["deploy", "web", "--via", "sns", "--topic", "arn:x", "--local"], "the local cloud has no SNS"],
  [["rollout", "web"], "rollout needs --asg"],
  [["rollout", "--asg", "x"], "say which launch template: its services, or --name"],
  [["rollout", "web", "--asg", "x", "--to", "$Latest"], "--to $Latest is no number of a version"],
  [["rollout", "--asg", "x", "--cancel", "--follow"], "--follow and --cancel do not go together"],
  [["deploy"], "say which services to bring to their machines"],
  [["deploy", "web", "--via", "sns"], "--via sns needs --topic"],
  [["deploy", "web", "--topic", "arn:x"], "--topic goes with --via sns"],
  [["deploy", "web", "--via", "ssm", "--set", "web.port=1"], "--set is for a deployment over SSH"],
  [["deploy", "web", "--via", "tcp"], "--via tcp is no choice here"],
  [["deploy", "web", "--max", "0"], "--max 0 is no whole number from 1 to 1000"],
  [["deploy", "web", "--tag", "stage"], "--tag stage is not of the form key=value"],
  [["template", "web", "--default", "latest"], "--default latest is no number of a version"],
  [["template", "web", "--verify", "all"], "--verify all is no choice here"],
  [["template", "web", "--count", "3"], "--count is of a launch"],
  [["template", "web", "--elastic-ip", "new"], "--elastic-ip is of a launch"],
  [["template", "web", "--keep-versions", "0"], "--keep-versions 0 is no whole number from 1 to 10000"],
  [["template", "ami-0123456789abcdef0"], "a launch template of an image needs a name"],
  [["template", "web", "--name", "a b"], "a b cannot be the name of a launch template"],
] satisfies [string[], string][])("nothing is started by %j", async (args, message) => {
  const said = await run(...args);
  expect(said).toContain(message);
  expect(said).toMatch(/^2 /);
});

test("the local cloud has launch templates, and machines to deploy to over SSH", async () => {
  const template = await run("template", "hello-web", "--local");
  expect(template).toMatch(/^2 /);
  expect(template).toContain("no image of yours has hello-web");
  const deploy = await run("deploy", "hello-web", "--local");
  expect(deploy).toMatch(/^2 /);
  expect(deploy).toContain("no running machine of yours has hello-web");
});

test("values and their negation", () => {
  expect([undefined, false, 7, "7"].map(textOrNo)).toEqual([undefined, false, "7", "7"]);
  expect([undefined, false, true, "steps", "update"].map(readVerify)).toEqual([
    "steps",
    false,
    "steps",
    "steps",
    "update",
  ]);
});

test("the name of a template", () => {
  expect(templateNameOf(undefined, ["web", "db"])).toBe("bake-ami-web-db");
  expect(templateNameOf("x/y", [])).toBe("x/y");
});

const rollout: RolloutArguments = {
  services: ["web"],
  asg: "group",
  name: undefined,
  to: undefined,
  minHealthy: "90",
  maxHealthy: undefined,
  warmup: undefined,
  skipMatching: false,
  autoRollback: true,
  follow: false,
  cancel: false,
  rollback: false,
  timeout: "2h",
};

test("the options of a rollout", () => {
  expect(
    rolloutSettings({
      ...rollout,
      to: "7",
      minHealthy: "50",
      maxHealthy: "150",
      warmup: "2m",
      skipMatching: true,
      autoRollback: false,
      timeout: "30m",
    }),
  ).toEqual({
    intervention: undefined,
    name: "bake-ami-web",
    version: 7,
    minHealthy: 50,
    maxHealthy: 150,
    warmupSeconds: 120,
    skipMatching: true,
    autoRollback: false,
    followSeconds: 1800,
  });
  expect(rolloutSettings({ ...rollout, services: [], cancel: true }).intervention).toBe("cancel");
  expect(() => rolloutSettings({ ...rollout, minHealthy: "20", maxHealthy: "200" })).toThrow(
    "--max-healthy 200 is more than 100 above --min-healthy 20",
  );
});

const deploy: DeployArguments = {
  services: ["web"],
  via: "ssh",
  max: "10",
  maxErrors: "1",
  tag: [],
  machine: [],
  verify: false,
  set: [],
  topic: undefined,
  timeout: undefined,
  identity: undefined,
  login: undefined,
  sshProxyCommand: undefined,
};

test("the options of a deployment", () => {
  expect(
    deploySettings({ ...deploy, tag: ["a=b=c", "bake-ami:channel=x"], machine: ["i-1,i-2"], timeout: "5m" }),
  ).toEqual({
    via: "ssh",
    services: ["web"],
    tags: new Map([
      ["a", "b=c"],
      ["bake-ami:channel", "x"],
    ]),
    machines: ["i-1", "i-2"],
    max: 10,
    maxErrors: 1,
    topic: "",
    runSeconds: 300,
  });
  const refused = (rest: Partial<DeployArguments>): string => {
    try {
      deploySettings({ ...deploy, ...rest });
      return "fine";
    } catch (error) {
      return messageOf(error);
    }
  };
  expect(refused({ via: "ssm", sshProxyCommand: "nc %h %p" })).toMatch(/^--ssh-proxy-command is for/);
  expect(refused({ via: "sns", topic: "arn:x", verify: true })).toMatch(/goes to all that listen/);
  expect(refused({ via: "ssm", verify: true, tag: ["a=b"] })).toBe("fine");
});

import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import * as z from "zod";
import {
  CreateImageCommand,
  CreateTagsCommand,
  DescribeImagesCommand,
  DescribeInstancesCommand,
  DescribeVpcsCommand,
  EC2Client,
  ImportKeyPairCommand,
  RunInstancesCommand,
  StopInstancesCommand,
  type RunInstancesCommandInput,
} from "@aws-sdk/client-ec2";
import { BakeError } from "../../src/base/errors.ts";
import { faultPlanSchema } from "../../src/local/faults/plan.ts";
import { randomFaultPlan } from "../../src/local/faults/random-plan.ts";
import { checkedFaultPlan, readFaultPlan } from "../../src/local/faults/read-plan.ts";
import { bakeAmi } from "../support/cli.ts";
import { clientOptions, stateOnlyCloud } from "../support/local-cloud.ts";

let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "bake-ami-faults-"));
});
afterAll(async () => {
  await rm(directory, { recursive: true, force: true });
});

async function planFile(text: string): Promise<string> {
  const file = join(directory, "faults.yaml");
  await writeFile(file, text);
  return file;
}

const slips: readonly [what: string, text: string, problem: RegExp][] = [
  [
    "unknown key",
    "seed: 1\ncals: []\n",
    /faults\.yaml:2: cals: there is no such key here did you mean "calls"/,
  ],
  [
    "unknown key further in",
    "calls:\n  - fault: denied\n    acton: RunInstances\n",
    /faults\.yaml:3: calls\.0\.acton: there is no such key here did you mean "action"/,
  ],
  ["unknown fault", "calls:\n  - {fault: throtled}\n", /faults\.yaml:2: calls\.0\.fault: .*"throttled"/],
  ["wrong type", "seed: x\n", /faults\.yaml:1: seed: .*expected number/],
  ["rate too high", "calls: [{fault: denied, rate: 3}]\n", /calls\.0\.rate: .*<=1/],
  [
    "bounds the wrong way",
    "delaysMs:\n  start: [5, 1]\n",
    /:2: delaysMs\.start: the first number must not be/,
  ],
  ["a span of text", "groupInUseMs: soon\n", /groupInUseMs: expected a time in milliseconds/],
  [
    "not an action",
    "calls: [{fault: denied, action: run-instances}]\n",
    /calls\.0\.action: expected the name/,
  ],
  [
    "not an action in a list",
    "calls: [{fault: denied, action: [Aa, b]}]\n",
    /calls\.0\.action\.1: expected the/,
  ],
  [
    "not an action among buckets",
    "buckets: {x: {capacity: 1, refillPerSecond: 1}}\n",
    /buckets\.x: expected the/,
  ],
  ["missing key", "spotInterruption: {}\n", /:1: spotInterruption\.afterMs: /],
  [
    "stale groups",
    "consistency: {keyPair: {staleMs: 1}}\n",
    /consistency\.keyPair\.staleMs: there is no such key/,
  ],
  ["a list", "- fault: denied\n", /faults\.yaml:1: .*expected object/],
  ["malformed", "calls: [\n", /faults\.yaml:\d: malformed: /],
];

test.each(slips)("a plan with a slip names its place: %s", async (_, text, problem) => {
  const failure: unknown = await readFaultPlan(await planFile(text)).catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(BakeError);
  if (!(failure instanceof BakeError)) return;
  expect(failure.kind).toBe("usage");
  expect(`${failure.message} ${failure.hint ?? ""}`).toMatch(problem);
  expect(failure.hint).toContain("docs/local-cloud.md");
});

test("a file that is not there, an empty one, JSON", async () => {
  await expect(readFaultPlan(join(directory, "none.json"))).rejects.toThrow(/none\.json cannot be read/);
  expect(await readFaultPlan(await planFile(""))).toEqual(faultPlanSchema.parse({}));
  expect(await readFaultPlan(await planFile('{"seed": 3}'))).toMatchObject({ seed: 3 });
});

test("a value that is no plan", () => {
  expect(() => checkedFaultPlan({ seed: -1 })).toThrow(/^the fault plan: seed: /);
});

test("plans by seed are legal, differ, and are the same again", () => {
  const plans = Array.from({ length: 500 }, (_, seed) => randomFaultPlan(seed));
  for (const [seed, plan] of plans.entries()) {
    expect(checkedFaultPlan(plan).seed).toBe(seed);
    expect(randomFaultPlan(seed)).toEqual(plan);
  }
  expect(new Set(plans.map((plan) => JSON.stringify({ ...plan, seed: 0 }))).size).toBe(plans.length);
  // A plan that went through a file is the same plan.
  const text = JSON.stringify(plans);
  expect(z.array(faultPlanSchema).parse(JSON.parse(text))).toEqual(
    plans.map((plan) => checkedFaultPlan(plan)),
  );
});

describe("docs/local-cloud.md, Misbehaviour", async () => {
  const docs = await readFile(join(import.meta.dirname, "../../docs/local-cloud.md"), "utf8");
  const section = /\n## Misbehaviour\n([^]*?)\n## /.exec(docs)?.[1] ?? "";
  const examples = [...section.matchAll(/```yaml\n([^]*?)```/g)].map(([, text = ""]) => text);

  interface Trial {
    readonly ec2: EC2Client;
    readonly run: (more?: Partial<RunInstancesCommandInput>) => Promise<string>;
    readonly pass: (ms: number) => void;
  }

  async function withExample(index: number, work: (trial: Trial) => Promise<void>): Promise<void> {
    let now = Date.parse("2026-01-03");
    const faults = await readFaultPlan(await planFile(examples[index] ?? "missing"));
    await using local = await stateOnlyCloud({ faults, now: () => now });
    const ec2 = new EC2Client({ ...clientOptions(local.cloud), maxAttempts: 1 });
    await work({
      ec2,
      run: async (more = {}) => {
        const { Instances } = await ec2.send(
          new RunInstancesCommand({ ImageId: local.imageId, MinCount: 1, MaxCount: 1, ...more }),
        );
        return Instances?.[0]?.InstanceId ?? "";
      },
      pass: (ms) => {
        now += ms;
      },
    });
  }

  test("has four examples, all run here", () => {
    expect(examples).toHaveLength(4);
  });

  test("calls", async () => {
    await withExample(0, async ({ ec2, run }) => {
      const codes: string[] = [];
      for (let call = 0; call < 30; call += 1) {
        codes.push(
          await ec2.send(new DescribeVpcsCommand({})).then(String, (error: unknown) => nameOf(error)),
        );
      }
      expect(codes).toContain("RequestLimitExceeded");
      await expect(run()).rejects.toMatchObject({ name: "RequestLimitExceeded" });
      await expect(run()).rejects.toMatchObject({ name: "RequestLimitExceeded" });
      expect(await untilNotThrottled(async () => await run())).toMatch(/^i-/);
      const tag = new CreateTagsCommand({
        Resources: ["sg-0bacea3100000000d"],
        Tags: [{ Key: "a", Value: "b" }],
      });
      expect(await untilNotThrottled(async () => await ec2.send(tag))).toBe("UnauthorizedOperation");
      const key = new ImportKeyPairCommand({ KeyName: "mine", PublicKeyMaterial: Buffer.from("x") });
      const outcome = await untilNotThrottled(async () => await ec2.send(key));
      expect(outcome).toBe("ConnectionLost");
    });
  });

  test("buckets", async () => {
    await withExample(1, async ({ run, pass }) => {
      for (let launch = 0; launch < 5; launch += 1) await run();
      await expect(run()).rejects.toMatchObject({ name: "RequestLimitExceeded" });
      pass(500);
      await run();
    });
  });

  test("delays and consistency", async () => {
    await withExample(2, async ({ ec2, run, pass }) => {
      const id = await run();
      const state = async (): Promise<string | undefined> => {
        const { Reservations } = await ec2.send(new DescribeInstancesCommand({ InstanceIds: [id] }));
        return Reservations?.[0]?.Instances?.[0]?.State?.Name;
      };
      pass(499);
      await expect(state()).rejects.toMatchObject({ name: "InvalidInstanceID.NotFound" });
      pass(2501);
      expect(await state()).toBe("pending");
      pass(22_000);
      await state();
      pass(2000);
      expect(await state()).toBe("running");
      await ec2.send(new StopInstancesCommand({ InstanceIds: [id] }));
      pass(60_000);
      await state();
      const { ImageId = "" } = await ec2.send(new CreateImageCommand({ InstanceId: id, Name: "image" }));
      const image = new DescribeImagesCommand({ ImageIds: [ImageId] });
      for (let call = 0; call < 2; call += 1) {
        await expect(ec2.send(image)).rejects.toMatchObject({ name: "InvalidAMIID.NotFound" });
      }
      pass(59_999);
      expect((await ec2.send(image)).Images?.[0]?.State).toBe("pending");
      pass(240_001);
      expect((await ec2.send(image)).Images?.[0]?.State).toBe("available");
    });
  });

  test("failures", async () => {
    await withExample(3, async ({ ec2, run }) => {
      await expect(run({ InstanceType: "t3.small" })).rejects.toThrow(/capacity/);
      const spot = { InstanceMarketOptions: { MarketType: "spot" } } as const;
      await expect(run(spot)).rejects.toThrow(/Spot capacity/);
      const id = await run(spot);
      const { Reservations } = await ec2.send(new DescribeInstancesCommand({ InstanceIds: [id] }));
      expect(Reservations?.[0]?.Instances?.[0]?.StateReason?.Code).toBe("Client.InvalidSnapshot.NotFound");
    });
  });

  test("explains every key, and no other", () => {
    const named = new Set(
      [...section.matchAll(/^\| (.*?) \|/gm)].flatMap(([, cell = ""]) => cell.match(/[\w.]+/g) ?? []),
    );
    named.delete("key");
    named.delete("---");
    const kinds = ["instance", "image", "snapshot", "securityGroup", "keyPair"];
    const wanted = new Set(
      keysIn(z.toJSONSchema(faultPlanSchema, { io: "input" }), "").map((path) =>
        path
          .split(".")
          .filter((step, index, steps) => steps[index - 1] !== "consistency" || !kinds.includes(step))
          .join("."),
      ),
    );
    const rules = [...wanted].map((path) => path.replace(/^.*\.(on|rate)$/, "$1"));
    expect([...named].sort()).toEqual([...new Set(rules)].sort());
  });

  test("bake-ami local serve --faults", async () => {
    expect(section).toContain("bake-ami local serve --faults faults.yaml");
    const env = { BAKE_AMI_LOCAL_DIR: join(directory, "cloud") };
    await planFile("calls: [{fault: denied, action: DescribeVpcs}]\n");
    const outcomes: string[] = [];
    const served = await bakeAmi(["local", "serve", "--port", "0", "--faults", "faults.yaml"], {
      cwd: directory,
      env,
      onLine: (url, child) => {
        const { region, credentials } = clientOptionsWithoutHandler;
        const ec2 = new EC2Client({ region, credentials, endpoint: url, maxAttempts: 1 });
        void ec2
          .send(new DescribeVpcsCommand({}))
          .then(String, (error: unknown) => nameOf(error))
          .then((outcome) => outcomes.push(outcome))
          .finally(() => child.kill("SIGINT"));
      },
    });
    expect(outcomes).toEqual(["UnauthorizedOperation"]);
    expect(served.status).not.toBe(2);
    await planFile("cals: []\n");
    const wrong = await bakeAmi(["local", "serve", "--port", "0", "--faults", "faults.yaml"], {
      cwd: directory,
      env,
    });
    expect(wrong).toMatchObject({ status: 2, stdout: "" });
    expect(wrong.stderr).toMatch(/faults\.yaml:1: cals: there is no such key/);
  });
});

const clientOptionsWithoutHandler = {
  region: "local",
  credentials: { accessKeyId: "local", secretAccessKey: "local" },
};

function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : String(error);
}

/** What a call ends with once it is not throttled: the code of its error, or its result as a text. */
async function untilNotThrottled(call: () => Promise<unknown>): Promise<string> {
  for (;;) {
    const outcome = await call().then(String, (error: unknown) => nameOf(error));
    if (outcome !== "RequestLimitExceeded") return outcome;
  }
}

/** Paths of all keys that a JSON schema has, without the positions of lists. */
function keysIn(schema: unknown, path: string): string[] {
  if (typeof schema !== "object" || schema === null) return [];
  const own = path === "" ? [] : [path];
  const children = Object.entries(schema).flatMap(([name, value]: [string, unknown]) => {
    if (name === "properties" && typeof value === "object" && value !== null) {
      return Object.entries(value).flatMap(([key, child]: [string, unknown]) =>
        keysIn(child, path === "" ? key : `${path}.${key}`),
      );
    }
    if (name === "items" || name === "additionalProperties") return keysIn(value, path === "" ? "" : path);
    return [];
  });
  return [...own, ...children];
}

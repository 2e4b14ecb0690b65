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
import { faultPlanSchema } from "../../src/local/faults/plan.ts";
import { readFaultPlan } from "../../src/local/faults/read-plan.ts";
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

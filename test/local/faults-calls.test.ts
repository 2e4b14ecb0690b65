import { expect, test } from "vitest";
import {
  CreateSecurityGroupCommand,
  DescribeInstancesCommand,
  DescribeSecurityGroupsCommand,
  DescribeVpcsCommand,
  EC2Client,
} from "@aws-sdk/client-ec2";
import { TokenBuckets } from "../../src/local/faults/buckets.ts";
import { chance, Counters, isHit, spanOf } from "../../src/local/faults/chance.ts";
import { faultOf } from "../../src/local/faults/call-faults.ts";
import { faultPlanSchema, type FaultPlan } from "../../src/local/faults/plan.ts";
import { serveLocalCloud } from "../../src/local/serve.ts";
import { clientOptions, stateOnlyCloud, type StateOnlyCloud } from "../support/local-cloud.ts";

/** A client that tries once, as ours does: the fault is what the test looks at. */
function onceOnly(local: StateOnlyCloud): EC2Client {
  return new EC2Client({ ...clientOptions(local.cloud), maxAttempts: 1 });
}

/** The code of each reply to a number of calls; `ok` for a success. */
async function replies(count: number, call: () => Promise<unknown>): Promise<string[]> {
  const codes: string[] = [];
  for (let index = 0; index < count; index += 1) {
    codes.push(
      await call().then(
        () => "ok",
        (error: unknown) => (error instanceof Error ? error.name : String(error)),
      ),
    );
  }
  return codes;
}

test.each([
  ["throttled", "RequestLimitExceeded", 503],
  ["internal-error", "InternalError", 500],
  ["unavailable", "Unavailable", 503],
  ["denied", "UnauthorizedOperation", 403],
] as const)("%s, by the number of the call", async (fault, code, status) => {
  await using local = await stateOnlyCloud({
    faults: { calls: [{ fault, action: "DescribeVpcs", on: [1, 3] }] },
  });
  const ec2 = onceOnly(local);
  const failure: unknown = await ec2.send(new DescribeVpcsCommand({})).catch((error: unknown) => error);
  expect(failure).toMatchObject({ name: code, $metadata: { httpStatusCode: status } });
  expect(await replies(3, () => ec2.send(new DescribeVpcsCommand({})))).toEqual(["ok", code, "ok"]);
  expect(await replies(1, () => ec2.send(new DescribeInstancesCommand({})))).toEqual(["ok"]);
});

test("the reply is lost after the change was made, the request before", async () => {
  await using local = await stateOnlyCloud({
    faults: {
      calls: [
        { fault: "reply-lost", action: "CreateSecurityGroup", on: [1] },
        { fault: "request-lost", action: "CreateSecurityGroup", on: [2] },
      ],
    },
  });
  const ec2 = onceOnly(local);
  for (const GroupName of ["kept", "lost"]) {
    const failure = ec2.send(new CreateSecurityGroupCommand({ GroupName, Description: "a group" }));
    await expect(failure).rejects.toMatchObject({ code: "ECONNRESET" });
  }
  const { SecurityGroups = [] } = await ec2.send(new DescribeSecurityGroupsCommand({}));
  expect(SecurityGroups.map(({ GroupName }) => GroupName)).toEqual(["default", "kept"]);
});

test("over a socket a lost reply is a connection that breaks", async () => {
  await using local = await stateOnlyCloud({ faults: { calls: [{ fault: "reply-lost", on: [1] }] } });
  const stop = new AbortController();
  const errors: unknown[] = [];
  const url = await new Promise<string>((resolve) => {
    void serveLocalCloud({
      cloud: local.cloud,
      port: 0,
      signal: stop.signal,
      onListening: resolve,
      onError: (error) => errors.push(error),
    });
  });
  const { region, credentials } = clientOptions(local.cloud);
  const ec2 = new EC2Client({ region, credentials, endpoint: url, maxAttempts: 1 });
  await expect(ec2.send(new DescribeVpcsCommand({}))).rejects.toMatchObject({ code: "ECONNRESET" });
  expect((await ec2.send(new DescribeVpcsCommand({}))).Vpcs).toHaveLength(1);
  expect(errors).toEqual([]);
  ec2.destroy();
  stop.abort();
});

test("a rate hits its part of the calls, and the same ones again in a replay", async () => {
  const faults: FaultPlan = { seed: 7, calls: [{ fault: "throttled", rate: 0.3 }] };
  const runs: string[][] = [];
  for (let run = 0; run < 2; run += 1) {
    await using local = await stateOnlyCloud({ faults });
    const ec2 = onceOnly(local);
    runs.push(await replies(200, () => ec2.send(new DescribeVpcsCommand({}))));
  }
  expect(runs[0]).toEqual(runs[1]);
  const hits = runs[0]?.filter((code) => code === "RequestLimitExceeded").length;
  expect(hits).toBeGreaterThan(40);
  expect(hits).toBeLessThan(80);
});

test("buckets are refilled by the cloud's clock, each action's by itself", async () => {
  let now = Date.parse("2026-01-02");
  await using local = await stateOnlyCloud({
    now: () => now,
    faults: {
      buckets: {
        "*": { capacity: 3, refillPerSecond: 2 },
        DescribeInstances: { capacity: 1, refillPerSecond: 1 },
      },
    },
  });
  const ec2 = onceOnly(local);
  const vpcs = (): Promise<unknown> => ec2.send(new DescribeVpcsCommand({}));
  const instances = (): Promise<unknown> => ec2.send(new DescribeInstancesCommand({}));
  expect(await replies(4, vpcs)).toEqual(["ok", "ok", "ok", "RequestLimitExceeded"]);
  expect(await replies(2, instances)).toEqual(["ok", "RequestLimitExceeded"]);
  now += 500;
  expect(await replies(2, vpcs)).toEqual(["ok", "RequestLimitExceeded"]);
  expect(await replies(1, instances)).toEqual(["RequestLimitExceeded"]);
  now += 3_600_000;
  expect(await replies(4, vpcs)).toEqual(["ok", "ok", "ok", "RequestLimitExceeded"]);
});

test("whoever stands between client and cloud sees what the client sees", async () => {
  const seen: string[] = [];
  await using local = await stateOnlyCloud({
    faults: { calls: [{ fault: "throttled", on: [1] }] },
    intercept: async (call, carryOut) => {
      const outcome = await carryOut().then(
        ({ status }) => String(status),
        (error: unknown) => String(error),
      );
      seen.push(`${call.action} ${outcome}`);
      return await carryOut();
    },
  });
  await onceOnly(local).send(new DescribeVpcsCommand({}));
  expect(seen).toEqual(["DescribeVpcs ApiError: Request limit exceeded."]);
});

test("what is drawn depends on seed, name and number only", () => {
  expect(chance(1, "a", 1)).toBe(chance(1, "a", 1));
  expect(new Set([chance(1, "a", 1), chance(2, "a", 1), chance(1, "b", 1), chance(1, "a", 2)]).size).toBe(4);
  expect(isHit({}, 1, "a", 5)).toBe(true);
  expect(isHit({ on: [2] }, 1, "a", 5)).toBe(false);
  expect(isHit({ on: [2], rate: 1 }, 1, "a", 5)).toBe(true);
  expect(spanOf(7, 1, "a", 1)).toBe(7);
  const drawn = Array.from({ length: 300 }, (_, index) => spanOf([10, 20], 1, "a", index));
  expect(Math.min(...drawn)).toBe(10);
  expect(Math.max(...drawn)).toBe(20);
});

test("of several rules the first that hits counts, and each counts its own calls", () => {
  const plan = faultPlanSchema.parse({
    calls: [
      { fault: "denied", action: ["Aa", "Bb"], on: [3] },
      { fault: "throttled", action: "Aa", on: [2, 3] },
      { fault: "unavailable", on: [4] },
    ],
  });
  const counters = new Counters();
  const faults = ["Aa", "Bb", "Aa", "Cc", "Aa"].map((action) => faultOf(plan, action, counters));
  expect(faults).toEqual([undefined, undefined, "denied", "unavailable", "throttled"]);
});

test("a clock that is set back takes no tokens away", () => {
  const buckets = new TokenBuckets({ A: { capacity: 2, refillPerSecond: 1 } });
  expect([buckets.take("A", 5000), buckets.take("A", 0), buckets.take("A", 0)]).toEqual([true, true, false]);
});

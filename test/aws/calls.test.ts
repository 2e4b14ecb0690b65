import { DescribeVpcsCommand } from "@aws-sdk/client-ec2";
import { describe, expect, test } from "vitest";
import { createSecurityGroup, deleteKeyPair, importKeyPair } from "../../src/aws/access.ts";
import type { Retry } from "../../src/aws/call.ts";
import { Cloud } from "../../src/aws/cloud.ts";
import { isUncertain, problemOf } from "../../src/aws/cloud-error.ts";
import { describeVpcs } from "../../src/aws/network.ts";
import { readParameter } from "../../src/aws/parameters.ts";
import { BakeError, messageOf } from "../../src/base/errors.ts";
import { errorLines } from "../../src/commands/error-lines.ts";
import { newKeyPair } from "../../src/machine/keys.ts";
import { failureOf } from "../support/failure.ts";
import { stateOnlyCloud, clientOptions } from "../support/local-cloud.ts";
import { scriptedHandler, xmlError, type Answer } from "../support/scripted-handler.ts";
import { VirtualClock } from "../support/virtual-clock.ts";

/* How single calls end, against answers that no polite cloud gives. */

const never = new AbortController().signal;

interface Tried<T> {
  readonly result: PromiseSettledResult<T>;
  readonly calls: number;
  readonly retries: readonly Retry[];
  readonly seconds: number;
}

/** Answers with these, one call after the other; the last one stays. */
async function answered<T>(
  answers: readonly Answer[],
  work: (cloud: Cloud, clock: VirtualClock) => Promise<T>,
): Promise<Tried<T>> {
  const clock = new VirtualClock();
  const began = clock.now();
  const retries: Retry[] = [];
  let calls = 0;
  const cloud = new Cloud({
    region: "local",
    credentials: { accessKeyId: "a", secretAccessKey: "b" },
    requestHandler: scriptedHandler(() => {
      calls += 1;
      return answers[Math.min(calls, answers.length) - 1] ?? noVpcs;
    }),
    clock,
    random: () => 0.5,
    onRetry: (retry) => retries.push(retry),
  });
  const [result] = await clock.run(() => Promise.allSettled([work(cloud, clock)]));
  return { result, calls, retries, seconds: (clock.now() - began) / 1000 };
}

const noVpcs: Answer = { status: 200, body: "<DescribeVpcsResponse><vpcSet/></DescribeVpcsResponse>" };

const ask = (cloud: Cloud): Promise<string[]> => describeVpcs(cloud, [], never);

function errorOf(result: PromiseSettledResult<unknown>): BakeError {
  if (result.status === "rejected" && result.reason instanceof BakeError) return result.reason;
  throw new Error(`it was expected to fail, and did: ${result.status}`);
}

describe("tried again until it works", () => {
  test.each<[string, Answer]>([
    ["throttled", xmlError(503, "RequestLimitExceeded", "Request limit exceeded.")],
    ["a 5xx", xmlError(500, "InternalError", "An internal error has occurred")],
    ["the page of a proxy", { status: 502, body: "<html><body>Bad <b>Gateway</body></html>" }],
    ["half an answer", { status: 200, body: "<DescribeVpcsResponse><vpcSet><item><vpc" }],
    ["no answer at all", "never"],
    [
      "this computer's clock is an hour off",
      {
        ...xmlError(400, "RequestExpired", "Request has expired."),
        headers: { date: new Date(Date.now() + 3_600_000).toUTCString() },
      },
    ],
  ])("%s", async (_, answer) => {
    const { result, calls } = await answered([answer, answer, noVpcs], ask);
    expect(result).toEqual({ status: "fulfilled", value: [] });
    expect(calls).toBe(3);
  });
});

test("a connection that breaks after many refusals is none the worse for them", async () => {
  const throttled = xmlError(503, "RequestLimitExceeded", "Request limit exceeded.");
  const broken = xmlError(500, "InternalError", "An internal error has occurred");
  const refusals = Array.from({ length: 8 }, () => throttled);
  const { result, calls } = await answered([...refusals, broken, ...refusals, broken, noVpcs], ask);
  expect(result.status).toBe("fulfilled");
  expect(calls).toBe(19);
});

describe("given up", () => {
  test("always throttled: after five minutes, which are not more than 60 calls", async () => {
    const { result, calls, seconds } = await answered([xmlError(503, "RequestLimitExceeded", "Slow.")], ask);
    expect(problemOf(errorOf(result))).toBe("throttled");
    expect(seconds).toBeCloseTo(300, 0);
    expect(calls).toBeLessThan(60);
  });

  test("never an answer: after six attempts of 30 s", async () => {
    const { result, calls, seconds } = await answered(["never"], ask);
    expect(errorOf(result).message).toBe("DescribeVpcs: no answer from AWS: none within 30 s");
    expect(calls).toBe(6);
    expect(seconds).toBeGreaterThan(180);
    expect(seconds).toBeLessThan(220);
  });

  test.each([
    ["AuthFailure", "AWS was not able to validate the provided access credentials", /check the profile/],
    ["InvalidParameterValue", "Value (x) for parameter y is invalid.", undefined],
    ["InvalidVpcID.NotFound", "The vpc ID 'vpc-1' does not exist", undefined],
    ["InsufficientInstanceCapacity", "There is no room.", undefined],
  ])("%s: at once", async (code, message, hint) => {
    const { result, calls } = await answered([xmlError(400, code, message)], ask);
    const error = errorOf(result);
    expect(error.message).toBe(`DescribeVpcs: ${message} (${code})`);
    if (hint !== undefined) expect(error.hint).toMatch(hint);
    expect(calls).toBe(1);
  });

  test("an interruption ends a wait between attempts at once", async () => {
    const stop = new AbortController();
    const { result, calls } = await answered(
      [xmlError(503, "RequestLimitExceeded", "Slow.")],
      async (cloud, clock) => {
        const [asked] = await Promise.allSettled([
          describeVpcs(cloud, [], stop.signal),
          clock.sleep(3_000, never).then(() => {
            stop.abort();
          }),
        ]);
        if (asked.status === "rejected") throw asked.reason;
      },
    );
    expect(errorOf(result).kind).toBe("interrupted");
    expect(calls).toBeLessThan(8);
  });
});

describe("a create whose answer does not come", () => {
  const create = (cloud: Cloud, signal = never): Promise<string> =>
    createSecurityGroup(
      cloud,
      { name: "g", description: "d", vpcId: "vpc-1", tags: new Map([["bake-ami:run", "r"]]) },
      signal,
    );

  test("is uncertain in the end", async () => {
    const { result } = await answered(["never"], (cloud) => create(cloud));
    expect(isUncertain(errorOf(result))).toBe(true);
  });

  test("is uncertain when somebody interrupts it, and certain when it was only throttled", async () => {
    for (const [answer, uncertain] of [
      [xmlError(500, "InternalError", "?"), true],
      [xmlError(503, "RequestLimitExceeded", "Slow."), false],
    ] as const) {
      const stop = new AbortController();
      const { result } = await answered([answer], async (cloud, clock) => {
        const [made] = await Promise.allSettled([
          create(cloud, stop.signal),
          clock.sleep(200, never).then(() => {
            stop.abort();
          }),
        ]);
        if (made.status === "rejected") throw made.reason;
      });
      expect(errorOf(result).kind).toBe("interrupted");
      expect(isUncertain(errorOf(result))).toBe(uncertain);
    }
  });
});

describe("denied", () => {
  const words = (action: string, rest: string): string =>
    `You are not authorized to perform this operation. User: arn:aws:iam::123456789012:user/ci is not authorized to perform: ${action} ${rest}. Encoded authorization failure message: ${"Zx9_".repeat(700)}`;

  test("names what IAM refused, which may be another action than the one that was called", async () => {
    const role = "arn:aws:iam::123456789012:role/builder";
    const text = words("iam:PassRole", `on resource: ${role} because no identity-based policy allows it`);
    const { result, calls } = await answered([xmlError(403, "UnauthorizedOperation", text)], ask);
    const error = errorOf(result);
    expect(calls).toBe(1);
    expect(error.message).toMatch(/^DescribeVpcs: needs iam:PassRole on arn:aws:iam::123456789012:role/);
    expect(error.hint).toContain(JSON.stringify({ Effect: "Allow", Action: "iam:PassRole", Resource: role }));
  });

  test("shows nothing of what only AWS can read", async () => {
    const text = words("ec2:DescribeVpcs", "because no identity-based policy allows the action");
    const { result } = await answered([xmlError(403, "UnauthorizedOperation", text)], ask);
    const lines = errorLines(errorOf(result), false);
    expect(lines.join("\n")).not.toContain("Zx9_");
    expect(lines).toHaveLength(2);
    expect(lines[1]).toContain('{"Effect":"Allow","Action":"ec2:DescribeVpcs","Resource":"*"}');
  });

  test("an explicit denial is not helped by an allowance", async () => {
    const text = words("ec2:DescribeVpcs", "with an explicit deny in a service control policy");
    const { result } = await answered([xmlError(403, "UnauthorizedOperation", text)], ask);
    expect(errorOf(result).hint).toMatch(/denies ec2:DescribeVpcs explicitly/);
  });
});

test("something else of the same name is not taken for what an earlier attempt made", async () => {
  await using local = await stateOnlyCloud();
  const cloud = new Cloud(clientOptions(local.cloud));
  const { publicKey } = newKeyPair("");
  const importOf = (run: string): Promise<string> =>
    importKeyPair(cloud, "k", publicKey, new Map([["bake-ami:run", run]]), never);
  const id = await importOf("r1");
  expect((await failureOf(importOf("r2"))).message).toMatch(/InvalidKeyPair\.Duplicate/);
  // A command that was killed and goes on finds its own.
  expect(await importOf("r1")).toBe(id);
  await deleteKeyPair(cloud, id, never);
});

test("a parameter that does not exist is the caller's mistake", async () => {
  await using local = await stateOnlyCloud();
  const error = await failureOf(readParameter(new Cloud(clientOptions(local.cloud)), "/app/image", never));
  expect(error.kind).toBe("usage");
  expect(error.message).toBe("there is no parameter /app/image here");
});

test("many calls at once do not make Node warn of listeners", async () => {
  const warnings: string[] = [];
  const note = (warning: Error): void => {
    warnings.push(warning.name);
  };
  process.on("warning", note);
  const { result } = await answered([noVpcs], (cloud) => {
    const stop = new AbortController();
    return Promise.all(Array.from({ length: 30 }, () => describeVpcs(cloud, [], stop.signal)));
  });
  await new Promise((resolve) => setImmediate(resolve));
  process.off("warning", note);
  expect(result.status).toBe("fulfilled");
  expect(warnings).not.toContain("MaxListenersExceededWarning");
});

test("no credentials: said at once", async () => {
  const cloud = new Cloud({ region: "local", profile: "bake-ami-has-no-such-profile" });
  const began = Date.now();
  const error = await failureOf(
    cloud.ask("DescribeVpcs", never, (o) => cloud.ec2.send(new DescribeVpcsCommand({}), o)),
  );
  expect(error.kind, messageOf(error)).toBe("usage");
  expect(Date.now() - began).toBeLessThan(2_000);
});

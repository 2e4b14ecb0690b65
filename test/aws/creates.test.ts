import { describe, expect, test } from "vitest";
import { createSecurityGroup, importKeyPair, openPorts } from "../../src/aws/access.ts";
import { Cloud } from "../../src/aws/cloud.ts";
import { isUncertain } from "../../src/aws/cloud-error.ts";
import { createImage } from "../../src/aws/images.ts";
import { runInstances, waitForState } from "../../src/aws/instances.ts";
import type { Retry } from "../../src/aws/call.ts";
import type { Interceptor } from "../../src/local/cloud.ts";
import { ApiError } from "../../src/local/protocol/errors.ts";
import { newKeyPair } from "../../src/machine/keys.ts";
import { failureOf } from "../support/failure.ts";
import { leftIn } from "../support/left.ts";
import { clientOptions, stateOnlyCloud, type StateOnlyCloud } from "../support/local-cloud.ts";
import { VirtualClock } from "../support/virtual-clock.ts";

const never = new AbortController().signal;
const tags = new Map([["bake-ami:run", "r1"]]);
const lost = Object.assign(new Error("socket hang up"), { code: "ECONNRESET" });

type Fault = "lost" | ApiError;

/** Gives the first calls of an action these faults, one each. */
function faulty(action: string, faults: readonly Fault[]): Interceptor {
  const left = [...faults];
  return async (call, carryOut) => {
    const fault = call.action === action ? left.shift() : undefined;
    if (fault === undefined) return await carryOut();
    if (fault !== "lost") throw fault;
    await carryOut();
    throw lost;
  };
}

const throttled = new ApiError("RequestLimitExceeded", "Request limit exceeded.", 503);
const internal = new ApiError("InternalError", "An internal error has occurred", 500);
const denied = new ApiError(
  "UnauthorizedOperation",
  "You are not authorized to perform this operation.",
  403,
);

interface Setting {
  readonly cloud: Cloud;
  readonly local: StateOnlyCloud;
  readonly clock: VirtualClock;
  readonly retries: Retry[];
}

const vpcId = "vpc-0bacea3100000000a";

const creates = {
  ImportKeyPair: ({ cloud }: Setting) => importKeyPair(cloud, "k", newKeyPair("").publicKey, tags, never),
  CreateSecurityGroup: ({ cloud }: Setting) =>
    createSecurityGroup(cloud, { name: "g", description: "d", vpcId, tags }, never),
  RunInstances: async ({ cloud, local }: Setting) => {
    const [instance] = await runInstances(
      cloud,
      {
        imageId: local.imageId,
        type: "t3.small",
        count: 1,
        keyName: undefined,
        groupIds: [],
        subnetId: undefined,
        userData: undefined,
        clientToken: "t1",
        tags,
        shutdownBehavior: "terminate",
      },
      never,
    );
    return instance?.id ?? "";
  },
} satisfies Record<string, (setting: Setting) => Promise<string>>;

async function within<T>(intercept: Interceptor, work: (setting: Setting) => Promise<T>): Promise<T> {
  const clock = new VirtualClock();
  const retries: Retry[] = [];
  await using local = await stateOnlyCloud({ intercept, now: clock.now });
  const cloud = new Cloud({
    ...clientOptions(local.cloud),
    clock,
    random: () => 0.9,
    onRetry: (retry) => retries.push(retry),
  });
  return await clock.run(() => work({ cloud, local, clock, retries }));
}

describe.each(Object.entries(creates))("%s", (action, create) => {
  test.each<[string, readonly Fault[], number]>([
    ["throttled twice", [throttled, throttled], 2],
    ["a 5xx once", [internal], 1],
    ["the answer lost", ["lost"], 1],
    ["the answer lost three times", ["lost", "lost", "lost"], 1],
    ["a 5xx, then the answer lost", [internal, "lost"], 1],
  ])("%s: one thing, no more", async (_, faults, fewest) => {
    await within(faulty(action, faults), async (setting) => {
      const id = await create(setting);
      expect(await leftIn(setting.local)).toEqual([id]);
      expect(setting.retries.length).toBeGreaterThanOrEqual(fewest);
    });
  });

  test("denied: at once, with the statement that would allow it", async () => {
    await within(faulty(action, [denied]), async (setting) => {
      const { message, hint } = await failureOf(create(setting));
      expect(message).toMatch(new RegExp(`^${action} \\S+.*: You are not authorized`));
      expect(hint).toContain(`"Action":"ec2:${action}"`);
      expect(setting.retries).toEqual([]);
    });
  });

  test("every answer a 5xx: an error that says that it is uncertain", async () => {
    const always = Array.from({ length: 50 }, () => internal);
    await within(faulty(action, always), async (setting) => {
      expect(isUncertain(await failureOf(create(setting)))).toBe(true);
      expect(setting.retries).toHaveLength(5);
    });
  });
});

test("CreateImage: a lost answer is looked up by name, and makes no second image", async () => {
  await within(faulty("CreateImage", ["lost", "lost"]), async (setting) => {
    const instanceId = await creates.RunInstances(setting);
    await waitForState(setting.cloud, instanceId, "running", 60, never);
    const request = { instanceId, name: "image-1", description: "d", tags, reboot: false };
    const id = await createImage(setting.cloud, request, never);
    expect(await leftIn(setting.local)).toEqual([instanceId, id]);
  });
});

test("ports whose opening was answered to nobody are open", async () => {
  await within(faulty("AuthorizeSecurityGroupIngress", ["lost"]), async (setting) => {
    const id = await creates.CreateSecurityGroup(setting);
    await openPorts(setting.cloud, id, [{ port: 22, cidr: "192.0.2.1/32" }], never);
  });
});

test("what was made a moment ago may take a while to be found; what never was is not waited for", async () => {
  const hidden = new ApiError("InvalidGroup.NotFound", "The security group does not exist");
  await within(faulty("AuthorizeSecurityGroupIngress", [hidden, hidden, hidden]), async (setting) => {
    const id = await creates.CreateSecurityGroup(setting);
    await openPorts(setting.cloud, id, [{ port: 22, cidr: "192.0.2.1/32" }], never);
    expect(setting.retries.map(({ problem }) => problem)).toEqual(["not-found", "not-found", "not-found"]);
  });
  await within(faulty("none", []), async (setting) => {
    const began = setting.clock.now();
    const local = { ...setting.local, imageId: "ami-0000000000000dead" };
    const { message } = await failureOf(creates.RunInstances({ ...setting, local }));
    expect(message).toContain("ami-0000000000000dead");
    expect(setting.clock.now() - began).toBe(0);
  });
});

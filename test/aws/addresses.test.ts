import { DescribeAddressesCommand } from "@aws-sdk/client-ec2";
import { expect, test } from "vitest";
import { allocateAddress, associateAddress, releaseAddress } from "../../src/aws/addresses.ts";
import { Cloud } from "../../src/aws/cloud.ts";
import type { Interceptor } from "../../src/local/cloud.ts";
import { ApiError } from "../../src/local/protocol/errors.ts";
import { failureOf } from "../support/failure.ts";
import { instance } from "../support/leavings.ts";
import { clientOptions, stateOnlyCloud, type StateOnlyCloud } from "../support/local-cloud.ts";
import { VirtualClock } from "../support/virtual-clock.ts";

const { signal } = new AbortController();
const tags = new Map([
  ["bake-ami:run", "r1"],
  ["bake-ami:role", "machine-address"],
]);

/** Carries the first calls of an action out, and lets their answers be lost. */
function losing(action: string, times: number): Interceptor {
  let left = times;
  return async (call, carryOut) => {
    const reply = await carryOut();
    if (call.action !== action || left === 0) return reply;
    left -= 1;
    throw Object.assign(new Error("socket hang up"), { code: "ECONNRESET" });
  };
}

async function within(
  intercept: Interceptor,
  work: (place: { local: StateOnlyCloud; cloud: Cloud; clock: VirtualClock }) => Promise<void>,
): Promise<void> {
  const clock = new VirtualClock();
  await using local = await stateOnlyCloud({ intercept, now: clock.now });
  const cloud = new Cloud({ ...clientOptions(local.cloud), clock });
  await clock.run(() => work({ local, cloud, clock }));
}

const count = async ({ ec2 }: StateOnlyCloud): Promise<number> =>
  (await ec2.send(new DescribeAddressesCommand())).Addresses?.length ?? 0;

test("an allocation whose answer is lost is looked up by its run, and made once", async () => {
  await within(losing("AllocateAddress", 2), async ({ local, cloud }) => {
    const { id } = await allocateAddress(cloud, tags, signal);
    expect(id).toMatch(/^eipalloc-/);
    expect(await count(local)).toBe(1);
    await releaseAddress(cloud, id, 60, signal);
    await releaseAddress(cloud, id, 60, signal);
    expect(await count(local)).toBe(0);
  });
});

test("a binding whose answer is lost is the one that there is", async () => {
  await within(losing("AssociateAddress", 1), async ({ local, cloud }) => {
    const { id } = await allocateAddress(cloud, tags, signal);
    const machine = await instance(local, "machine");
    expect(await associateAddress(cloud, id, machine, signal)).toMatch(/^eipassoc-/);
  });
});

test("an address that something keeps is waited for, but not for ever", async () => {
  const kept = new ApiError("InvalidIPAddress.InUse", "Address is in use.", 400);
  const intercept: Interceptor = async (call, carryOut) => {
    if (call.action === "ReleaseAddress") throw kept;
    return await carryOut();
  };
  await within(intercept, async ({ cloud, clock }) => {
    const { id } = await allocateAddress(cloud, tags, signal);
    const began = clock.now();
    const failure = await failureOf(releaseAddress(cloud, id, 60, signal));
    expect(failure).toMatchObject({ kind: "timeout" });
    expect(failure.message).toContain(`address ${id} to be free`);
    expect(clock.now() - began).toBe(60_000);
  });
});

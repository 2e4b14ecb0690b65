import { expect, test } from "vitest";
import { Cloud } from "../../src/aws/cloud.ts";
import { problemOf } from "../../src/aws/cloud-error.ts";
import { createImage, deleteImage, describeImages } from "../../src/aws/images.ts";
import { architectureOf } from "../../src/aws/instance-types.ts";
import { endedEarly, runInstances, waitForState, waitForStates } from "../../src/aws/instances.ts";
import { pauseMs, poll, type ScheduleName } from "../../src/aws/poll.ts";
import { BakeError } from "../../src/base/errors.ts";
import type { Interceptor } from "../../src/local/cloud.ts";
import { ApiError } from "../../src/local/protocol/errors.ts";
import { failureOf } from "../support/failure.ts";
import { leftIn } from "../support/left.ts";
import { clientOptions, stateOnlyCloud, type StateOnlyCloud } from "../support/local-cloud.ts";
import { anInstance } from "../support/resources.ts";
import { VirtualClock } from "../support/virtual-clock.ts";

const never = new AbortController().signal;
const tags = new Map([["bake-ami:run", "r1"]]);

interface Setting {
  readonly cloud: Cloud;
  readonly local: StateOnlyCloud;
  readonly clock: VirtualClock;
  /** Names of all calls so far. */
  readonly calls: string[];
}

/** A cloud whose instances take 20 s to start, 40 s to stop and 30 s to end. */
async function slowCloud(
  work: (setting: Setting) => Promise<void>,
  intercept: Interceptor = async (_, carryOut) => await carryOut(),
): Promise<void> {
  const clock = new VirtualClock();
  const calls: string[] = [];
  await using local = await stateOnlyCloud({
    now: clock.now,
    delays: { start: 20_000, stop: 40_000, terminate: 30_000 },
    intercept: async (call, carryOut) => {
      calls.push(call.action);
      return await intercept(call, carryOut);
    },
  });
  const cloud = new Cloud({ ...clientOptions(local.cloud), clock, random: () => 0.5 });
  await clock.run(() => work({ cloud, local, clock, calls }));
}

async function start({ cloud, local }: Setting, count: number): Promise<string[]> {
  const started = await runInstances(
    cloud,
    {
      imageId: local.imageId,
      type: "t3.small",
      count,
      keyName: undefined,
      groupIds: [],
      subnetId: undefined,
      userData: undefined,
      clientToken: "t",
      tags,
      shutdownBehavior: "terminate",
    },
    never,
  );
  return started.map(({ id }) => id);
}

test("one Describe asks for all that are waited for", async () => {
  await slowCloud(async (setting) => {
    const ids = await start(setting, 20);
    const began = setting.clock.now();
    const running = await waitForStates(setting.cloud, ids, "running", 60, never);
    expect(running.map((instance) => instance?.id)).toEqual(ids);
    expect(running.every((instance) => instance?.state === "running")).toBe(true);
    const looks = setting.calls.filter((action) => action === "DescribeInstances").length;
    expect(looks).toBeLessThan(15);
    expect(setting.clock.now() - began).toBeLessThan(23_000);
  });
});

test("a wait ends at its deadline, or with an instance that cannot get there any more, and says why", async () => {
  await slowCloud(async (setting) => {
    const [id = ""] = await start(setting, 1);
    const waiting = waitForState(setting.cloud, id, "running", 5, never);
    expect((await failureOf(waiting)).message).toBe(
      `gave up after 5 s of waiting for instance ${id} to be running`,
    );
  });
  const error = endedEarly(
    anInstance("i-1", {
      state: "terminated",
      stateReason: "Server.InsufficientInstanceCapacity: there was no room",
      stateReasonCode: "Server.InsufficientInstanceCapacity",
    }),
  );
  expect(error.message).toContain("i-1 is terminated: Server.InsufficientInstanceCapacity");
  // So that whoever started it tries elsewhere.
  expect(problemOf(error)).toBe("capacity");
  expect(problemOf(endedEarly(anInstance("i-2", { state: "stopped" })))).toBe("permanent");
});

test("minutes without the cloud do not end a wait, and more than ten do", async () => {
  const lookAfter = async (outageMinutes: number): Promise<string> => {
    const clock = new VirtualClock();
    const back = clock.now() + outageMinutes * 60_000;
    const look = (): Promise<string | undefined> => {
      if (clock.now() >= back) return Promise.resolve("seen");
      const cause = Object.assign(new Error("no network"), { code: "ENETUNREACH" });
      return Promise.reject(new BakeError("cloud", "no answer", { cause }));
    };
    return await clock.run(() => poll("it", 86_400, never, look, { clock, schedule: "image" }));
  };
  expect(await lookAfter(9)).toBe("seen");
  expect((await failureOf(lookAfter(11))).message).toBe("no answer");
});

test("a failure of another kind ends a wait at once", async () => {
  const clock = new VirtualClock();
  const look = (): Promise<undefined> => Promise.reject(new BakeError("failed", "the image is broken"));
  const failure = failureOf(clock.run(() => poll("it", 60, never, look, { clock })));
  expect((await failure).message).toBe("the image is broken");
});

test.each<[ScheduleName, number]>([
  ["quick", 5_000],
  ["instance", 8_000],
  ["stop", 12_000],
  ["image", 30_000],
])("%s: the first looks are quick, and pauses stay bounded for a day", (schedule, longest) => {
  const looks: number[] = [0];
  for (let at = 0; at < 86_400_000;) {
    const pause = pauseMs(schedule, at);
    expect(pause).toBeGreaterThan(0);
    expect(pause).toBeLessThanOrEqual(longest);
    at += pause;
    looks.push(at);
  }
  expect(looks[1]).toBeLessThanOrEqual(200);
  expect(looks.length).toBeLessThanOrEqual(86_400_000 / 5_000 + 60);
});

test("an image that is deleted takes its snapshot along, though EC2 counts it as used for a while", async () => {
  let refusals = 2;
  const busy: Interceptor = async (call, carryOut) => {
    if (call.action === "DeleteSnapshot" && refusals > 0) {
      refusals -= 1;
      throw new ApiError("InvalidSnapshot.InUse", "The snapshot is currently in use");
    }
    return await carryOut();
  };
  await slowCloud(async (setting) => {
    const { cloud, local } = setting;
    const [instanceId = ""] = await start(setting, 1);
    await waitForState(cloud, instanceId, "running", 60, never);
    const request = { instanceId, name: "image", description: "d", tags, reboot: false };
    const id = await createImage(cloud, request, never);
    const [image] = await describeImages(cloud, ["self"], [{ Name: "image-id", Values: [id] }], never);
    if (image === undefined) throw new Error("the image does not show");
    // As EC2 shows a pending image.
    await deleteImage(cloud, { ...image, snapshotIds: [] }, never);
    expect(await leftIn(local)).toEqual([instanceId]);
    expect(refusals).toBe(0);
  }, busy);
});

test("a type that does not exist comes with the one that was meant", async () => {
  await slowCloud(async ({ cloud }) => {
    expect(await architectureOf(cloud, ["t3.small", "t4g.small"], never)).toEqual(
      new Map([
        ["t3.small", "x86_64"],
        ["t4g.small", "arm64"],
      ]),
    );
    const error = await failureOf(architectureOf(cloud, ["t3.small", "t3.smal"], never));
    expect(error.kind).toBe("usage");
    expect(error.message).toBe("this Region has no instance type t3.smal");
    expect(error.hint).toContain('did you mean "t3.small"?');
  });
});

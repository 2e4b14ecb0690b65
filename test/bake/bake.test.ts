import {
  DescribeImagesCommand,
  DescribeInstancesCommand,
  DescribeSnapshotsCommand,
} from "@aws-sdk/client-ec2";
import { expect, test } from "vitest";
import { bake } from "../../src/bake/bake.ts";
import { BakeError } from "../../src/base/errors.ts";
import type { Interceptor } from "../../src/local/cloud.ts";
import { ApiError } from "../../src/local/protocol/errors.ts";
import { publicKeyBody } from "../../src/machine/keys.ts";
import { memoryRecords, planOf, testBake, willingMachines, type MachineLog } from "../support/bake.ts";
import { stateOnlyCloud } from "../support/local-cloud.ts";
import { VirtualClock } from "../support/virtual-clock.ts";
import { failureOf } from "../support/failure.ts";
import { leftIn } from "../support/left.ts";

/** Notes each call's action, and refuses what `refuse` gives an error for. */
function watching(
  calls: string[],
  refuse: (action: string, query: Readonly<Record<string, unknown>>) => ApiError | undefined = () =>
    undefined,
): Interceptor {
  return async ({ action, query }, carryOut) => {
    calls.push(action);
    const error = refuse(action, query);
    if (error !== undefined) throw error;
    return await carryOut();
  };
}

test("a bake leaves an image that tells all about itself, and nothing else", async () => {
  await using local = await stateOnlyCloud();
  const { options, log, events } = testBake(local, { extraTags: new Map([["team", "web"]]) });
  const result = await bake(options);
  expect(log.deeds).toEqual([expect.stringMatching(/^connect 127\./), "init web", "seal", "close", "close"]);
  const { Images = [] } = await local.ec2.send(new DescribeImagesCommand({ Owners: ["self"] }));
  const { Snapshots = [] } = await local.ec2.send(new DescribeSnapshotsCommand({ OwnerIds: ["self"] }));
  const [image] = Images;
  expect(Images).toHaveLength(1);
  expect(image).toMatchObject({ ImageId: result.imageId, State: "available", ImdsSupport: "v2.0" });
  expect(image?.Description).toMatch(/^web; on debian-12-amd64-20260102; plan [0-9a-f]{16}$/);
  const tags = new Map(image?.Tags?.map(({ Key, Value }) => [Key, Value]));
  expect(tags.get("bake-ami:services")).toBe("web");
  expect(tags.get("bake-ami:base")).toBe(local.imageId);
  expect(tags.get("bake-ami:run")).toBe(options.run);
  expect(tags.get("bake-ami:init.1")).toMatch(/^web=[0-9a-f]+$/);
  expect(tags.get("bake-ami:digest")).toMatch(/^[0-9a-f]{32}$/);
  expect(tags.get("team")).toBe("web");
  expect(tags.has("bake-ami:expires")).toBe(false);
  expect(Snapshots).toHaveLength(1);
  expect(Snapshots[0]?.Tags?.map(({ Key }) => Key)).toContain("bake-ami:run");
  expect(await leftIn(local)).toEqual([result.imageId]);
  expect(events.filter(({ type }) => type === "warning")).toEqual([]);
});

test("the host key that user data plants is the only one that is trusted", async () => {
  await using local = await stateOnlyCloud();
  let planted = "";
  const { options, log } = testBake(local);
  const watched = watching([], (action, query) => {
    if (action === "RunInstances") planted = Buffer.from(String(query["UserData"]), "base64").toString();
    return undefined;
  });
  await using watchedCloud = await stateOnlyCloud({ intercept: watched });
  await bake({ ...options, ...pick(testBake(watchedCloud).options) });
  const line = /ed25519_public: (.*)/.exec(planted)?.[1] ?? "";
  expect(log.targets[0]?.hostKeys.map(publicKeyBody)).toEqual([publicKeyBody(line)]);
});

const pick = <T extends { cloud: unknown; source: unknown }>({
  cloud,
  source,
}: T): Pick<T, "cloud" | "source"> => ({
  cloud,
  source,
});

test("access goes while the image is made; nobody waits for the builder's end", async () => {
  const calls: string[] = [];
  await using local = await stateOnlyCloud({ intercept: watching(calls) });
  await bake(testBake(local).options);
  const at = (action: string): number => calls.lastIndexOf(action);
  expect(at("DeleteKeyPair")).toBeGreaterThan(at("CreateImage"));
  expect(at("DeleteSecurityGroup")).toBeGreaterThan(at("CreateImage"));
  expect(at("DeleteSecurityGroup")).toBeLessThan(at("TerminateInstances"));
  expect(calls.at(-1)).toBe("TerminateInstances");
});

test("another zone, then another type, when EC2 has no capacity", async () => {
  const calls: string[] = [];
  const tried: string[] = [];
  const full = new ApiError("InsufficientInstanceCapacity", "There is no Spot capacity available.", 500);
  const intercept = watching(calls, (action, query) => {
    if (action !== "RunInstances") return undefined;
    const spot = query["InstanceMarketOptions"] === undefined ? "" : "spot ";
    tried.push(`${spot}${String(query["InstanceType"])}`);
    return tried.length < 6 ? full : undefined;
  });
  await using local = await stateOnlyCloud({ intercept });
  const { options, events } = testBake(local, { types: ["t3.small", "t3.medium"], spot: true });
  await bake(options);
  expect(tried).toEqual([
    ...["spot t3.small", "spot t3.small", "spot t3.medium", "spot t3.medium"],
    ...["t3.small", "t3.small"],
  ]);
  const notes = events.flatMap((event) => (event.type === "note" ? [event.message] : []));
  expect(notes).toHaveLength(5);
  expect(notes[0]).toMatch(/^no capacity for spot t3.small in locala .*; trying spot t3.small in localb/);
});

test("no capacity anywhere is one error that lists what was tried", async () => {
  const full = new ApiError("InsufficientInstanceCapacity", "none", 500);
  await using local = await stateOnlyCloud({
    intercept: watching([], (action) => (action === "RunInstances" ? full : undefined)),
  });
  const { message, details, hint } = await failureOf(bake(testBake(local).options));
  expect(message).toBe("EC2 has no capacity for the builder");
  expect(details.map((line) => line.split(" (")[0])).toEqual(["t3.small in locala", "t3.small in localb"]);
  expect(hint).toContain("--type");
  expect(await leftIn(local)).toEqual([]);
});

test("a spot builder is imaged as it runs, because EC2 does not stop it", async () => {
  const calls: string[] = [];
  await using local = await stateOnlyCloud({ intercept: watching(calls) });
  const { options } = testBake(local, { spot: true });
  const { imageId } = await bake(options);
  expect(calls).not.toContain("StopInstances");
  expect(await leftIn(local)).toEqual([imageId]);
});

test("what fails on a good image is a warning", async () => {
  const denied = new ApiError(
    "UnauthorizedOperation",
    "You are not authorized to perform this operation.",
    403,
  );
  await using local = await stateOnlyCloud({
    intercept: watching([], (action) =>
      ["DeleteTags", "ModifyImageAttribute", "ModifyInstanceAttribute"].includes(action) ? denied : undefined,
    ),
  });
  const { options, events } = testBake(local);
  const { imageId } = await bake(options);
  const warnings = events.flatMap((event) => (event.type === "warning" ? [event] : []));
  expect(warnings.map(({ message }) => message)).toEqual([
    expect.stringContaining(`${imageId} does not ask its machines for IMDSv2`),
    expect.stringContaining(`${imageId} is good, but looks unfinished`),
  ]);
  expect(warnings[1]?.hint).toContain("aws ec2 delete-tags --resources");
  expect(await leftIn(local)).toEqual([imageId]);
});

test("pause-after: that service first, then a person, then the rest", async () => {
  await using local = await stateOnlyCloud();
  const { options, log } = testBake(local, { plan: planOf("a", "b") });
  const wait = (id: string): Promise<void> => {
    log.deeds.push(`pause ${id.slice(0, 2)}`);
    return Promise.resolve();
  };
  await bake({ ...options, pauseAfter: { service: "a", wait } });
  expect(log.deeds.slice(1, 5)).toEqual(["init a", "pause i-", "init a b", "seal"]);
  await expect(bake({ ...options, pauseAfter: { service: "c", wait } })).rejects.toThrow(
    "no service c to pause after",
  );
});

const broken = (log: MachineLog): ReturnType<typeof willingMachines> =>
  willingMachines(log, { init: () => Promise.reject(new BakeError("phase-failed", "init of web failed")) });

test("a failure cleans up", async () => {
  await using local = await stateOnlyCloud();
  const { options, log } = testBake(local);
  const failing = { ...options, reach: { ...options.reach, openMachine: broken(log) } };
  await expect(bake(failing)).rejects.toThrow("init of web failed");
  expect(await leftIn(local)).toEqual([]);
});

test("on-error keep leaves the builder, and --resume goes on with it", async () => {
  await using local = await stateOnlyCloud();
  const records = memoryRecords();
  const { options, log } = testBake(local, { onError: "keep", records });
  const failing = { ...options, reach: { ...options.reach, openMachine: broken(log) } };
  const { kind, hint } = await failureOf(bake(failing));
  expect(kind).toBe("phase-failed");
  expect(hint).toMatch(/builder i-\w+ is kept until .*bake-ami ssh i-\w+`; go on: `bake-ami web --resume`/);
  const { Reservations } = await local.ec2.send(new DescribeInstancesCommand({}));
  const kept = Reservations?.[0]?.Instances?.[0];
  expect(kept?.Tags).toContainEqual({ Key: "bake-ami:kept", Value: "yes" });
  expect(await leftIn(local)).toHaveLength(3);
  expect([...records.kept.keys()]).toEqual([options.run]);

  const again = testBake(local, { records, resume: true });
  const { imageId } = await bake(again.options);
  expect(again.log.targets[0]).toMatchObject({
    instanceId: kept?.InstanceId,
    hostKeys: log.targets[0]?.hostKeys,
  });
  expect(again.log.deeds.slice(1, 3)).toEqual(["init web", "seal"]);
  expect(await leftIn(local)).toEqual([imageId]);
  expect(records.kept.size).toBe(0);
});

test("resume without a builder, and with one whose command still works, are refused", async () => {
  await using local = await stateOnlyCloud();
  await expect(bake(testBake(local, { resume: true }).options)).rejects.toMatchObject({
    kind: "usage",
    message: "there is no builder of web to go on with",
  });
  const live = new Set<string>();
  const records = memoryRecords(live);
  const { options, log } = testBake(local, { onError: "keep", records });
  live.add(options.run);
  await expect(bake({ ...options, reach: { ...options.reach, openMachine: broken(log) } })).rejects.toThrow();
  await expect(bake(testBake(local, { resume: true, records }).options)).rejects.toThrow(
    `run ${options.run} is still at work`,
  );
});

test("a resumed bake keeps to the time that its builder was given", async () => {
  const clock = new VirtualClock();
  await using local = await stateOnlyCloud({ now: clock.now });
  const records = memoryRecords();
  const { options, log } = testBake(local, { onError: "keep", records, maxBakeSeconds: 600 }, { clock });
  const failing = { ...options, reach: { ...options.reach, openMachine: broken(log) } };
  const never = new AbortController().signal;
  await clock.run(async () => {
    await expect(bake(failing)).rejects.toThrow();
    await clock.sleep(400_000, never);
    const again = testBake(local, { records, resume: true, onError: "keep" }, { clock });
    const hanging = willingMachines(again.log, {
      init: (_run, _services, _bundle, signal) => clock.sleep(9e6, signal),
    });
    const slow = { ...again.options, reach: { ...again.options.reach, openMachine: hanging } };
    expect((await failureOf(bake(slow))).message).toMatch(/gave up after (199|200) s/);
    const late = await failureOf(bake(testBake(local, { records, resume: true }, { clock }).options));
    expect(late.message).toMatch(/has passed its time|there is no builder/);
  });
});

test("the same command again joins an image that is not finished", async () => {
  await using local = await stateOnlyCloud();
  const denied = new ApiError("UnauthorizedOperation", "no", 403);
  let deny = true;
  await using second = await stateOnlyCloud({
    intercept: watching([], (action) => (deny && action === "DeleteTags" ? denied : undefined)),
  });
  const first = await bake(testBake(second).options);
  deny = false;
  const records = memoryRecords();
  const joined = await bake(testBake(second, { records }).options);
  // A cleanup meanwhile would have left the image alone.
  expect(records.claimed).toEqual([first.run]);
  expect(joined).toMatchObject({ imageId: first.imageId, joined: first.run });
  // It is finished now, so the next bake makes a new one.
  const fresh = await bake(testBake(second).options);
  expect(fresh.imageId).not.toBe(first.imageId);
  expect(await leftIn(local)).toEqual([]);
});

test("the same command again waits for a bake that is at work, and takes over one whose command is gone", async () => {
  await using local = await stateOnlyCloud();
  const live = new Set<string>();
  const records = memoryRecords(live);
  let release: () => void = () => undefined;
  const gate = new Promise<void>((resolve) => (release = resolve));
  const { options, log } = testBake(local, { records });
  live.add(options.run);
  const slow = willingMachines(log, { init: () => gate });
  const working = bake({ ...options, reach: { ...options.reach, openMachine: slow } });
  while (!log.deeds.includes("init web")) await new Promise((resolve) => setTimeout(resolve, 10));
  const other = testBake(local, { records });
  const joining = bake(other.options);
  while (!other.events.some(({ type }) => type === "note"))
    await new Promise((resolve) => setTimeout(resolve, 10));
  release();
  const [first, second] = await Promise.all([working, joining]);
  expect(second).toMatchObject({ imageId: first.imageId, joined: options.run });
  expect(other.log.deeds).toEqual([]);

  const dying = testBake(local, { records, onError: "keep" });
  await expect(
    bake({ ...dying.options, reach: { ...dying.options.reach, openMachine: broken(dying.log) } }),
  ).rejects.toThrow();
  const heir = testBake(local, { records });
  const { imageId } = await bake(heir.options);
  expect(heir.log.targets[0]?.instanceId).toBe(dying.log.targets[0]?.instanceId);
  expect((await leftIn(local)).sort()).toEqual([first.imageId, imageId].sort());
});

test("types of two architectures, or an unknown one, are refused before anything is started", async () => {
  const calls: string[] = [];
  await using local = await stateOnlyCloud({ intercept: watching(calls) });
  await expect(bake(testBake(local, { types: ["t3.small", "t4g.small"] }).options)).rejects.toMatchObject({
    kind: "usage",
    details: ["t3.small is x86_64", "t4g.small is arm64"],
  });
  await expect(bake(testBake(local, { types: ["t3.smal"] }).options)).rejects.toThrow("t3.smal");
  expect(calls).not.toContain("ImportKeyPair");
});

import { CreateTagsCommand, DescribeInstancesCommand } from "@aws-sdk/client-ec2";
import { expect, test } from "vitest";
import { Cloud } from "../../src/aws/cloud.ts";
import type { Image } from "../../src/aws/images.ts";
import { messageOf } from "../../src/base/errors.ts";
import { launchedResult } from "../../src/commands/machine-lines.ts";
import { findImage } from "../../src/launch/choose-image.ts";
import { checkInstanceType } from "../../src/launch/instance-type.ts";
import { changedSince, checkLate } from "../../src/launch/known-services.ts";
import { launch, type LaunchOptions } from "../../src/launch/launch.ts";
import { newKeyPair } from "../../src/local/key-format.ts";
import type { Event } from "../../src/report/events.ts";
import { image as bakedImage, owner } from "../support/leavings.ts";
import { clientOptions, stateOnlyCloud, type StateOnlyCloud } from "../support/local-cloud.ts";
import { anImage } from "../support/resources.ts";
import { VirtualClock } from "../support/virtual-clock.ts";

const { signal } = new AbortController();

/** A cloud whose machines have this on their consoles. */
async function cloudWithConsole(console: string, clock = new VirtualClock()): Promise<StateOnlyCloud> {
  const output = Buffer.from(console).toString("base64");
  return await stateOnlyCloud({
    now: clock.now,
    intercept: async (call, carryOut) => {
      const reply = await carryOut();
      if (call.action !== "GetConsoleOutput" || reply.status !== 200) return reply;
      const body = reply.body.replace(/<output>.*?<\/output>|<output\s*\/>/, "");
      return { ...reply, body: body.replace("</GetConsoleOutputResponse>", `<output>${output}</output>$&`) };
    },
  });
}

async function launchOf(
  local: StateOnlyCloud,
  rest: Partial<LaunchOptions> & { names?: readonly string[] } = {},
): Promise<{ options: LaunchOptions; events: Event[] }> {
  const events: Event[] = [];
  const cloud = new Cloud(clientOptions(local.cloud));
  const names = rest.names ?? ["web"];
  const choice = await findImage(cloud, { owner, names, extra: [], local: undefined }, signal);
  return {
    events,
    options: {
      cloud,
      choice,
      run: "20260102-030405-abcdef",
      owner,
      instanceType: "t3.micro",
      count: 1,
      ports: [{ port: 22, cidr: "127.0.0.0/8" }],
      loginKey: `${newKeyPair("ed25519").line} me`,
      waitSeconds: 600,
      listener: (event) => events.push(event),
      signal,
      ...rest,
    },
  };
}

async function states({ ec2 }: StateOnlyCloud): Promise<(string | undefined)[]> {
  const { Reservations = [] } = await ec2.send(new DescribeInstancesCommand());
  return Reservations.flatMap(({ Instances = [] }) => Instances).flatMap(({ ImageId, State, Tags = [] }) =>
    Tags.some(({ Key, Value }) => Key === "bake-ami:role" && Value === "machine")
      ? [ImageId === undefined ? undefined : State?.Name]
      : [],
  );
}

test("the update succeeded", async () => {
  await using local = await cloudWithConsole(
    "bake-ami: phase=update run=boot-1 result=ok services=web failed=- not-started=- init=-",
  );
  await bakedImage(local, "baked", false);
  const { options } = await launchOf(local);
  const result = launchedResult(await launch(options));
  expect(result.error).toBeUndefined();
  expect(result.text).toMatch(/^i-[0-9a-f]{17} 127\./);
  expect(result.value).toMatchObject([{ role: "machine", update: { result: "ok" } }]);
});

test("a failed update: the machine stays and is shown, with the reason and what to do next", async () => {
  await using local = await cloudWithConsole(
    [
      "bake-ami: why run=boot-1 web: update: step 10-start.sh ended with status 3",
      "bake-ami: phase=update run=boot-1 result=failed services=web failed=web not-started=- init=-",
    ].join("\n"),
  );
  await bakedImage(local, "baked", false);
  const { options } = await launchOf(local);
  const { text, error } = launchedResult(await launch(options));
  const [id = ""] = text.split(" ");
  expect(error?.message).toBe(`the update failed on ${id}`);
  expect(error?.details).toEqual([
    `${id}: FAILED: web`,
    "  web: update: step 10-start.sh ended with status 3",
  ]);
  expect(error?.hint).toContain(`\`bake-ami logs ${id}\``);
  expect(await states(local)).toEqual(["running"]);
});

test("waited in vain: the machine stays, and the message says what was waited for, how long, and what to do", async () => {
  const clock = new VirtualClock();
  await using local = await cloudWithConsole("booting", clock);
  await bakedImage(local, "baked", false);
  const cloud = new Cloud({ ...clientOptions(local.cloud), clock });
  const { options, events } = await launchOf(local, { count: 2 });
  const launched = await clock.run(() => launch({ ...options, cloud }));
  const { text, error } = launchedResult(launched);
  expect(text.split("\n")).toHaveLength(2);
  expect(error?.kind).toBe("timeout");
  expect(error?.message).toMatch(/the update was not seen to end on i-\S+, i-\S+$/);
  expect(error?.details[0]).toMatch(/gave up after 600 s of waiting for the update of i-/);
  expect(error?.hint).toContain("--timeout sets how long to wait");
  expect(events).toContainEqual(expect.objectContaining({ type: "stage-finished", failed: true }));
  expect(await states(local)).toEqual(["running", "running"]);
});

test("an interruption while waiting ends what was started", async () => {
  await using local = await cloudWithConsole("booting");
  await bakedImage(local, "baked", false);
  const abort = new AbortController();
  const { options } = await launchOf(local);
  const listener = (event: Event): void => {
    if (event.type === "stage-started" && event.stage === "update") abort.abort();
  };
  await expect(launch({ ...options, listener, signal: abort.signal })).rejects.toMatchObject({
    kind: "interrupted",
  });
  expect(await states(local)).not.toContain("running");
});

test("an image without bake-ami is not waited for, and its machines have the login that was given", async () => {
  await using local = await cloudWithConsole("booting");
  const { options, events } = await launchOf(local, { names: [local.imageId], login: "root" });
  const [launched] = await launch(options);
  expect(launched?.outcome).toBeUndefined();
  expect(launched?.trouble).toBeUndefined();
  expect(launched?.instance.tags.get("bake-ami:login")).toBe("root");
  expect(JSON.stringify(events)).toContain(
    "was not baked by bake-ami: its machines have no update to wait for",
  );
  const again = await launch(
    (await launchOf(local, { names: [local.imageId], run: "20260102-030405-abcdeg" })).options,
  );
  expect(again[0]?.instance.tags.get("bake-ami:login")).toBe("admin");
});

test("what the user names and the cloud does not have is a usage error", async () => {
  await using local = await stateOnlyCloud();
  await bakedImage(local, "baked", false);
  const cloud = new Cloud(clientOptions(local.cloud));
  const find = async (...names: string[]): Promise<string> => {
    const known = new Map([
      ["web", "1"],
      ["nginx", "1"],
    ]);
    try {
      return (await findImage(cloud, { owner, names, extra: [], local: known }, signal)).image.id;
    } catch (error) {
      expect(error).toMatchObject({ kind: "usage" });
      return `${messageOf(error)} ${JSON.stringify(error)}`;
    }
  };
  expect(await find("ami-00000000000000000")).toContain("there is no image ami-00000000000000000 here");
  expect(await find("ami-xyz")).toContain("ami-xyz is neither the id of an image nor a service");
  expect(await find("ngnix")).toMatch(/there is no service "ngnix".*did you mean \\"nginx\\"/);
  expect(await find("nginx")).toMatch(/no image of yours has nginx.*bake-ami nginx/);
  const choice = await findImage(cloud, { owner, names: ["web"], extra: [], local: undefined }, signal);
  const check = (type: string): Promise<void> => checkInstanceType(cloud, type, choice.image, signal);
  await expect(check("foo.bar")).rejects.toMatchObject({ kind: "usage" });
  await expect(check("t4g.small")).rejects.toMatchObject({ kind: "usage" });
  await check("t3.micro");
  // A half-made image is nothing to start from.
  await local.ec2.send(
    new CreateTagsCommand({ Resources: [choice.image.id], Tags: [{ Key: "bake-ami:expires", Value: "x" }] }),
  );
  expect(await find("web")).toContain("no image of yours has web");
});

const image = (tags: Record<string, string>): Image =>
  anImage("ami-1", { tags: new Map(Object.entries(tags)) });
const withCatalog = image({
  "bake-ami:services": "web",
  "bake-ami:init.1": "web=0123456789abcdef",
  "bake-ami:catalog.1": "web=11111111 db=22222222",
});
const withoutCatalog = image({ "bake-ami:services": "web", "bake-ami:init.1": "web=0123456789abcdef" });
const local = new Map([
  ["web", "11111111"],
  ["db", "99999999"],
  ["fresh", "33333333"],
]);

test("what can be added to a machine is what its image's catalog had", () => {
  const late = (of: Image, ...names: string[]): string => {
    try {
      checkLate({ image: of, covered: [], late: names }, local);
      return "fine";
    } catch (error) {
      expect(error).toMatchObject({ kind: "usage" });
      return `${messageOf(error)} ${JSON.stringify(error)}`;
    }
  };
  expect(late(withCatalog, "db")).toBe("fine");
  expect(late(withCatalog, "dbb")).toMatch(/there is no service "dbb".*did you mean \\"db\\"/);
  expect(late(withCatalog, "fresh")).toMatch(
    /ami-1 was baked before there was a service fresh.*bake again: `bake-ami web fresh`/,
  );
  // One that does not name its catalog is believed.
  expect(late(withoutCatalog, "fresh")).toBe("fine");
  expect(late(withoutCatalog, "nope")).toMatch(/there is no service "nope"/);
  expect(late(image({}), "db")).toMatch(/was not baked by bake-ami.*bake-ami db --source-ami ami-1/);
  expect(() => {
    checkLate({ image: withoutCatalog, covered: [], late: ["nope"] }, undefined);
  }).not.toThrow();
});

test("what has changed since the image was baked", () => {
  const changed = (of: Image, ...late: string[]): string[] =>
    changedSince({ image: of, covered: [], late }, local);
  expect(changed(withCatalog)).toEqual([]);
  expect(changed(withCatalog, "db")).toEqual(["db"]);
  expect(changed(withoutCatalog, "db")).toEqual([]);
  expect(changedSince({ image: withCatalog, covered: [], late: [] }, new Map([["web", "00000000"]]))).toEqual(
    ["web"],
  );
});

import { describe, expect, test } from "vitest";
import { readBakeSettings, type BakeArguments } from "../../src/commands/bake-settings.ts";

const nothing: BakeArguments = {
  sourceAmi: undefined,
  sourceName: undefined,
  sourceOwner: undefined,
  minimal: false,
  allowDeprecated: false,
  login: undefined,
  type: [],
  spot: false,
  vpc: undefined,
  subnet: [],
  allowCidr: [],
  sshInterface: "public-ip",
  sshProxyCommand: undefined,
  volumeSize: undefined,
  volumeIops: undefined,
  volumeThroughput: undefined,
  encrypt: false,
  kmsKey: undefined,
  instanceProfile: undefined,
  log: undefined,
  signer: [],
  tag: [],
  maxBakeTime: "2h",
  onError: "cleanup",
  resume: false,
  pauseAfter: undefined,
  join: true,
};

const read = (some: Partial<BakeArguments>): ReturnType<typeof readBakeSettings> =>
  readBakeSettings({ ...nothing, ...some });

test("nothing said means the cloud's defaults", () => {
  expect(read({})).toEqual({
    source: undefined,
    types: [],
    subnets: [],
    allowCidrs: [],
    rootVolume: undefined,
    extraTags: new Map(),
    maxBakeSeconds: 7200,
  });
});

test("lists may be repeated or joined by commas, and keep their order", () => {
  expect(read({ type: ["m7i.large,m6i.large", "t3.small"] }).types).toEqual([
    "m7i.large",
    "m6i.large",
    "t3.small",
  ]);
  expect(read({ subnet: ["subnet-b", "subnet-a,subnet-b"] }).subnets).toEqual(["subnet-b", "subnet-a"]);
  const cidrs = ["203.0.113.7/32", "2001:db8::7/128", "0.0.0.0/0"];
  expect(read({ allowCidr: cidrs }).allowCidrs).toEqual(cidrs);
});

test("sources", () => {
  expect(read({ sourceAmi: "ami-0123" }).source).toEqual({ kind: "id", id: "ami-0123" });
  expect(read({ sourceAmi: "resolve:ssm:/golden/web" }).source).toEqual({
    kind: "parameter",
    name: "/golden/web",
  });
  expect(read({ sourceName: "web-*", sourceOwner: "self" }).source).toMatchObject({
    kind: "newest",
    owner: "self",
    name: "web-*",
  });
});

test("the root volume", () => {
  expect(read({ encrypt: true }).rootVolume).toEqual({ type: "gp3", encrypted: true });
  expect(read({ kmsKey: "alias/a" }).rootVolume).toEqual({
    type: "gp3",
    encrypted: true,
    kmsKeyId: "alias/a",
  });
  expect(read({ volumeSize: 20, volumeIops: 4000, volumeThroughput: 250 }).rootVolume).toEqual({
    type: "gp3",
    sizeGiB: 20,
    iops: 4000,
    throughput: 250,
  });
});

test("tags, whose values may hold anything", () => {
  expect(read({ tag: ["team=web", "cost=a=b", "empty="] }).extraTags).toEqual(
    new Map([
      ["team", "web"],
      ["cost", "a=b"],
      ["empty", ""],
    ]),
  );
});

describe("refused, with the option and the remedy", () => {
  test.each<[Partial<BakeArguments>, RegExp]>([
    [{ sourceAmi: "web" }, /--source-ami web is no image/],
    [{ sourceAmi: "resolve:ssm:" }, /--source-ami resolve:ssm: is no image/],
    [{ sourceName: "web-*" }, /--source-name needs --source-owner/],
    [{ sourceOwner: "self" }, /--source-owner goes with --source-name/],
    [{ sourceAmi: "ami-01", minimal: true }, /--source-ami and --minimal exclude each other/],
    [{ sourceName: "a", sourceOwner: "self", minimal: true }, /--source-name and --minimal exclude/],
    [{ allowCidr: ["203.0.113.7"] }, /--allow-cidr 203.0.113.7 is no block/],
    [{ allowCidr: ["203.0.113.700/32"] }, /is no block/],
    [{ allowCidr: ["203.0.113.7/33"] }, /is no block/],
    [{ allowCidr: ["2001:db8::7/129"] }, /is no block/],
    [{ volumeSize: 0 }, /--volume-size 0 is no whole number/],
    [{ volumeThroughput: 1.5 }, /--volume-throughput 1.5 is no whole number/],
    [{ volumeIops: Number.NaN }, /--volume-iops NaN is no whole number/],
    [{ tag: ["team"] }, /--tag team is not of the form/],
    [{ tag: ["=a"] }, /is not of the form/],
    [{ tag: ["bake-ami:run=x"] }, /bake-ami:run: Name and keys/],
    [{ tag: ["aws:x=y"] }, /are taken/],
    [{ tag: ["Name=y"] }, /are taken/],
    [{ tag: ["a/b=y"] }, /no space and no slash/],
    [{ tag: [`${"k".repeat(129)}=y`] }, /1 to 128 characters/],
    [{ tag: [`k=${"v".repeat(257)}`] }, /at most 256/],
    [{ maxBakeTime: "soon" }, /--max-bake-time soon is no duration/],
  ])("%j", (some, message) => {
    expect(() => read(some)).toThrow(message);
    expect(() => read(some)).toThrow(expect.objectContaining({ kind: "usage" }));
  });
});

import { expect, test } from "vitest";
import { withHosts } from "../../src/commands/known-hosts-file.ts";
import { launchSettings, type LaunchArguments } from "../../src/commands/launch-settings.ts";
import { pickType } from "../../src/commands/launch-types.ts";
import { readMemory } from "../../src/commands/options.ts";
import { spellOutSpot } from "../../src/commands/spot-words.ts";
import type { TypeInfo } from "../../src/aws/type-list.ts";

const nothing: LaunchArguments = {
  imageOrServices: ["web"],
  image: undefined,
  with: [],
  type: undefined,
  cpu: undefined,
  memory: undefined,
  arch: undefined,
  gpu: false,
  cheapest: false,
  count: "1",
  spot: undefined,
  interruption: undefined,
  instanceProfile: undefined,
  placementGroup: undefined,
  partition: undefined,
  tenancy: undefined,
  hostId: undefined,
  ebsOptimized: undefined,
  protect: false,
  tag: [],
  volumeSize: undefined,
  volumeIops: undefined,
  volumeThroughput: undefined,
  volumeInitRate: undefined,
  encrypt: false,
  kmsKey: undefined,
  open: [],
  allowCidr: [],
  securityGroup: [],
  subnet: [],
  publicIp: undefined,
  elasticIp: undefined,
  key: undefined,
  identity: undefined,
  login: undefined,
  knownHosts: undefined,
  set: [],
  userData: undefined,
  channel: undefined,
  bundles: undefined,
  log: undefined,
};

const read = (some: Partial<LaunchArguments>): ReturnType<typeof launchSettings> =>
  launchSettings({ ...nothing, ...some });

test("nothing said leaves everything to the cloud", () => {
  expect(read({})).toEqual({
    names: ["web"],
    image: undefined,
    extra: [],
    type: { kind: "default" },
    architecture: undefined,
    count: 1,
    ports: [22],
    allowCidrs: [],
    instance: { groupIds: [], subnets: [], protect: false },
    extraTags: new Map(),
    values: new Map(),
    channel: undefined,
    log: undefined,
  });
});

test("everything said", () => {
  const settings = read({
    imageOrServices: undefined,
    image: "ami-0123456789abcdef0",
    cpu: "8",
    memory: "16GiB",
    arch: "arm64",
    gpu: true,
    cheapest: true,
    spot: "persistent",
    instanceProfile: "web",
    placementGroup: "close",
    partition: "3",
    tenancy: "dedicated",
    ebsOptimized: false,
    tag: ["team=web"],
    volumeSize: 20,
    volumeInitRate: 300,
    securityGroup: ["sg-1,sg-2"],
    subnet: ["subnet-b", "subnet-a"],
    publicIp: false,
    elasticIp: "new",
    key: "mine",
    set: ["web.port=80"],
    channel: "test",
    bundles: "s3://bucket/prefix",
    log: "s3://bucket/logs/",
  });
  expect(settings).toMatchObject({
    names: [],
    image: "ami-0123456789abcdef0",
    type: { kind: "fitting", cpus: 8, memoryMiB: 16_384, gpu: true, cheapest: true },
    architecture: "arm64",
    channel: { name: "test", place: { bucket: "bucket", prefix: "prefix/" } },
    log: { bucket: "bucket", prefix: "logs/" },
  });
  expect(settings.instance).toEqual({
    spot: { kind: "persistent", interruption: "stop" },
    keyName: "mine",
    instanceProfile: "web",
    groupIds: ["sg-1", "sg-2"],
    subnets: ["subnet-b", "subnet-a"],
    publicAddress: false,
    placement: { group: "close", partition: 3, tenancy: "dedicated" },
    ebsOptimized: false,
    rootVolume: { type: "gp3", sizeGiB: 20, initializationRate: 300 },
    protect: false,
    elasticIp: { kind: "new" },
  });
  expect(settings.values.get("web")?.get("port")).toBe("80");
});

test("a dedicated host is a tenancy of its own", () => {
  expect(read({ hostId: "h-1" }).instance.placement).toEqual({ tenancy: "host", hostId: "h-1" });
});

test("Elastic IPs: a new one, an allocation, an address", () => {
  expect(read({ elasticIp: "eipalloc-0123456789abcdef0" }).instance.elasticIp).toEqual({
    kind: "allocation",
    id: "eipalloc-0123456789abcdef0",
  });
  expect(read({ elasticIp: "203.0.113.7" }).instance.elasticIp).toEqual({
    kind: "address",
    address: "203.0.113.7",
  });
});

test.each<[string, Partial<LaunchArguments>, RegExp]>([
  ["nothing to launch", { imageOrServices: [] }, /say what to launch/],
  ["an image that is none", { image: "web" }, /--image web is no id of an image/],
  ["a type and wishes", { type: "t3.small", cpu: "2", gpu: true }, /--cpu, --gpu would choose another/],
  ["no number of processors", { cpu: "many" }, /--cpu many is no whole number/],
  ["no amount of memory", { memory: "lots" }, /--memory lots is no amount of memory/],
  ["an interruption of nothing", { interruption: "stop" }, /--interruption is for spot machines/],
  [
    "a one-time request that stops",
    { spot: "one-time", interruption: "stop" },
    /a one-time spot machine cannot stop/,
  ],
  [
    "a persistent request that ends",
    { spot: "persistent", interruption: "terminate" },
    /can stop or hibernate, and not end/,
  ],
  ["spot on a dedicated host", { spot: "one-time", hostId: "h-1" }, /no spot machines on dedicated hosts/],
  ["a partition of nothing", { partition: "1" }, /--partition is one of a placement group's/],
  [
    "a partition too far",
    { placementGroup: "x", partition: "8" },
    /--partition 8 is no whole number from 1 to 7/,
  ],
  ["a host for all", { hostId: "h-1", tenancy: "default" }, /--tenancy default is none/],
  ["own and other groups", { securityGroup: ["sg-1"], open: ["80"] }, /for a group of the launch's own/],
  ["no Elastic IP", { elasticIp: "old" }, /--elastic-ip old is no Elastic IP/],
  ["a channel from nowhere", { channel: "test" }, /--channel and --bundles go together/],
  ["a rate too low", { volumeInitRate: 99 }, /--volume-init-rate 99 is no whole number from 100 to 300/],
  ["no bucket", { log: "bucket" }, /--log bucket/],
  ["a parameter of nothing", { set: ["port=80"] }, /service.parameter=value/],
  ["too many", { count: "1001" }, /--count 1001/],
  ["a tag of ours", { tag: ["bake-ami:run=x"] }, /are taken/],
])("%s is refused", (_, some, message) => {
  expect(() => read(some)).toThrow(message);
});

test.each([
  ["16GiB", 16_384],
  ["16", 16_384],
  ["512MiB", 512],
  ["512M", 512],
  ["1.5G", 1536],
  ["2TiB", 2_097_152],
])("memory: %s is %d MiB", (text, mebibytes) => {
  expect(readMemory(text)).toBe(mebibytes);
});

test("the value of --spot is spelled out where the parser would take the next word", () => {
  expect(spellOutSpot(["launch", "--spot", "web"])).toEqual(["launch", "--spot=one-time", "web"]);
  expect(spellOutSpot(["launch", "web", "--spot"])).toEqual(["launch", "web", "--spot=one-time"]);
  expect(spellOutSpot(["run", "web", "--spot", "--", "ls", "--spot"])).toEqual([
    "run",
    "web",
    "--spot=one-time",
    "--",
    "ls",
    "--spot",
  ]);
  for (const words of [
    ["launch", "--spot", "persistent", "web"],
    ["launch", "--spot=persistent", "web"],
    ["bake", "web", "--spot"],
    ["web", "--spot"],
  ]) {
    expect(spellOutSpot(words)).toEqual(words);
  }
});

test("host keys replace those of an address's earlier machine, and all else stays", () => {
  const text =
    "# mine\n|1|abc= ssh-rsa AAA\n192.0.2.1 ssh-rsa OLD\n[127.0.0.2]:2222 ssh-rsa OLD\nhost ssh-rsa B\n";
  const hosts = [
    { address: "192.0.2.1", port: 22, keys: ["ssh-ed25519 NEW", "ecdsa-sha2-nistp256 NEW"] },
    { address: "127.0.0.2", port: 2222, keys: ["ssh-ed25519 TWO"] },
  ];
  const expected =
    "# mine\n|1|abc= ssh-rsa AAA\nhost ssh-rsa B\n192.0.2.1 ssh-ed25519 NEW\n192.0.2.1 ecdsa-sha2-nistp256 NEW\n[127.0.0.2]:2222 ssh-ed25519 TWO\n";
  expect(withHosts(text, hosts)).toBe(expected);
  expect(withHosts(expected, hosts)).toBe(expected);
});

const types = Array.from({ length: 20 }, (_, index): TypeInfo => ({
  name: `m5.x${index + 1}`,
  cpus: index + 1,
  memoryMiB: 1024,
  network: "Up to 10 Gigabit",
  architecture: "x86_64",
  gpus: 0,
  gpu: undefined,
  bareMetal: false,
}));

async function picked(...answers: string[]): Promise<{ readonly type: string; readonly asked: string[] }> {
  const asked: string[] = [];
  const type = await pickType(types, (message) => {
    asked.push(message);
    return Promise.resolve(answers.shift() ?? "q");
  });
  return { type, asked };
}

test("a type is picked by its number or its name, a page at a time", async () => {
  const byNumber = await picked("2");
  expect(byNumber.type).toBe("m5.x2");
  expect(byNumber.asked[0]?.split("\n")).toHaveLength(17);
  expect(byNumber.asked[0]).toMatch(/^ +type +vCPU +memory +network +arch\n 1 {2}m5\.x1 /);
  expect(byNumber.asked[0]).toMatch(/number or name, Enter for 5 more, q for none: $/);
  expect((await picked("m5.x20")).type).toBe("m5.x20");
  const later = await picked("", "nonsense", "17");
  expect(later.type).toBe("m5.x17");
  expect(later.asked[1]).toContain("16  m5.x16");
  expect(later.asked[2]).toContain("nonsense is not in the list; number or name, q for none: ");
  await expect(picked("q")).rejects.toMatchObject({ kind: "usage" });
});

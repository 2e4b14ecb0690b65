import { expect, test } from "vitest";
import { bootLines } from "../../src/commands/machine-lines-boot.ts";
import { machineTable, uptimeText } from "../../src/commands/ls-tables.ts";
import { machineValue } from "../../src/commands/machine-lines.ts";
import { Cloud } from "../../src/aws/cloud.ts";
import { ownMachines } from "../../src/launch/machines.ts";
import { withOutcomes } from "../../src/launch/machines-status.ts";
import { readJob, readOutcome } from "../../src/launch/outcome.ts";
import { instance, owner } from "../support/leavings.ts";
import { clientOptions, stateOnlyCloud } from "../support/local-cloud.ts";
import { anInstance } from "../support/resources.ts";

const { signal } = new AbortController();
const launchedAt = new Date("2026-01-02T03:04:05Z");
const booted = launchedAt.getTime() / 1000 + 2.5;
const console = [
  `bake-ami: times run=boot-1 booted=${booted} hook=5.10 ready=8.40 services=init/web:5.30:6.50,_packages:5.20:5.40`,
  "bake-ami: phase=update run=boot-1 result=ok services=web failed=- not-started=- init=web",
].join("\n");
const machine = anInstance("i-1", {
  spot: true,
  launchedAt,
  publicAddress: "127.0.0.9",
  tags: new Map([
    ["bake-ami:role", "job"],
    ["bake-ami:services", "web"],
    ["bake-ami:with", "db"],
  ]),
});

test("a machine's line: what it is for, what it costs, how long it has run, and how it came up", () => {
  const outcome = readOutcome(console);
  const job = readJob("bake-ami: job run=r result=finished status=3 log=failed reason=no such bucket");
  if (job === undefined) throw new Error("no job");
  const now = launchedAt.getTime() + 26 * 3_600_000;
  const [, ...lines] = machineTable(
    [
      { instance: machine, outcome, job },
      { instance: anInstance("i-2", { state: "stopped", launchedAt }), outcome: undefined },
    ],
    now,
  ).split("\n");
  expect(lines[0]?.split(/ {2,}/)).toEqual([
    "i-1",
    "running (job)",
    "t3.small",
    "spot",
    "127.0.0.9",
    "ami-1",
    "1 d 2 h",
    "ok, job ended with 3, its log was not uploaded",
    "10.9 s",
    "web +db",
  ]);
  expect(lines[1]?.split(/ {2,}/)).toEqual("i-2,stopped,t3.small,on-demand,-,ami-1,-,-,-".split(","));
  expect(machineValue(machine, outcome, now)).toMatchObject({
    role: "job",
    cost: "spot",
    uptimeSeconds: 93_600,
    boot: { totalMs: 10_900, parts: { launchMs: 2500, bootMs: 5100, servicesMs: 1300, hookMs: 2000 } },
  });
});

test("the breakdown of a boot is shown with a sum that is right", () => {
  const outcome = readOutcome(console);
  const lines = bootLines([{ instance: machine, outcome }]);
  expect(lines).toEqual([
    "boot of i-1:",
    "  launch to kernel              2.50 s",
    "  kernel to boot hook           5.10 s",
    "  services                      1.30 s",
    "    update package installation      0.20 s",
    "    init web                    1.20 s",
    "  boot hook itself              2.00 s",
    "  launch to service            10.90 s",
  ]);
  const several = bootLines([
    { instance: anInstance("i-2"), outcome },
    { instance: machine, outcome },
    { instance: anInstance("i-3"), outcome: undefined },
  ]);
  expect(several.slice(0, 4)).toEqual([
    "from launch to service:",
    "  i-1                          10.90 s",
    "  i-2                           8.40 s",
    "the slowest, i-1:",
  ]);
  expect(bootLines([{ instance: machine, outcome: undefined }])).toEqual([]);
});

test.each([
  [50, "50 s"],
  [61, "1 min"],
  [3_600, "1 h"],
  [3_700, "1 h 1 min"],
  [86_400 + 60, "1 d"],
  [90_000, "1 d 1 h"],
])("%d seconds are %s", (seconds, text) => {
  expect(uptimeText(seconds)).toBe(text);
});

test("many machines: only those that run are asked for their consoles, not more than eight at once", async () => {
  const asked: string[] = [];
  let under = 0;
  let most = 0;
  await using local = await stateOnlyCloud({
    intercept: async (call, carryOut) => {
      if (call.action !== "GetConsoleOutput") return await carryOut();
      asked.push(String(call.query["InstanceId"]));
      most = Math.max(most, ++under);
      await new Promise((resolve) => setTimeout(resolve, 5));
      const reply = await carryOut();
      under -= 1;
      return reply;
    },
  });
  const ids: string[] = [];
  for (let n = 0; n < 20; n += 1) ids.push(await instance(local, n === 19 ? "builder" : "machine"));
  const cloud = new Cloud(clientOptions(local.cloud));
  const all = await ownMachines(cloud, owner, signal);
  const [first, ...rest] = all;
  if (first === undefined) throw new Error("no machines");
  const statuses = await withOutcomes(cloud, [{ ...first, state: "stopped" }, ...rest], signal);
  expect(statuses.map(({ instance: { id } }) => id)).toEqual(all.map(({ id }) => id));
  expect(asked).toHaveLength(18);
  expect(new Set(asked).has(first.id)).toBe(false);
  expect(most).toBeLessThanOrEqual(8);
  expect(most).toBeGreaterThan(1);
});

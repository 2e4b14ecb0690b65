import { expect, test } from "vitest";
import { decide, type Facts } from "../../src/local/engine/decide.ts";
import type { Observation } from "../../src/local/engine/engine.ts";
import type { Instance, InstanceState } from "../../src/local/state/schema.ts";

const now = 1_000_000;

function instance(state: InstanceState, more: Partial<Instance> = {}): Instance {
  return {
    id: "i-0123456789abcdef0",
    engine: "qemu",
    reservationId: "r-1",
    launchIndex: 0,
    requestDigest: "",
    imageId: "ami-12345678",
    boot: { kind: "disk" },
    type: "t3.micro",
    architecture: "x86_64",
    groupIds: [],
    region: "local",
    zone: "locala",
    subnetId: "subnet-1",
    privateAddress: "169.254.1.16",
    publicAddress: "127.70.1.2",
    mac: "02:00:00:00:00:01",
    forwards: [],
    userData: "c2VjcmV0",
    metadata: { enabled: true, tokensRequired: true, hopLimit: 1, tags: false, key: "" },
    shutdownBehavior: "stop",
    state,
    transitionReason: "",
    changedAt: now,
    launchedAt: now,
    started: true,
    volume: {
      id: "vol-1",
      sizeGiB: 8,
      disk: "disk-1",
      snapshotId: "snap-1",
      type: "gp3",
      deviceName: "/dev/xvda",
      deleteOnTermination: true,
      createdAt: now,
      tags: {},
    },
    tags: {},
    ...more,
  };
}

/** What becomes of an instance: its next state, the reason for it, and what is to be done to its machine. */
function outcome(it: Instance, observation: Observation, more: Partial<Facts> = {}): unknown[] {
  const { change, deed, forget } = decide(it, { observation, now, workerAlive: false, ...more });
  change?.(it, now);
  return [it.state, it.stateReason?.code ?? "-", deed ?? (forget === true ? "forget" : "-")];
}

const present: Observation = { kind: "present" };
const absent: Observation = { kind: "absent" };
const died: Observation = { kind: "died", message: "QEMU was killed" };
const full: Observation = {
  kind: "stuck",
  reason: { code: "Server.InternalError", message: "the disk is full" },
};

test.each<[string, Instance, Observation, Partial<Facts>, unknown[]]>([
  ["a machine that runs", instance("pending"), present, {}, ["running", "-", "-"]],
  ["its starter is at work", instance("pending"), absent, { workerAlive: true }, ["pending", "-", "-"]],
  ["its starter was killed", instance("pending"), absent, {}, ["pending", "-", "start"]],
  ["nothing happened", instance("running"), present, {}, ["running", "-", "-"]],
  [
    "powered off inside",
    instance("running"),
    absent,
    {},
    ["stopped", "Client.InstanceInitiatedShutdown", "-"],
  ],
  [
    "powered off inside, to be terminated then",
    instance("running", { shutdownBehavior: "terminate" }),
    absent,
    {},
    ["terminated", "Client.InstanceInitiatedShutdown", "-"],
  ],
  [
    "killed from outside: never taken for the wish of its system",
    instance("running", { shutdownBehavior: "terminate" }),
    died,
    {},
    ["stopped", "Server.InternalError", "-"],
  ],
  ["a full disk", instance("running"), full, {}, ["stopping", "Server.InternalError", "kill"]],
  [
    "an image is being made of it",
    instance("running", { imagedBy: { pid: 1, startedAt: "" } }),
    absent,
    { workerAlive: true },
    ["running", "-", "-"],
  ],
  [
    "the maker of its image was killed while it was off",
    instance("running", { imagedBy: { pid: 1, startedAt: "" } }),
    absent,
    {},
    ["pending", "-", "start"],
  ],
  [
    "still stopping",
    instance("stopping", { killAt: now + 1, powerButtonAt: now - 10 }),
    present,
    {},
    ["stopping", "-", "-"],
  ],
  [
    "the button was not heard",
    instance("stopping", { killAt: now + 1, powerButtonAt: now - 5000 }),
    present,
    {},
    ["stopping", "-", "press-power-button"],
  ],
  ["it does not stop", instance("stopping", { killAt: now }), present, {}, ["stopping", "-", "kill"]],
  ["it has stopped", instance("stopping", { killAt: now + 1 }), absent, {}, ["stopped", "-", "-"]],
  ["ending", instance("shutting-down"), present, {}, ["shutting-down", "-", "kill"]],
  ["ended", instance("shutting-down"), died, {}, ["terminated", "-", "-"]],
  [
    "ended an hour ago",
    instance("terminated", { changedAt: now - 3_600_001 }),
    absent,
    {},
    ["terminated", "-", "forget"],
  ],
])("%s", (_, it, observation, more, expected) => {
  expect(outcome(it, observation, more)).toEqual(expected);
});

test("the reason of a full disk outlives the stop, and a terminated instance keeps no user data", () => {
  const it = instance("running");
  outcome(it, full);
  outcome(it, died);
  expect([it.state, it.stateReason?.message]).toEqual(["stopped", "the disk is full"]);
  const other = instance("shutting-down");
  outcome(other, absent);
  expect([other.userData, other.publicAddress]).toEqual([undefined, undefined]);
});

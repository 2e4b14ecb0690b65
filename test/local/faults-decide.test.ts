import { expect, test } from "vitest";
import { decide, decideImage, type Facts } from "../../src/local/engine/decide.ts";
import type { Image, Instance } from "../../src/local/state/schema.ts";

function facts(observation: Facts["observation"], more: Partial<Facts> = {}): Facts {
  return { observation, now: 1000, workerAlive: false, ...more };
}

const machine: Instance = {
  id: "i-1",
  engine: "qemu",
  reservationId: "r-1",
  launchIndex: 0,
  requestDigest: "",
  imageId: "ami-1",
  boot: { kind: "disk" },
  type: "t3.micro",
  architecture: "x86_64",
  groupIds: [],
  region: "local",
  zone: "locala",
  subnetId: "subnet-1",
  privateAddress: "169.254.1.16",
  mac: "02:00:00:00:00:01",
  forwards: [],
  metadata: { enabled: true, tokensRequired: true, hopLimit: 1, tags: true, key: "" },
  shutdownBehavior: "stop",
  state: "pending",
  transitionReason: "",
  changedAt: 0,
  launchedAt: 0,
  started: false,
  volume: {
    id: "vol-1",
    sizeGiB: 8,
    disk: "disk-1",
    snapshotId: "snap-1",
    type: "gp3",
    deviceName: "/dev/xvda",
    deleteOnTermination: true,
    createdAt: 0,
    tags: {},
  },
  tags: {},
};
const failsWith = { code: "Server.InternalError", message: "Server.InternalError: on launch" };

function after(
  before: Instance,
  given: Facts,
): { readonly instance: Instance; readonly deed: string | undefined } {
  const instance = structuredClone(before);
  const { change, deed } = decide(instance, given);
  change?.(instance, given.now);
  return { instance, deed };
}

test("a virtual machine whose launch is to fail is ended as soon as it is up", () => {
  const failing = { ...machine, failsWith };
  const up = after(failing, facts({ kind: "present" }));
  expect(up).toMatchObject({ deed: "kill", instance: { state: "shutting-down", stateReason: failsWith } });
  expect(after(up.instance, facts({ kind: "absent" })).instance).toMatchObject({
    state: "terminated",
    stateReason: failsWith,
  });
  // Someone is starting it just now: it will be up soon.
  expect(decide(failing, facts({ kind: "absent" }, { workerAlive: true }))).toEqual({});
  expect(after(failing, facts({ kind: "absent" }))).toMatchObject({
    deed: undefined,
    instance: { state: "terminated" },
  });
});

test.each(["pending", "running", "stopped"] as const)("a spot machine that is %s is taken back", (state) => {
  const taken = { ...machine, state, interruption: { noticeAt: 500, at: 1000 } };
  const { deed, instance } = after(taken, facts({ kind: "present" }));
  expect(deed).toBe("kill");
  expect(instance).toMatchObject({
    state: "shutting-down",
    stateReason: { code: "Server.SpotInstanceTermination" },
  });
  expect(after(instance, facts({ kind: "absent" })).instance.state).toBe("terminated");
  expect(after(taken, facts({ kind: "present" }, { now: 999 })).instance.state).not.toBe("shutting-down");
});

test("a machine on its way is left alone", () => {
  for (const state of ["pending", "stopping", "shutting-down"] as const) {
    expect(decide({ ...machine, state, killAt: 0 }, facts({ kind: "changing" }))).toEqual({});
  }
});

test("an image that waits for its time needs no process that makes it", () => {
  const image: Image = {
    id: "ami-1",
    name: "one",
    description: "",
    ownerId: "000000000000",
    public: false,
    architecture: "x86_64",
    state: "pending",
    createdAt: 0,
    snapshotId: "snap-1",
    sizeGiB: 8,
    boot: { kind: "disk" },
    tags: {},
  };
  const ends = (it: Image, now: number, makerAlive = false): string => {
    const copy = structuredClone(it);
    decideImage(copy, now, makerAlive)?.(copy);
    return `${copy.state} ${copy.stateReason?.code ?? ""}`.trim();
  };
  expect(ends({ ...image, settlesAt: 1000 }, 999)).toBe("pending");
  expect(ends({ ...image, settlesAt: 1000 }, 1000)).toBe("available");
  expect(ends({ ...image, settlesAt: 1000, failsWith }, 1000)).toBe("failed Server.InternalError");
  expect(ends(image, 0, true)).toBe("pending");
  expect(ends(image, 0)).toBe("failed Client.InternalError");
  expect(ends({ ...image, state: "available", settlesAt: 1000 }, 1000)).toBe("available");
});

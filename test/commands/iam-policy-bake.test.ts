import { describe, expect, test } from "vitest";
import { Cloud } from "../../src/aws/cloud.ts";
import { deleteImage, describeImages } from "../../src/aws/images.ts";
import { bake } from "../../src/bake/bake.ts";
import type { Clock } from "../../src/base/clock.ts";
import { BakeError } from "../../src/base/errors.ts";
import { memoryRecords, planOf, testBake, willingMachines, type MachineLog } from "../support/bake.ts";
import { image, leaveAll, owner } from "../support/leavings.ts";
import { clientOptions } from "../support/local-cloud.ts";
import { VirtualClock } from "../support/virtual-clock.ts";
import { documented, shortenings, under, type Workplace } from "../support/policies.ts";

/** A bake of which the init fails and whose builder is kept, and the one that goes on with it. */
async function failAndResume({ local, listener }: Workplace, clock: Clock): Promise<void> {
  const log: MachineLog = { deeds: [], targets: [] };
  const records = memoryRecords();
  const reach = (openMachine: ReturnType<typeof willingMachines>) => ({
    sshInterface: "public-ip" as const,
    sshProxyCommand: undefined,
    openMachine,
  });
  const broken = willingMachines(log, {
    init: () => Promise.reject(new BakeError("phase-failed", "init failed on purpose")),
  });
  const common = { owner, listener, records, types: ["t3.small"] };
  const first = testBake(local, { ...common, onError: "keep", reach: reach(broken) }, { clock });
  await bake(first.options).catch((error: unknown) => {
    if (!(error instanceof BakeError) || error.kind !== "phase-failed") throw error;
  });
  await bake(
    testBake(local, { ...common, resume: true, reach: reach(willingMachines(log)) }, { clock }).options,
  );
}

/** Everything that bakes ask of the cloud. */
async function bakeAll(place: Workplace): Promise<void> {
  // What is denied a deletion would else keep a group in use for minutes.
  const clock = new VirtualClock(Date.now());
  await clock.run(() => bakeBy(clock, place));
}

async function bakeBy(clock: Clock, place: Workplace): Promise<void> {
  const { local, unrestricted, listener } = place;
  await leaveAll(unrestricted);
  await failAndResume(place, clock);
  await bake(testBake(local, { owner, listener, plan: planOf("other") }, { clock }).options);
  await giveUp(new Cloud(clientOptions(local.cloud)), await image(unrestricted, "given up", true));
}

/** The undo of an image that is not finished when its bake ends. */
async function giveUp(cloud: Cloud, id: string): Promise<void> {
  const signal = new AbortController().signal;
  const [found] = await describeImages(cloud, [], [{ Name: "image-id", Values: [id] }], signal);
  if (found !== undefined) await deleteImage(cloud, found, signal);
}

/** What a bake does without and says nothing of: its group then goes after the builder, not before. */
const quiet = [
  "WorkWithOwn ec2:ModifyInstanceAttribute",
  "LeaveTheGroup ec2:ModifyInstanceAttribute",
  "LeaveTheGroup arn:aws:ec2:*:*:security-group/*",
];

describe("bake.json", () => {
  test("is enough", async () => {
    const outcome = await under(documented("bake"), bakeAll);
    expect(outcome).toEqual({ refused: [], warnings: [], error: undefined });
  });

  for (const { without, policy } of shortenings(documented("bake"))) {
    test(`needs ${without}`, async () => {
      const { refused, warnings, error } = await under(policy, bakeAll);
      expect(refused).not.toEqual([]);
      const told = [...warnings, ...(error === undefined ? [] : [error])];
      if (quiet.includes(without)) expect(told).toEqual([]);
      else expect(told).not.toEqual([]);
    });
  }
});

import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  createSecurityGroup,
  defaultVpc,
  describeSecurityGroups,
  importKeyPair,
} from "../../src/aws/access.ts";
import { Cloud } from "../../src/aws/cloud.ts";
import { createImage, describeImages, describeSnapshots, waitForImage } from "../../src/aws/images.ts";
import { describeInstances, runInstances, stopInstance, waitForState } from "../../src/aws/instances.ts";
import { runTags, tagKeys, type Role } from "../../src/aws/tags.ts";
import { BakeError } from "../../src/base/errors.ts";
import { cleanup, type CleanupOptions, type Removal } from "../../src/cleanup/cleanup.ts";
import { sweepExpired, sweepRun } from "../../src/cleanup/sweep.ts";
import type { OpenOptions } from "../../src/local/open.ts";
import { newKeyPair } from "../../src/machine/keys.ts";
import type { Event } from "../../src/report/events.ts";
import { clientOptions, stateOnlyCloud, type StateOnlyCloud } from "../support/local-cloud.ts";
import { VirtualClock } from "../support/virtual-clock.ts";

let signal: AbortSignal;

/** A run that began three hours ago, and one that began just now. */
const runAt = (ago: number, name: string): string => {
  const digits = new Date(Date.now() - ago).toISOString().replaceAll(/[-:]/g, "");
  return `${digits.slice(0, 8)}-${digits.slice(9, 15)}-${name}`;
};
const old = runAt(3 * 3600_000, "aaaaaa");
const fresh = runAt(1000, "bbbbbb");

let local: StateOnlyCloud;
let cloud: Cloud;
let clock: VirtualClock;
let events: Event[];

async function open(options: Partial<OpenOptions> = {}): Promise<void> {
  local = await stateOnlyCloud({ now: clock.now, ...options });
  cloud = new Cloud({ ...clientOptions(local.cloud), clock });
}

beforeEach(() => {
  signal = AbortSignal.timeout(60_000);
  clock = new VirtualClock(Date.now());
  events = [];
});
afterEach(async () => {
  cloud.close();
  await local[Symbol.asyncDispose]();
});

const listener = (event: Event): void => void events.push(event);
const said = (type: "note" | "warning"): string[] =>
  events.flatMap((event) => (event.type === type ? [event.message] : []));

interface Made {
  readonly run: string;
  readonly instance: string;
  readonly image: string | undefined;
  readonly group: string;
  readonly key: string;
}

interface Making {
  readonly run: string;
  readonly owner?: string;
  readonly expired?: boolean;
  readonly kept?: boolean;
  /** Default: none. */
  readonly image?: "pending" | "available";
}

/** What a bake has when it is cut short. */
async function make({ run, owner = "me", expired = false, kept = false, image }: Making): Promise<Made> {
  const expires = new Date(clock.now() + (expired ? -1000 : 3600_000));
  const tags = (role: Role): Map<string, string> => runTags({ run, owner, role, expires });
  const vpcId = await defaultVpc(cloud, signal);
  const name = `bake-ami-${run}`;
  const key = await importKeyPair(cloud, name, newKeyPair("").publicKey, tags("builder-key"), signal);
  const group = await createSecurityGroup(
    cloud,
    { name, description: "d", vpcId, tags: tags("builder-group") },
    signal,
  );
  const [started] = await runInstances(
    cloud,
    {
      imageId: local.imageId,
      type: "t3.micro",
      count: 1,
      keyName: name,
      groupIds: [group],
      subnetId: undefined,
      userData: undefined,
      clientToken: name,
      tags: kept ? tags("builder").set(tagKeys.kept, "yes") : tags("builder"),
      shutdownBehavior: "terminate",
    },
    signal,
  );
  const instance = started?.id ?? "";
  const made = { run, instance, group, key };
  if (image === undefined) return { ...made, image: undefined };
  await waitForState(cloud, instance, "running", 30, signal);
  await stopInstance(cloud, instance, signal);
  await waitForState(cloud, instance, "stopped", 30, signal);
  const request = { instanceId: instance, name, description: "d", tags: tags("image"), reboot: false };
  const imageId = await createImage(cloud, request, signal);
  if (image === "available") await waitForImage(cloud, imageId, 30, signal);
  return { ...made, image: imageId };
}

/** What is left of what bake-ami made. */
async function left(): Promise<string[]> {
  const filters = [{ Name: "tag-key", Values: [tagKeys.run] }];
  const instances = await describeInstances(cloud, filters, signal);
  return [
    ...instances.filter(({ state }) => state !== "terminated").map(({ id }) => id),
    ...(await describeImages(cloud, ["self"], filters, signal)).map(({ id }) => id),
    ...(await describeSnapshots(cloud, filters, signal)).map(({ id }) => id.replace(/-.*/, "")),
    ...(await describeSecurityGroups(cloud, filters, signal)).map(({ id }) => id),
  ];
}

const clean = (options: Partial<CleanupOptions> = {}): Promise<Removal[]> =>
  cleanup({ cloud, owner: "me", dryRun: false, listener, signal, ...options });

const idsOf = (removals: readonly Removal[]): string[] => removals.map(({ id }) => id);

/** A test in which waiting takes no time. */
function inNoTime(name: string, work: () => Promise<void>): void {
  test(name, () => clock.run(work));
}

describe("cleanup", () => {
  inNoTime("does what its dry run says, in that order; then there is nothing to do", async () => {
    await open();
    const a = await make({ run: old, image: "available" });
    const b = await make({ run: fresh, kept: true });
    const planned = await clean({ dryRun: true });
    expect(idsOf(planned).slice(0, 2).sort()).toEqual([a.instance, b.instance].sort());
    expect(idsOf(planned).slice(2, 3)).toEqual([a.image]);
    expect(idsOf(planned).slice(3, 5).sort()).toEqual([a.group, b.group].sort());
    expect(idsOf(planned).slice(5).sort()).toEqual([a.key, b.key].sort());
    expect(planned.filter(({ kept }) => kept).map(({ id }) => id)).toEqual([b.instance]);
    expect(await left()).toHaveLength(6);
    expect(await clean()).toEqual(planned);
    expect(await left()).toEqual([]);
    expect(await clean()).toEqual([]);
  });

  inNoTime("others' runs are touched with all owners alone, and only once they have expired", async () => {
    await open();
    const mine = await make({ run: fresh });
    const expired = await make({ run: old, owner: "her", expired: true });
    const running = await make({ run: runAt(0, "cccccc"), owner: "her" });
    expect(idsOf(await clean())).toEqual([mine.instance, mine.group, mine.key]);
    const taken = await clean({ allOwners: true });
    expect(idsOf(taken)).toEqual([expired.instance, expired.group, expired.key]);
    expect(taken[0]?.owner).toBe("her");
    expect(await left()).toEqual([running.instance, running.group]);
  });

  inNoTime("only runs that are older, and none that a command still works on", async () => {
    await open();
    const a = await make({ run: old });
    const b = await make({ run: fresh });
    const isLive = (run: string): Promise<boolean> => Promise.resolve(run === old);
    expect(await clean({ olderThanSeconds: 7200, isLive })).toEqual([]);
    expect(said("note")).toEqual([expect.stringContaining(old)]);
    expect(idsOf(await clean({ olderThanSeconds: 7200 }))).toEqual([a.instance, a.group, a.key]);
    expect(await left()).toEqual([b.instance, b.group]);
  });

  inNoTime("goes on past what cannot be deleted, and names it at the end", async () => {
    await open({
      faults: { seed: 1, calls: [{ fault: "denied", action: "DeleteSecurityGroup" }] },
    });
    const made = await make({ run: old });
    const failed: unknown = await clean().catch((error: unknown) => error);
    if (!(failed instanceof BakeError)) throw new Error("it did not fail");
    expect(failed.message).toBe("1 of 3 could not be deleted");
    expect(failed.details).toEqual([expect.stringContaining(`security group ${made.group}: `)]);
    expect(await left()).toEqual([made.group]);
    expect(events.filter(({ type }) => type === "deleted")).toHaveLength(2);
  });

  inNoTime("waits for a group whose instance is still on its way out", async () => {
    await open({ faults: { delaysMs: { terminate: 4000 } } });
    const made = await make({ run: old });
    expect(idsOf(await clean())).toEqual([made.instance, made.group, made.key]);
    expect(await left()).toEqual([]);
  });

  inNoTime("finds the builder that shows itself late, by the group that it holds", async () => {
    await open({ faults: { consistency: { instance: { hiddenMs: 3000 } }, delaysMs: { terminate: 1000 } } });
    const made = await make({ run: old });
    expect(idsOf(await clean({ dryRun: true }))).toEqual([made.group, made.key]);
    expect(idsOf(await clean())).toEqual([made.group, made.key, made.instance]);
    expect(await left()).toEqual([]);
  });

  inNoTime("ends very many builders in a few calls", async () => {
    const calls: string[] = [];
    await open({
      intercept: async (call, carryOut) => {
        calls.push(call.action);
        return await carryOut();
      },
    });
    const tags = runTags({ run: old, owner: "me", role: "builder" });
    for (let n = 0; n < 3; n += 1) {
      await runInstances(
        cloud,
        {
          imageId: local.imageId,
          type: "t3.micro",
          count: 50,
          keyName: undefined,
          groupIds: [],
          subnetId: undefined,
          userData: undefined,
          clientToken: `many-${n}`,
          tags,
          shutdownBehavior: "terminate",
        },
        signal,
      );
    }
    expect(await clean()).toHaveLength(150);
    expect(await left()).toEqual([]);
    const terminations = calls.filter((action) => action === "TerminateInstances");
    expect(terminations).toHaveLength(2);
  });
});

describe("the sweep at the start of a bake", () => {
  const sweep = (): Promise<void> => sweepExpired({ cloud, owner: "me", listener, signal });

  inNoTime("takes one's own that have expired, kept or not, and nothing else", async () => {
    await open();
    await make({ run: old, expired: true, kept: true });
    const running = await make({ run: fresh });
    const hers = await make({ run: runAt(0, "cccccc"), owner: "her", expired: true });
    await sweep();
    expect((await left()).sort()).toEqual(
      [running.instance, hers.instance, running.group, hers.group].sort(),
    );
    expect(said("warning")).toEqual([]);
  });

  inNoTime("mentions an image that is complete, and leaves it", async () => {
    await open();
    const made = await make({ run: old, expired: true, image: "available" });
    await sweep();
    expect(await left()).toEqual([made.image, "snap"]);
    expect(said("note")).toEqual([
      expect.stringContaining(`image ${made.image ?? ""} of run ${old} is complete`),
    ]);
    expect(idsOf(await clean())).toEqual([made.image]);
    expect(await left()).toEqual([]);
  });

  inNoTime("does not wait for a builder's end; the next one takes its group", async () => {
    await open({ faults: { delaysMs: { terminate: 4000 } } });
    const made = await make({ run: old, expired: true });
    await sweep();
    expect(await left()).toEqual([made.instance, made.group]);
    expect(said("warning")).toEqual([]);
    await waitForState(cloud, made.instance, "terminated", 30, signal);
    await sweep();
    expect(await left()).toEqual([]);
  });

  inNoTime("warns, and never fails, when the cloud refuses", async () => {
    await open({ faults: { calls: [{ fault: "denied", action: "DescribeSnapshots" }] } });
    await sweep();
    expect(said("warning")).toEqual([expect.stringMatching(/^what earlier runs left cannot be found: /)]);
  });

  inNoTime("warns of what could not be deleted", async () => {
    await open({ faults: { calls: [{ fault: "denied", action: "DeleteKeyPair" }] } });
    const made = await make({ run: old, expired: true });
    await sweep();
    expect(said("warning")).toEqual([expect.stringContaining(`key pair ${made.key}: `)]);
  });

  inNoTime("ends at once when it is interrupted", async () => {
    await open();
    const interrupted = sweepExpired({ cloud, owner: "me", listener, signal: AbortSignal.abort() });
    await expect(interrupted).rejects.toMatchObject({ kind: "interrupted" });
  });
});

describe("the sweep of one run", () => {
  inNoTime("takes everything temporary of it, expired or not, and nothing of other runs", async () => {
    await open();
    await make({ run: old, kept: true });
    const other = await make({ run: fresh });
    await sweepRun({ cloud, run: old, owner: "me", listener, signal });
    expect(await left()).toEqual([other.instance, other.group]);
  });

  inNoTime("leaves an image that is complete", async () => {
    await open();
    const made = await make({ run: old, image: "available" });
    await sweepRun({ cloud, run: old, owner: "me", listener, signal });
    expect(await left()).toEqual([made.image, "snap"]);
  });

  inNoTime("after an uncertain call it looks again, and leaves a kept builder alone", async () => {
    await open({ faults: { consistency: { instance: { hiddenMs: 1000 } } } });
    await make({ run: old });
    await sweepRun({ cloud, run: old, owner: "me", listener, signal, why: "uncertain" });
    expect(await left()).toEqual([]);
    const kept = await make({ run: fresh, kept: true });
    await waitForState(cloud, kept.instance, "running", 30, signal);
    await sweepRun({ cloud, run: fresh, owner: "me", listener, signal, why: "uncertain" });
    expect(await left()).toEqual([kept.instance, kept.group]);
  });

  inNoTime("says what it could not delete", async () => {
    await open({ faults: { calls: [{ fault: "denied", action: "DeleteKeyPair" }] } });
    const made = await make({ run: old });
    const failed: unknown = await sweepRun({ cloud, run: old, owner: "me", listener, signal }).catch(
      (error: unknown) => error,
    );
    expect(failed).toMatchObject({ kind: "failed", details: [expect.stringContaining(made.key)] });
  });
});

import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, inject, test } from "vitest";
import { Cloud } from "../../src/aws/cloud.ts";
import { bake, type BakeResult } from "../../src/bake/bake.ts";
import { cleanup } from "../../src/cleanup/cleanup.ts";
import { RunRecords } from "../../src/commands/run-records.ts";
import { openLocalCloud } from "../../src/local/open.ts";
import { Store } from "../../src/local/state/store.ts";
import { testBake } from "../support/bake.ts";
import { clientOptions, stateOnlyCloud } from "../support/local-cloud.ts";
import { VirtualClock } from "../support/virtual-clock.ts";
import { leftIn } from "./left.ts";
import { eachAtOnce, faultProgram, run } from "./processes.ts";

/*
 * A bake that is killed (kill -9) after any of its calls was carried out and before it heard of that. Killed before a call is
 * carried out is the same as after the one before it.
 */
const program = await faultProgram("bake-once", inject("dist"));
const never = new AbortController().signal;
const deadlineMs = 60_000;

interface Place {
  readonly directory: string;
  readonly imageId: string;
}

/** What one killed bake left, and what became of that. */
interface Remains {
  readonly killed: boolean;
  /** After a cleanup. */
  readonly left: readonly string[];
  /** What the same command made of it when it was given again, and what was left after that and a cleanup. */
  readonly again: BakeResult;
  readonly leftAgain: readonly string[];
}

interface Killed {
  readonly signal: string | undefined;
  readonly actions: readonly string[];
  /** Of the last call, by the cloud's clock. */
  readonly at: number;
}

/** Bakes in another process, which is killed when this call (0 for none) was carried out. */
async function bakeElsewhere({ directory, imageId }: Place, call: number): Promise<Killed> {
  const args = [directory, imageId, join(directory, "runs"), `${call}`];
  const { status, signal, stdout, stderr } = await run(program, args, deadlineMs);
  expect(status === 0 || signal === "SIGKILL", stderr).toBe(true);
  const lines = stdout.trimEnd().split("\n");
  const at = Number(lines.at(-1)?.split(" ")[1]);
  return { signal, actions: lines.map((line) => line.split(" ")[0] ?? ""), at };
}

async function killAfter(call: number): Promise<Remains> {
  await using local = await stateOnlyCloud();
  const { directory, imageId } = local;
  const { signal, at } = await bakeElsewhere(local, call);
  const copy = await mkdtemp(join(tmpdir(), "bake-ami-killed-"));
  try {
    await cp(directory, copy, { recursive: true });
    const left = await leftAfterCleanup(directory, new VirtualClock(at));
    const clock = new VirtualClock(at);
    const again = await bakeAgain({ directory: copy, imageId }, clock);
    return { killed: signal === "SIGKILL", left, again, leftAgain: await leftAfterCleanup(copy, clock) };
  } finally {
    await rm(copy, { recursive: true, force: true });
  }
}

async function leftAfterCleanup(directory: string, clock: VirtualClock): Promise<string[]> {
  const local = openLocalCloud({ directory, engine: "state-only", now: clock.now });
  const cloud = new Cloud({ ...clientOptions(local), clock });
  const options = { cloud, owner: "somebody", dryRun: false, listener: () => undefined, signal: never };
  await clock.run(() => cleanup(options));
  return leftIn(await new Store(directory).read());
}

async function bakeAgain({ directory, imageId }: Place, clock: VirtualClock): Promise<BakeResult> {
  const records = new RunRecords(join(directory, "runs"), () => undefined);
  const cloud = openLocalCloud({ directory, engine: "state-only", now: clock.now });
  const { options } = testBake({ cloud, imageId }, { records }, { clock });
  return await clock.run(() => bake(options));
}

test(
  "kill -9 after every call: cleanup leaves nothing, and the same command ends with an image",
  { timeout: 180_000 },
  async () => {
    await using whole = await stateOnlyCloud();
    const { actions: calls } = await bakeElsewhere(whole, 0);
    const handedOver = calls.indexOf("DeleteTags");
    const created = calls.indexOf("CreateImage");
    const started = calls.indexOf("RunInstances");
    expect(Math.min(started, created, handedOver)).toBeGreaterThan(0);
    const numbers = calls.map((_, index) => index + 1);
    const remains = await eachAtOnce(numbers, killAfter);
    expect(remains).toHaveLength(calls.length);
    for (const [index, { killed, left, again, leftAgain }] of remains.entries()) {
      const where = `killed after call ${index + 1}, ${calls[index] ?? ""}`;
      expect(killed, where).toBe(true);
      const isFinished = index >= handedOver;
      expect(left, where).toHaveLength(isFinished ? 1 : 0);
      // A finished image is nobody's leftover, and the command begins anew; before that it goes on with what there is.
      expect(leftAgain, where).toHaveLength(isFinished ? 2 : 1);
      expect(leftAgain, where).toContain(again.imageId);
      expect(again.joined !== undefined, where).toBe(index >= created && !isFinished);
    }
  },
);

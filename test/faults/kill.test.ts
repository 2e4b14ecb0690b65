import { cp, mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { expect, inject, test } from "vitest";
import { Cloud } from "../../src/aws/cloud.ts";
import { bake, type BakeResult } from "../../src/bake/bake.ts";
import { cleanup } from "../../src/cleanup/cleanup.ts";
import { RunRecords } from "../../src/commands/run-records.ts";
import { openLocalCloud } from "../../src/local/open.ts";
import { Store } from "../../src/local/state/store.ts";
import { testBake } from "../support/bake.ts";
import { clientOptions, quickDirectory, stateOnlyCloud } from "../support/local-cloud.ts";
import { VirtualClock } from "../support/virtual-clock.ts";
import { leftIn } from "./left.ts";
import { eachAtOnce, faultProgram, run } from "./processes.ts";

/*
 * A bake that is killed (kill -9) after any of its calls was carried out and before it heard of that. Killed before a call is
 * carried out is the same as after the one before it. The cloud's time is the killed bake's own, so that what it waited for
 * is still under way when the next command comes.
 */
const program = await faultProgram("bake-once", inject("dist"));
const never = new AbortController().signal;
const deadlineMs = 60_000;

interface Killed extends AsyncDisposable {
  readonly directory: string;
  readonly imageId: string;
  readonly signal: string | undefined;
  readonly actions: readonly string[];
  /** When its last call was made, by the cloud's clock. */
  readonly at: number;
}

/** Bakes in another process and a cloud of its own, and kills it when this call (0 for none) was carried out. */
async function bakeElsewhere(call: number): Promise<Killed> {
  const local = await stateOnlyCloud({}, quickDirectory);
  const { directory, imageId } = local;
  const args = [directory, imageId, join(directory, "runs"), `${call}`];
  const { status, signal, stdout, stderr } = await run(program, args, deadlineMs);
  expect(status === 0 || signal === "SIGKILL", stderr).toBe(true);
  const lines = stdout.trimEnd().split("\n");
  return {
    directory,
    imageId,
    signal,
    actions: lines.map((line) => line.split(" ")[0] ?? ""),
    at: Number(lines.at(-1)?.split(" ")[1]),
    [Symbol.asyncDispose]: () => local[Symbol.asyncDispose](),
  };
}

/** What becomes of what a killed bake has left. */
interface Fate {
  /** After a cleanup. */
  readonly left: readonly string[];
  /** What the same command makes of it when it is given again, and what is left after that and a cleanup. */
  readonly again: BakeResult;
  readonly leftAgain: readonly string[];
}

async function fateOf({ directory, imageId, at }: Killed): Promise<Fate> {
  const copy = await mkdtemp(join(quickDirectory, "bake-ami-killed-"));
  try {
    await cp(directory, copy, { recursive: true });
    const left = await leftAfterCleanup(directory, new VirtualClock(at));
    const clock = new VirtualClock(at);
    const again = await bakeAgain(copy, imageId, clock);
    return { left, again, leftAgain: await leftAfterCleanup(copy, clock) };
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

async function bakeAgain(directory: string, imageId: string, clock: VirtualClock): Promise<BakeResult> {
  const records = new RunRecords(join(directory, "runs"), () => undefined);
  const cloud = openLocalCloud({ directory, engine: "state-only", now: clock.now });
  const { options } = testBake({ cloud, imageId }, { records }, { clock });
  return await clock.run(() => bake(options));
}

test(
  "kill -9 after every call: cleanup leaves nothing, and the same command ends with an image",
  { timeout: 180_000 },
  async () => {
    await using whole = await bakeElsewhere(0);
    const calls = whole.actions;
    const created = calls.indexOf("CreateImage");
    const handedOver = calls.indexOf("DeleteTags");
    expect([created, handedOver]).not.toContain(-1);
    const all = await eachAtOnce(
      calls.map((_, index) => index + 1),
      bakeElsewhere,
    );
    for (const [index, each] of all.entries()) {
      await using killed = each;
      const where = `killed after call ${index + 1}, ${calls[index] ?? ""}`;
      expect(killed.signal, where).toBe("SIGKILL");
      // Those that it makes at the same time may have begun.
      expect(killed.actions.slice(0, index + 1), where).toEqual(calls.slice(0, index + 1));
      const { left, again, leftAgain } = await fateOf(killed);
      // A finished image is nobody's leftover. Then the same command begins anew; before that it goes on with what there is.
      const isFinished = index >= handedOver;
      expect(left, where).toHaveLength(isFinished ? 1 : 0);
      expect(leftAgain, where).toHaveLength(isFinished ? 2 : 1);
      expect(leftAgain, where).toContain(again.imageId);
      expect(again.joined !== undefined, where).toBe(index >= created && !isFinished);
    }
  },
);

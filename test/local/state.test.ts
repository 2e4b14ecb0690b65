import { spawn, type ChildProcess } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { z } from "zod";
import { isAlive, ownIdentity, startOf } from "../../src/base/process-identity.ts";
import { acquireLock } from "../../src/local/state/lock.ts";
import { Store } from "../../src/local/state/store.ts";
import { bundleProgram } from "../support/bundle.ts";

let directory: string;
let programs: string;
const never = new AbortController().signal;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "bake-ami-state-"));
  programs = mkdtempSync(join(tmpdir(), "bake-ami-programs-"));
});
afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
  rmSync(programs, { recursive: true, force: true });
});

/** Adds one to a counter in the state as often as it is told to, and says so each time. */
const counter = `
  import { Store } from "../../src/local/state/store.ts";
  const [directory = "", times = ""] = process.argv.slice(2);
  const store = new Store(directory);
  for (let n = 0; n < Number(times); n += 1) {
    await store.change((draft) => {
      const tags = draft.securityGroups[0].tags;
      tags.count = String(Number(tags.count ?? 0) + 1);
    }, new AbortController().signal);
    process.stdout.write("+");
  }
`;

const count = async (): Promise<number> =>
  Number((await new Store(directory).read()).securityGroups[0]?.tags["count"] ?? 0);

async function pause(milliseconds: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, milliseconds));
}

async function ended(child: ChildProcess): Promise<number | null> {
  return await new Promise((resolve) => {
    child.once("close", resolve);
  });
}

test("no change is lost when several processes write at once", async () => {
  const program = await bundleProgram(counter, programs, "counter");
  const children = Array.from({ length: 4 }, () => spawn(process.execPath, [program, directory, "25"]));
  expect(await Promise.all(children.map(ended))).toEqual([0, 0, 0, 0]);
  expect(await count()).toBe(100);
  // What is left of the lock is an empty directory.
  expect(readdirSync(directory).sort()).toEqual(["lock", "reserve", "state.json"]);
  expect(readdirSync(join(directory, "lock"))).toEqual([]);
});

test("processes that are killed at any moment leave a whole state and no lock", async () => {
  const program = await bundleProgram(counter, programs, "counter");
  let said = 0;
  for (let round = 0; round < 8; round += 1) {
    const children = [1, 2].map(() => spawn(process.execPath, [program, directory, "100000"]));
    for (const child of children) {
      child.stdout.on("data", (data: Buffer) => {
        said += data.length;
      });
    }
    // Once they are at it, however slow this computer is, at some moment of a change.
    const enough = said + 10;
    while (said < enough) await pause(5);
    await pause(7 * round);
    for (const child of children) child.kill("SIGKILL");
    await Promise.all(children.map(ended));
    // Each that was announced is there; one more per process may be, killed before it could say so.
    const before = await count();
    expect(before).toBeGreaterThanOrEqual(said);
    expect(before).toBeLessThanOrEqual(said + 2 * (round + 1));
    await new Store(directory).change((draft) => {
      draft.securityGroups[0]?.rules.splice(0);
    }, never);
    expect(readdirSync(join(directory, "lock"))).toEqual([]);
  }
});

test("a lock held by a living process is waited for, with a deadline that names it", async () => {
  const release = await acquireLock(directory, "lock", never);
  const late = acquireLock(directory, "lock", never, 0.2);
  await expect(late).rejects.toMatchObject({ kind: "timeout" });
  await expect(late).rejects.toThrow(`process ${process.pid} has held`);
  const waiting = acquireLock(directory, "lock", never);
  await release();
  await (
    await waiting
  )();
  expect(readdirSync(directory)).toEqual(["lock"]);
});

test("waiting for a lock can be interrupted and leaves nothing", async () => {
  const release = await acquireLock(directory, "lock", never);
  await expect(acquireLock(directory, "lock", AbortSignal.timeout(50))).rejects.toMatchObject({
    kind: "interrupted",
  });
  expect(readdirSync(directory)).toEqual(["lock"]);
  await release();
});

test("a process with the same pid that started at another time is not taken for the owner", async () => {
  const own = await ownIdentity();
  expect(await isAlive(own)).toBe(true);
  expect(await isAlive({ ...own, startedAt: "1.00000000" })).toBe(false);
  expect(await startOf(2 ** 22 + 1)).toBeUndefined();
});

test("a change that throws changes nothing, and the next one can be made", async () => {
  const store = new Store(directory);
  await expect(
    store.change((draft) => {
      draft.securityGroups = [];
      throw new Error("no");
    }, never),
  ).rejects.toThrow("no");
  expect((await store.read()).securityGroups).toHaveLength(1);
  expect(existsSync(join(directory, "state.json"))).toBe(false);
});

test.each([
  ["cut off", (text: string) => text.slice(0, 40)],
  ["of another shape", (text: string) => text.replace('"instances":[]', '"instances":7')],
])("a state file that is %s is named, with what helps", async (_, damage) => {
  const store = new Store(directory);
  await store.change((draft) => {
    draft.images = [];
    draft.securityGroups[0]?.rules.splice(0);
  }, never);
  const file = join(directory, "state.json");
  writeFileSync(file, damage(readFileSync(file, "utf8")));
  await expect(store.read()).rejects.toMatchObject({
    message: `the local cloud's state file is damaged: ${file}`,
    hint: "`bake-ami local reset` starts afresh; base images are kept",
  });
});

test("a state from before there were launch templates, addresses and groups is read as having none", async () => {
  const store = new Store(directory);
  await store.change((draft) => {
    draft.images = [];
    draft.securityGroups[0]?.rules.splice(0);
  }, never);
  const file = join(directory, "state.json");
  const later = /,"(?:parameters|launchTemplates|placementGroups|addresses|spotRequests)":\[\]/g;
  const older = readFileSync(file, "utf8").replaceAll(later, "");
  expect(Object.keys(z.looseObject({}).parse(JSON.parse(older)))).toEqual([
    ...["version", "instances", "images", "snapshots", "disks", "keyPairs", "securityGroups"],
  ]);
  writeFileSync(file, older);
  expect(await new Store(directory).read()).toMatchObject({
    ...{ parameters: [], launchTemplates: [], placementGroups: [], addresses: [], spotRequests: [] },
  });
});

import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { BakeError } from "../../src/base/errors.ts";
import { Secret } from "../../src/base/ids.ts";
import { RunRecords, type RunRecord } from "../../src/commands/run-records.ts";

const run = "20260102-030405-aaaaaa";
const record: RunRecord = {
  run,
  services: ["web", "base"],
  loginKey: new Secret("PRIVATE"),
  hostKey: "ssh-ed25519 AAAA",
};

let parent: string;
let directory: string;
let warnings: string[];
let records: RunRecords;

beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), "bake-ami-records-"));
  directory = join(parent, "runs");
  warnings = [];
  records = new RunRecords(directory, (message) => warnings.push(message));
});
afterEach(() => {
  rmSync(parent, { recursive: true, force: true });
});

const fileOf = (name: string): string => join(directory, `${name}.json`);

test("a record comes back as it was saved, and is for its owner's eyes only", async () => {
  await records.save({ ...record, instanceId: "i-1" });
  expect(await records.load(run)).toEqual({ ...record, instanceId: "i-1" });
  expect((await records.load(run))?.loginKey.reveal()).toBe("PRIVATE");
  expect(statSync(directory).mode & 0o777).toBe(0o700);
  expect(statSync(fileOf(run)).mode & 0o777).toBe(0o600);
  // Nothing of the writing is left beside it.
  expect(readdirSync(directory)).toEqual([`${run}.json`]);
});

test("what is not there is nobody's", async () => {
  expect(await records.load(run)).toBeUndefined();
  expect(await records.isLive(run)).toBe(false);
  expect(await records.all()).toEqual([]);
  await records.remove(run);
  expect(warnings).toEqual([]);
});

test("a run lives as long as the process that saved it", async () => {
  await records.save(record);
  expect(await records.isLive(run)).toBe(true);
  const ended = spawnSync(process.execPath, ["-e", "0"]).pid;
  const stored: unknown = JSON.parse(readFileSync(fileOf(run), "utf8"));
  writeFileSync(fileOf(run), JSON.stringify({ ...Object(stored), pid: ended }));
  expect(await records.isLive(run)).toBe(false);
  // The number alone does not make a process the one that it was.
  writeFileSync(fileOf(run), JSON.stringify({ ...Object(stored), pidStartedAt: "1.other" }));
  expect(await records.isLive(run)).toBe(false);
});

test("a run without a builder is claimed, and has no keys", async () => {
  await records.claim(run);
  expect(await records.isLive(run)).toBe(true);
  expect(await records.load(run)).toBeUndefined();
  expect(await records.all()).toEqual([]);
  await records.remove(run);
  expect(await records.isLive(run)).toBe(false);
  expect(warnings).toEqual([]);
});

test("saved again, a run is this process's", async () => {
  await records.save(record);
  writeFileSync(fileOf(run), readFileSync(fileOf(run), "utf8").replace(/"pid": \d+/, '"pid": 1'));
  expect(await records.isLive(run)).toBe(false);
  await records.save(record);
  expect(await records.isLive(run)).toBe(true);
});

test("all records come in order of their runs, and go singly", async () => {
  const later = "20260103-030405-aaaaaa";
  await records.save({ ...record, run: later });
  await records.save(record);
  expect((await records.all()).map((each) => each.run)).toEqual([run, later]);
  await records.remove(run);
  expect((await records.all()).map((each) => each.run)).toEqual([later]);
});

test.each(["", "{", "[]", '{"run":"other"}', JSON.stringify({ ...record, pid: "1" })])(
  "a damaged file (%s) is one warning, and no record",
  async (text) => {
    await records.save(record);
    writeFileSync(fileOf(run), text);
    expect(await records.load(run)).toBeUndefined();
    expect(await records.isLive(run)).toBe(false);
    expect(await records.all()).toEqual([]);
    expect(warnings).toEqual([`${fileOf(run)} cannot be read: it is damaged`]);
  },
);

test("a run's name from somebody's tag leads nowhere else", async () => {
  writeFileSync(join(parent, "treasure.json"), "{}");
  expect(await records.load("../treasure")).toBeUndefined();
  expect(await records.isLive("../treasure")).toBe(false);
  await records.remove("../treasure");
  expect(readdirSync(parent)).toContain("treasure.json");
  expect(warnings).toEqual([]);
});

test("a directory that cannot be made is an error with a way out", async () => {
  writeFileSync(directory, "a file");
  const failed = records.save(record);
  await expect(failed).rejects.toThrow(/the record of run .* cannot be kept/);
  await expect(failed).rejects.toBeInstanceOf(BakeError);
});

test("what is older than any builder can be is forgotten", async () => {
  const old = "20251101-030405-aaaaaa";
  await records.save({ ...record, run: old });
  await records.save(record);
  writeFileSync(join(directory, `${old}.json.abcdef.new`), "half");
  await records.prune(Date.parse("2026-01-02T04:00:00Z"));
  expect(readdirSync(directory)).toEqual([`${run}.json`]);
});

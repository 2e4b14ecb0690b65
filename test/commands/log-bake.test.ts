import { afterAll, beforeAll, expect, test } from "vitest";
import { CreateBucketCommand, S3Client } from "@aws-sdk/client-s3";
import { getObject, listObjects, type S3Place } from "../../src/aws/s3.ts";
import { bake } from "../../src/bake/bake.ts";
import type { BuilderMachine } from "../../src/bake/builder-machine.ts";
import { BakeError } from "../../src/base/errors.ts";
import { withBakeLog } from "../../src/commands/log-bake.ts";
import { testBake, willingMachines, type TestBake } from "../support/bake.ts";
import { failureOf } from "../support/failure.ts";
import { clientOptions, stateOnlyCloud, type StateOnlyCloud } from "../support/local-cloud.ts";

const place: S3Place = { bucket: "logs", prefix: "bakes/" };
const signal = new AbortController().signal;
let local: StateOnlyCloud;

beforeAll(async () => {
  local = await stateOnlyCloud();
  await new S3Client(clientOptions(local.cloud)).send(new CreateBucketCommand({ Bucket: "logs" }));
});
afterAll(async () => {
  await local[Symbol.asyncDispose]();
});

async function logOf({ options }: TestBake): Promise<string> {
  const key = `bakes/${options.run}/init.log`;
  const { bytes } = await getObject(options.cloud, { bucket: "logs", key }, signal);
  return Buffer.from(bytes).toString();
}

const saying = (text: string): BuilderMachine["init"] => {
  return () => Promise.reject(new BakeError("phase-failed", text, { details: ["its last line"] }));
};

test("the log of a bake is put below its run", async () => {
  const it = testBake(local);
  const { imageId } = await withBakeLog(it.options, place, bake);
  const log = await logOf(it);
  expect(log).toContain(`baked ${imageId}`);
  expect(log).toMatch(/s {2}/);
  expect(it.events.at(-1)).toMatchObject({
    type: "note",
    message: `the log is in s3://logs/bakes/${it.options.run}/init.log`,
  });
});

test("the log of a bake that failed is put, with what failed and its last lines", async () => {
  const it = testBake(local);
  const openMachine = willingMachines(it.log, { init: saying("step 10-install of web failed") });
  const failing = { ...it.options, reach: { ...it.options.reach, openMachine } };
  await expect(withBakeLog(failing, place, bake)).rejects.toThrow(/step 10-install of web failed/);
  const log = await logOf(it);
  expect(log).toContain("step 10-install of web failed");
  expect(log).toContain("its last line");
});

test("the log of a bake that was interrupted is put", async () => {
  const abort = new AbortController();
  const it = testBake(local, { signal: abort.signal });
  const openMachine = willingMachines(it.log, {
    init: () => {
      abort.abort(new BakeError("interrupted", "interrupted by SIGINT"));
      return Promise.reject(new BakeError("interrupted", "interrupted by SIGINT"));
    },
  });
  const working = { ...it.options, reach: { ...it.options.reach, openMachine } };
  await expect(withBakeLog(working, place, bake)).rejects.toThrow(/interrupted/);
  expect(await logOf(it)).toContain("interrupted by SIGINT");
});

test("without the bucket nothing is started", async () => {
  const it = testBake(local);
  const failure = await failureOf(withBakeLog(it.options, { bucket: "nowhere", prefix: "" }, bake));
  expect(failure.message).toBe("there is no bucket nowhere");
  expect(it.events).toEqual([]);
  expect(it.log.deeds).toEqual([]);
});

test("without --log no object is put", async () => {
  const before = await listObjects(testBake(local).options.cloud, place, signal);
  await withBakeLog(testBake(local, { join: false }).options, undefined, bake);
  expect(await listObjects(testBake(local).options.cloud, place, signal)).toEqual(before);
});

import { afterAll, beforeAll, expect, test } from "vitest";
import { CreateBucketCommand } from "@aws-sdk/client-s3";
import { Cloud } from "../../src/aws/cloud.ts";
import { getObject, putObject, readS3Url } from "../../src/aws/s3.ts";
import type { Bundle } from "../../src/bundle/bundle.ts";
import { channelObject, findChannel, listChannels, readHead } from "../../src/fleet/channel.ts";
import { push, type PushOptions } from "../../src/fleet/push.ts";
import { openSigner } from "../../src/fleet/sign.ts";
import { newKeyPair } from "../../src/machine/keys.ts";
import { failureOf } from "../support/failure.ts";
import { clientOptions } from "../support/local-cloud.ts";
import { newObjects, type Objects } from "../support/s3.ts";

const signal = new AbortController().signal;
const signer = openSigner(newKeyPair("").privateKey, "key");
const place = readS3Url("s3://team/bundles", "push");
let objects: Objects;
let cloud: Cloud;

beforeAll(async () => {
  objects = await newObjects();
  cloud = new Cloud(clientOptions(objects.cloud));
  await objects.s3.send(new CreateBucketCommand({ Bucket: "team" }));
});
afterAll(async () => {
  await objects[Symbol.asyncDispose]();
});

const bundle = (digest: string): Bundle => ({
  digest,
  archive: Buffer.from(`the archive of ${digest}`),
  services: new Map(),
});

const pushing = (channel: string, digest: string, more: Partial<PushOptions> = {}): PushOptions => ({
  cloud,
  place,
  channel,
  bundle: bundle(digest),
  signer,
  force: false,
  dryRun: false,
  signal,
  ...more,
});

/** The same objects at another time. */
const cloudAt = (time: number): Cloud =>
  new Cloud({ ...clientOptions(objects.cloud), clock: { ...cloud.clock, now: () => time } });

test("the first bundle of a channel, the next one, and the same one again", async () => {
  const first = await push(pushing("test", "aa"));
  expect(first).toMatchObject({
    result: "pushed",
    url: "s3://team/bundles/test.bundle",
    digest: "aa",
    size: 17,
    signer: signer.fingerprint,
    previous: undefined,
  });
  expect(Math.abs(first.serial - Date.now())).toBeLessThan(5000);
  const next = await push(pushing("test", "bb"));
  expect(next).toMatchObject({ result: "pushed", digest: "bb" });
  expect(next.serial).toBeGreaterThan(first.serial);
  expect(next.previous?.digest).toBe("aa");

  const again = await push(pushing("test", "bb"));
  expect(again).toMatchObject({ result: "same", serial: next.serial });
  const forced = await push(pushing("test", "bb", { force: true }));
  expect(forced.result).toBe("pushed");
  const other = openSigner(newKeyPair("").privateKey, "other");
  expect((await push(pushing("test", "bb", { signer: other }))).result).toBe("pushed");
  expect(await findChannel(cloud, place, "test", signal)).toMatchObject({ signer: other.fingerprint });
});

test("the object is the lines, their signature, an empty line and the archive", async () => {
  const { serial } = await push(pushing("form", "0123abcd"));
  const { bytes } = await getObject(cloud, channelObject(place, "form"), signal);
  const text = Buffer.from(bytes).toString();
  expect(text.split("\n").slice(0, 4)).toEqual([
    "bake-ami-bundle 1",
    "channel form",
    `serial ${serial}`,
    "digest 0123abcd",
  ]);
  expect(text.split("\n")[4]).toMatch(/^sha256 [0-9a-f]{64}$/);
  expect(text.split("\n").slice(5, 7)).toEqual(["size 23", "-----BEGIN SSH SIGNATURE-----"]);
  expect(text.endsWith("-----END SSH SIGNATURE-----\n\nthe archive of 0123abcd")).toBe(true);
  const signed = text.split("\n").slice(0, 6).join("\n") + "\n";
  expect(text).toContain(signer.sign(signed));
});

test("a dry run changes nothing, and finds what would", async () => {
  expect(await push(pushing("dry", "aa", { dryRun: true }))).toMatchObject({ result: "would-push" });
  expect(await findChannel(cloud, place, "dry", signal)).toBeUndefined();
});

test("channels are listed, and what else is there is not", async () => {
  const at = readS3Url("s3://team/list/", "push");
  await push(pushing("one", "aa", { place: at }));
  await push(pushing("two", "bb", { place: at }));
  await putObject(cloud, { bucket: "team", key: "list/readme" }, Buffer.from("x"), signal);
  await putObject(cloud, { bucket: "team", key: "list/deeper/three.bundle" }, Buffer.from("x"), signal);
  expect((await listChannels(cloud, at, signal)).map(({ channel, digest }) => [channel, digest])).toEqual([
    ["one", "aa"],
    ["two", "bb"],
  ]);
});

test("no serial goes backwards", async () => {
  await push(pushing("clock", "aa", { cloud: cloudAt(Date.parse("2030-01-02T03:04:05Z")) }));
  const failure = await failureOf(push(pushing("clock", "bb", { force: true })));
  expect(failure.kind).toBe("failed");
  expect(failure.message).toMatch(
    /^the channel clock has a bundle of 2030-01-02 03:04:05 UTC, and here it is 20\d\d-.*: no machine would take an older one$/,
  );
  expect(failure.hint).toContain("clock");
});

test("of two pushes at once one is told that the other was quicker", async () => {
  await push(pushing("race", "aa"));
  const results = await Promise.allSettled(["bb", "cc", "dd"].map((digest) => push(pushing("race", digest))));
  const [won, ...others] = results.filter(({ status }) => status === "fulfilled");
  expect(others).toEqual([]);
  const now = await findChannel(cloud, place, "race", signal);
  expect(won).toMatchObject({ value: { digest: now?.digest, serial: now?.serial } });
  for (const result of results) {
    if (result.status === "rejected") expect(String(result.reason)).toMatch(/at the same time: channel race/);
  }
});

test("what is no channel's object is told, and not replaced", async () => {
  const object = channelObject(place, "else");
  await putObject(cloud, object, Buffer.from("my holiday photographs"), signal);
  const failure = await failureOf(push(pushing("else", "aa", { force: true })));
  expect(failure.message).toBe("s3://team/bundles/else.bundle is no bundle that bake-ami pushed");
  expect(Buffer.from((await getObject(cloud, object, signal)).bytes).toString()).toContain("holiday");
});

test("a channel's name and its bucket must be", async () => {
  for (const name of ["", "Test", "a/b", "-a", "a".repeat(64), "a b"]) {
    expect(await failureOf(push(pushing(name, "aa"))), name).toMatchObject({ kind: "usage" });
  }
  const nowhere = await failureOf(push(pushing("a", "aa", { place: { bucket: "nowhere", prefix: "" } })));
  expect(nowhere).toMatchObject({ kind: "usage", message: "there is no bucket nowhere" });
});

test("a head that is cut, or has something else in it, is none", async () => {
  await push(pushing("cut", "aa"));
  const { bytes } = await getObject(cloud, channelObject(place, "cut"), signal);
  expect(readHead(bytes)).toMatchObject({ channel: "cut", digest: "aa", size: 17 });
  const text = Buffer.from(bytes).toString();
  for (const broken of [
    text.slice(0, 300),
    text.replace("bundle 1", "bundle 2"),
    text.replace("serial ", "serial x"),
    text.replace("BEGIN SSH", "BEGIN PGP"),
    "",
  ]) {
    expect(readHead(Buffer.from(broken)), broken).toBeUndefined();
  }
});

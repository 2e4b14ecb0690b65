import { afterAll, beforeAll, expect, test } from "vitest";
import { CreateBucketCommand } from "@aws-sdk/client-s3";
import { Cloud } from "../../src/aws/cloud.ts";
import { readS3Url } from "../../src/aws/s3.ts";
import { channelLines, type ChannelRequest } from "../../src/fleet/channel-lines.ts";
import { push } from "../../src/fleet/push.ts";
import { openSigner } from "../../src/fleet/sign.ts";
import { logLines } from "../../src/launch/log-lines.ts";
import { openLocalCloud } from "../../src/local/open.ts";
import { parsePolicy } from "../../src/local/policy/document.ts";
import { newKeyPair } from "../../src/machine/keys.ts";
import type { Event } from "../../src/report/events.ts";
import { failureOf } from "../support/failure.ts";
import { clientOptions } from "../support/local-cloud.ts";
import { newObjects, serveObjects, type Objects, type ServedObjects } from "../support/s3.ts";

const signal = new AbortController().signal;
const signer = openSigner(newKeyPair("").privateKey, "key");
const place = readS3Url("s3://team/bundles/", "");
const image = { id: "ami-1", tags: new Map([["bake-ami:signer", `SHA256:other ${signer.fingerprint}`]]) };
const archive = Buffer.from("the archive");
let objects: Objects;
let served: ServedObjects;
let cloud: Cloud;

beforeAll(async () => {
  objects = await newObjects();
  served = await serveObjects(objects);
  cloud = new Cloud({
    ...clientOptions(objects.cloud),
    objects: { endpoint: served.url, forcePathStyle: true },
  });
  await objects.s3.send(new CreateBucketCommand({ Bucket: "team" }));
  const bundle = { digest: "aa", archive, services: new Map<string, string>() };
  await push({ cloud, place, channel: "test", bundle, signer, force: false, dryRun: false, signal });
});
afterAll(async () => {
  await served[Symbol.asyncDispose]();
  await objects[Symbol.asyncDispose]();
});

async function told(more: Partial<ChannelRequest> = {}, by: Cloud = cloud) {
  const events: Event[] = [];
  const request = { channel: "test", place, image, byRole: false, ...more };
  const { tags, lines } = await channelLines(by, request, (event) => events.push(event), signal);
  const warnings = events.flatMap((event) => (event.type === "warning" ? [event.message] : []));
  return { tags: Object.fromEntries(tags), lines, warnings };
}

test("machines without a role get a URL that gets the channel's object", async () => {
  const { tags, lines, warnings } = await told();
  expect(tags).toEqual({ "bake-ami:channel": "test", "bake-ami:bundles": "s3://team/bundles" });
  expect(warnings).toEqual([]);
  const [line, ...others] = lines;
  expect(others).toEqual([]);
  if (line?.kind !== "channel-url") throw new Error("no URL");
  expect(new URL(line.url).searchParams.get("X-Amz-Expires")).toBe("604800");
  const reply = await fetch(line.url);
  expect(reply.status).toBe(200);
  expect(Buffer.from(await reply.arrayBuffer()).subarray(-archive.length)).toEqual(archive);
});

test("machines with a role get none", async () => {
  expect(await told({ byRole: true })).toMatchObject({ lines: [], warnings: [] });
  expect((await told({ byRole: true, place: readS3Url("s3://team", "") })).tags).toMatchObject({
    "bake-ami:bundles": "s3://team",
  });
});

test("what an image will not take is told before the launch", async () => {
  const nobody = await told({ image: { id: "ami-2", tags: new Map() } });
  expect(nobody.warnings).toEqual([
    "ami-2 trusts nobody's signature, so its machines take no bundle from a channel",
  ]);
  const others = await told({ image: { id: "ami-3", tags: new Map([["bake-ami:signer", "SHA256:x"]]) } });
  expect(others.warnings).toEqual([
    `the bundle in channel test is signed by ${signer.fingerprint}, and ami-3 trusts SHA256:x: its machines will not take it`,
  ]);
  const empty = await told({ channel: "empty" });
  expect(empty.warnings).toEqual(["nothing has been pushed to the channel empty yet"]);
  expect(empty.lines).toHaveLength(1);
});

test("a bucket that is not there, or that the caller may not read, is an error; not when the machines have a role", async () => {
  const nowhere = await failureOf(told({ place: readS3Url("s3://nowhere/x", "") }));
  expect(nowhere).toMatchObject({ kind: "usage", message: "there is no bucket nowhere" });

  const statement = { Effect: "Allow", Action: "ec2:DescribeImages", Resource: "*" };
  const policy = parsePolicy({ Version: "2012-10-17", Statement: [statement] });
  const { directory } = objects;
  const limited = new Cloud(clientOptions(openLocalCloud({ engine: "state-only", directory, policy })));
  const denied = await failureOf(told({}, limited));
  expect(denied.hint).toContain('"Action":"s3:ListBucket","Resource":"arn:aws:s3:::team"');
  const byRole = await told({ byRole: true }, limited);
  expect(byRole.warnings).toEqual([
    expect.stringMatching(/^cannot see what is in the channel test: s3:ListBucket/),
  ]);
  expect(byRole.tags).toMatchObject({ "bake-ami:channel": "test" });
});

test("each log of each machine has a URL of its own, unless the machines have a role", async () => {
  const request = { place: readS3Url("s3://team/logs", ""), run: "r1", count: 2 } as const;
  const names = ["update.log", "job.log"] as const;
  const lines = await logLines(cloud, { ...request, names, byRole: false }, () => undefined, signal);
  expect(lines[0]).toEqual({ kind: "log", url: "s3://team/logs/r1/" });
  const urls = lines.flatMap((line) => (line.kind === "log-url" ? [line] : []));
  expect(urls.map(({ index, name }) => `${index} ${name}`)).toEqual([
    "0 update.log",
    "0 job.log",
    "1 update.log",
    "1 job.log",
  ]);
  for (const { index, name, url } of urls) {
    expect((await fetch(url, { method: "PUT", body: `${name} of ${index}` })).status).toBe(200);
  }
  expect(await served.ask("s3", "cp", "s3://team/logs/r1/1/job.log", "-")).toBe("job.log of 1");

  const byRole = await logLines(cloud, { ...request, names, byRole: true }, () => undefined, signal);
  expect(byRole).toEqual([{ kind: "log", url: "s3://team/logs/r1/" }]);
  const wrong = { ...request, place: readS3Url("s3://nowhere", ""), names, byRole: true };
  expect(await failureOf(logLines(cloud, wrong, () => undefined, signal))).toMatchObject({
    message: "there is no bucket nowhere",
  });
});

test("URLs that end with the session that signs them are told of", async () => {
  const expiration = new Date(Date.now() + 3_600_000);
  const credentials = { ...clientOptions(objects.cloud).credentials, expiration };
  const session = new Cloud({
    ...clientOptions(objects.cloud),
    credentials,
  });
  const { warnings } = await told({}, session);
  expect(warnings).toEqual([
    expect.stringMatching(
      /^your session ends at .* UTC, and with it the URLs by which the machines get their bundles$/,
    ),
  ]);
});

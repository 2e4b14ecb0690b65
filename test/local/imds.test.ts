import { spawn } from "node:child_process";
import { describe, expect, test } from "vitest";
import { RunInstancesCommand, CreateTagsCommand } from "@aws-sdk/client-ec2";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { viewOf, type InstanceView } from "../../src/local/imds/instance-view.ts";
import { respond, type MetadataResponse } from "../../src/local/imds/respond.ts";
import { guestProgram } from "../../src/local/qemu/guest-program.ts";
import { stateOnlyCloud } from "../support/local-cloud.ts";

const it: InstanceView = {
  id: "i-0123456789abcdef0",
  reservationId: "r-1",
  launchIndex: 0,
  imageId: "ami-12345678",
  type: "t3.micro",
  architecture: "x86_64",
  region: "local",
  zone: "locala",
  subnetId: "subnet-1",
  privateAddress: "169.254.1.16",
  publicAddress: "127.70.1.2",
  mac: "02:00:00:00:00:01",
  launchedAt: Date.parse("2026-01-02T03:04:05Z"),
  key: { name: "mine", publicKey: "ssh-ed25519 AAAA" },
  groups: [{ id: "sg-1", name: "web" }],
  userData: Buffer.from([1, 0, 255]).toString("base64"),
  spot: true,
  profileArn: "arn:aws:iam::000000000000:instance-profile/web",
  rootDevice: "/dev/xvda",
  tags: { "bake-ami:with": "a b", name: "x" },
  metadata: { enabled: true, tokensRequired: true, tags: true, key: "secret" },
};
const now = 1_000_000;

function token(of: InstanceView = it, ttl = "60", more: Record<string, string> = {}): MetadataResponse {
  const headers = { "x-aws-ec2-metadata-token-ttl-seconds": ttl, ...more };
  return respond({ method: "PUT", target: "/latest/api/token", headers }, of, now);
}

function get(path: string, of: InstanceView = it, at = now): MetadataResponse {
  const headers = { "x-aws-ec2-metadata-token": token(of).body.toString() };
  return respond({ method: "GET", target: path, headers }, of, at);
}

test("what kind of instance it is, and where its services are", () => {
  expect(get("/latest/meta-data/instance-life-cycle").body.toString()).toBe("spot");
  expect(get("/latest/meta-data/ami-launch-index").body.toString()).toBe("0");
  expect(get("/latest/meta-data/services/").body).toBe("domain\nendpoint\npartition");
  expect(get("/latest/meta-data/services/endpoint").body).toBe("http://169.254.169.252");
});

test("where it was placed", () => {
  const placed = { ...it, placement: { group: "close", partition: 2 } };
  expect(get("/latest/meta-data/placement/", placed).body).toBe(
    "availability-zone\ngroup-name\npartition-number\nregion",
  );
  expect(get("/latest/meta-data/placement/group-name", placed).body).toBe("close");
  expect(get("/latest/meta-data/placement/partition-number", placed).body).toBe("2");
});

describe("an instance profile", () => {
  const launchedAt = it.launchedAt;
  const hours = 3_600_000;
  const at = (path: string, time: number, of: InstanceView = it): MetadataResponse => {
    const headers = { "x-aws-ec2-metadata-token-ttl-seconds": "60" };
    const put = respond({ method: "PUT", target: "/latest/api/token", headers }, of, time);
    const withToken = { "x-aws-ec2-metadata-token": put.body.toString() };
    return respond({ method: "GET", target: `/latest/meta-data/iam${path}`, headers: withToken }, of, time);
  };
  const keys = (time: number, of: InstanceView = it): unknown =>
    JSON.parse(at("/security-credentials/web", time, of).body.toString());

  test("is shown with the credentials of its role", () => {
    expect(at("/", launchedAt).body).toBe("info\nsecurity-credentials/");
    expect(JSON.parse(at("/info", launchedAt).body.toString())).toMatchObject({
      Code: "Success",
      InstanceProfileArn: it.profileArn,
    });
    expect(at("/security-credentials/", launchedAt).body).toBe("web");
    // As EC2 writes it, for shell programs.
    expect(at("/security-credentials/web", launchedAt).body.toString().split("\n")).toEqual([
      "{",
      '  "Code" : "Success",',
      '  "LastUpdated" : "2026-01-02T03:04:05Z",',
      '  "Type" : "AWS-HMAC",',
      expect.stringMatching(/^ {2}"AccessKeyId" : "ASIA[A-Z2-7]{16}",$/),
      expect.stringMatching(/^ {2}"SecretAccessKey" : "[A-Za-z0-9+/]{40}",$/),
      expect.stringMatching(/^ {2}"Token" : "[A-Za-z0-9+/]+=*",$/),
      '  "Expiration" : "2026-01-02T09:04:05Z"',
      "}",
    ]);
    expect(at("/security-credentials/other", launchedAt).status).toBe(404);
  });

  test("credentials stay for three hours and last for six; each instance has its own", () => {
    const first = keys(launchedAt);
    expect(keys(launchedAt + 3 * hours - 1)).toEqual(first);
    expect(keys(launchedAt + 3 * hours)).toMatchObject({ Expiration: "2026-01-02T12:04:05Z" });
    expect(keys(launchedAt + 3 * hours)).not.toEqual(first);
    const secrets = [
      it,
      { ...it, id: "i-0123456789abcdef1" },
      { ...it, metadata: { ...it.metadata, key: "another" } },
    ].map((of) => JSON.stringify(keys(launchedAt, of)));
    expect(new Set(secrets).size).toBe(3);
  });

  test("a path is no part of the role's name", () => {
    const of = { ...it, profileArn: "arn:aws:iam::000000000000:instance-profile/team/app" };
    expect(at("/security-credentials/", launchedAt, of).body).toBe("app");
  });

  test("without one there is nothing", () => {
    const bare = { ...it, profileArn: undefined };
    for (const path of ["", "/", "/info", "/security-credentials/", "/security-credentials/web"]) {
      expect(at(path, launchedAt, bare).status).toBe(404);
    }
  });
});

test.each([
  ["instance-id", "i-0123456789abcdef0"],
  ["ami-id", "ami-12345678"],
  ["instance-type", "t3.micro"],
  ["local-hostname", "ip-169-254-1-16.local.compute.internal"],
  ["local-ipv4", "169.254.1.16"],
  ["public-ipv4", "127.70.1.2"],
  ["mac", "02:00:00:00:00:01"],
  ["placement/availability-zone", "locala"],
  ["placement/", "availability-zone\nregion"],
  ["public-keys/", "0=mine"],
  ["public-keys/0", "openssh-key"],
  ["public-keys/0/openssh-key", "ssh-ed25519 AAAA mine"],
  ["security-groups", "web"],
  ["tags/instance/", "bake-ami:with\nname"],
  ["tags/instance/bake-ami:with", "a b"],
  ["tags/instance/bake-ami%3Awith", "a b"],
  ["network/interfaces/macs/", "02:00:00:00:00:01/"],
  ["network/interfaces/macs/02:00:00:00:00:01/local-ipv4s", "169.254.1.16"],
])("meta-data/%s", (path, expected) => {
  expect(get(`/latest/meta-data/${path}`)).toMatchObject({ status: 200, body: expected });
});

test("user data are bytes; the identity document is JSON; dated versions work as cloud-init asks for them", () => {
  expect(get("/latest/user-data").body).toEqual(Buffer.from([1, 0, 255]));
  const document = get("/2021-03-23/dynamic/instance-identity/document").body.toString();
  expect(JSON.parse(document)).toMatchObject({
    instanceId: it.id,
    region: "local",
    pendingTime: "2026-01-02T03:04:05Z",
  });
  expect(get("/latest/").body).toBe("dynamic/\nmeta-data/\nuser-data");
});

test.each([
  "spot/instance-action",
  "nothing",
  "tags/instance/no",
  "instance-id/x",
  "public-keys/1",
  "constructor",
])("meta-data/%s is not there", (path) => {
  expect(get(`/latest/meta-data/${path}`).status).toBe(404);
});

test("without user data, key or tags option they are not there", () => {
  const bare = { ...it, userData: undefined, key: undefined, metadata: { ...it.metadata, tags: false } };
  for (const path of ["user-data", "meta-data/public-keys/", "meta-data/tags/instance/name"]) {
    expect(get(`/latest/${path}`, bare).status).toBe(404);
  }
});

test("tokens: needed, for a while, for one instance, and not for forwarded requests", () => {
  const plain = { method: "GET", target: "/latest/meta-data/instance-id", headers: {} };
  expect(respond(plain, it, now).status).toBe(401);
  expect(respond(plain, { ...it, metadata: { ...it.metadata, tokensRequired: false } }, now).status).toBe(
    200,
  );
  const path = "/latest/meta-data/instance-id";
  expect(get(path, it, now + 59_999).status).toBe(200);
  expect(get(path, it, now + 60_000).status).toBe(401);
  const other = { ...it, id: "i-0123456789abcdef1" };
  const headers = { "x-aws-ec2-metadata-token": token(other).body.toString() };
  expect(respond({ method: "GET", target: path, headers }, it, now).status).toBe(401);
  expect(token(it, "0").status).toBe(400);
  expect(token(it, "21601").status).toBe(400);
  expect(token(it, "x").status).toBe(400);
  expect(token(it, "60", { "x-forwarded-for": "1.2.3.4" }).status).toBe(403);
  expect(token({ ...it, metadata: { ...it.metadata, enabled: false } }).status).toBe(403);
});

test("the program serves several requests on one connection, and sees changed tags", async () => {
  await using local = await stateOnlyCloud();
  const { Instances } = await local.ec2.send(
    new RunInstancesCommand({
      ImageId: local.imageId,
      MinCount: 1,
      MaxCount: 1,
      MetadataOptions: { HttpTokens: "optional", InstanceMetadataTags: "enabled" },
    }),
  );
  const id = Instances?.[0]?.InstanceId ?? "";
  const stateFile = join(local.directory, "state.json");
  expect(viewOf(readFileSync(stateFile, "utf8"), id)?.id).toBe(id);

  const child = spawn(process.execPath, [await guestProgram("imds-main"), stateFile, id]);
  let text = "";
  child.stdout.setEncoding("utf8").on("data", (piece: string) => (text += piece));
  const answer = async (request: string): Promise<string> => {
    text = "";
    child.stdin.write(request);
    for (let tries = 0; !/\r\n\r\n/.test(text) && tries < 500; tries += 1) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    return text;
  };
  // In pieces, as a network may bring it.
  child.stdin.write("GET /latest/meta-data/instance-id HT");
  expect(await answer("TP/1.1\r\nHost: x\r\n\r\n")).toContain(`\r\n\r\n${id}`);
  expect(await answer("GET /latest/meta-data/tags/instance/late HTTP/1.1\r\n\r\n")).toMatch(
    /^HTTP\/1\.1 404 /,
  );
  await local.ec2.send(new CreateTagsCommand({ Resources: [id], Tags: [{ Key: "late", Value: "yes" }] }));
  expect(await answer("GET /latest/meta-data/tags/instance/late HTTP/1.1\r\n\r\n")).toMatch(/\r\n\r\nyes$/);
  const end = new Promise((resolve) => child.once("close", resolve));
  expect(await answer("HEAD / HTTP/1.1\r\nConnection: close\r\n\r\n")).toMatch(/connection: close\r\n\r\n$/);
  expect(await end).toBe(0);
});

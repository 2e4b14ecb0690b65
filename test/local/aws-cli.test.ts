import { request } from "node:http";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { serveLocalCloud } from "../../src/local/serve.ts";
import { noAws, serveToAws, type Answer, type ServedCloud } from "../support/aws-cli.ts";
import { stateOnlyCloud, type StateOnlyCloud } from "../support/local-cloud.ts";

let local: StateOnlyCloud;
let served: ServedCloud;

beforeAll(async () => {
  local = await stateOnlyCloud();
  served = await serveToAws(local);
});
afterAll(async () => {
  await served[Symbol.asyncDispose]();
  await local[Symbol.asyncDispose]();
});

const aws = async (...args: string[]): Promise<Answer> => await served.aws(...args);
const ask = async (...args: string[]): Promise<string> => await served.ask(...args);

describe.skipIf(noAws !== undefined)(
  `the aws command line against the local cloud ${noAws ?? ""}`,
  { timeout: 120_000 },
  () => {
    test("describe, run, stop, create-image, launch, terminate", async () => {
      expect(await ask("sts", "get-caller-identity", "--query", "Account")).toBe("000000000000");
      const base = await ask("ec2", "describe-images", "--owners", "amazon", "--query", "Images[0].ImageId");
      expect(base).toBe(local.imageId);
      const group = await ask(
        "ec2",
        "create-security-group",
        "--group-name",
        "cli",
        "--description",
        "d",
        "--query",
        "GroupId",
      );
      await ask(
        "ec2",
        "authorize-security-group-ingress",
        "--group-id",
        group,
        "--protocol",
        "tcp",
        "--port",
        "22",
        "--cidr",
        "127.0.0.1/32",
      );
      const id = await ask(
        ...[
          "ec2",
          "run-instances",
          "--image-id",
          base,
          "--instance-type",
          "t3.micro",
          "--security-group-ids",
          group,
        ],
        ...["--tag-specifications", "ResourceType=instance,Tags=[{Key=who,Value=a & <b>}]"],
        ...["--query", "Instances[0].InstanceId"],
      );
      expect(id).toMatch(/^i-[0-9a-f]{17}$/);
      await ask("ec2", "wait", "instance-running", "--instance-ids", id);
      const found = await ask(
        "ec2",
        "describe-instances",
        "--filters",
        "Name=tag:who,Values=a*",
        "--query",
        "Reservations[].Instances[].InstanceId",
      );
      expect(found).toBe(id);
      await ask("ec2", "stop-instances", "--instance-ids", id);
      await ask("ec2", "wait", "instance-stopped", "--instance-ids", id);
      const image = await ask(
        "ec2",
        "create-image",
        "--instance-id",
        id,
        "--name",
        "from-cli",
        "--query",
        "ImageId",
      );
      await ask("ec2", "wait", "image-available", "--image-ids", image);
      const second = await ask(
        "ec2",
        "run-instances",
        "--image-id",
        image,
        "--instance-type",
        "t3.micro",
        "--query",
        "Instances[0].InstanceId",
      );
      await ask("ec2", "terminate-instances", "--instance-ids", id, second);
      await ask("ec2", "wait", "instance-terminated", "--instance-ids", id, second);
      const snapshot = await ask(
        "ec2",
        "describe-images",
        "--image-ids",
        image,
        "--query",
        "Images[0].BlockDeviceMappings[0].Ebs.SnapshotId",
      );
      await ask("ec2", "deregister-image", "--image-id", image);
      await ask("ec2", "delete-snapshot", "--snapshot-id", snapshot);
      await ask("ec2", "delete-security-group", "--group-id", group);
      expect(
        await ask("ec2", "describe-snapshots", "--owner-ids", "self", "--query", "length(Snapshots)"),
      ).toBe("0");
    });

    test.each<[string[], string]>([
      [["describe-instances", "--instance-ids", "i-00000000000000000"], "InvalidInstanceID.NotFound"],
      [["describe-instances", "--instance-ids", "i-nonsense"], "InvalidInstanceID.Malformed"],
      [
        ["run-instances", "--image-id", "ami-00000000000000000", "--instance-type", "t3.micro"],
        "InvalidAMIID.NotFound",
      ],
      [["describe-key-pairs", "--key-names", "nobody"], "InvalidKeyPair.NotFound"],
      [["delete-security-group", "--group-id", "sg-00000000000000000"], "InvalidGroup.NotFound"],
      [["stop-instances", "--instance-ids", "i-00000000000000000"], "InvalidInstanceID.NotFound"],
      [["describe-nat-gateways"], "InvalidAction"],
    ])("%j ends with %s", async (args, code) => {
      const answer = await aws("ec2", ...args);
      expect(answer.stderr).toContain(`(${code})`);
      expect(answer.status).not.toBe(0);
    });

    test("a parameter that is not implemented is refused, not ignored", async () => {
      const answer = await aws(
        "ec2",
        "run-instances",
        "--image-id",
        local.imageId,
        "--instance-type",
        "t3.micro",
        "--hibernation-options",
        "Configured=true",
      );
      expect(answer.stderr).toMatch(/HibernationOptions/);
      expect(answer.status).not.toBe(0);
    });
  },
);

describe("what is no EC2 client is refused", () => {
  const ask = async (headers: Readonly<Record<string, string>>): Promise<number | undefined> =>
    await new Promise((resolve, reject) => {
      const body = "Action=DescribeVpcs&Version=2016-11-15";
      request(
        served.url,
        { method: "POST", headers: { "content-length": body.length, ...headers } },
        (response) => {
          response.resume();
          resolve(response.statusCode);
        },
      )
        .on("error", reject)
        .end(body);
    });

  test("a web page, and a foreign name for this address", async () => {
    expect(await ask({})).toBe(200);
    expect(await ask({ origin: "https://example.com" })).toBe(403);
    expect(await ask({ host: "rebound.example.com" })).toBe(403);
  });

  test("a port that is taken is named", async () => {
    const port = Number(new URL(served.url).port);
    const second = serveLocalCloud({
      cloud: local.cloud,
      port,
      signal: new AbortController().signal,
      onListening: () => undefined,
    });
    await expect(second).rejects.toMatchObject({ kind: "usage", message: `port ${port} is taken` });
  });
});

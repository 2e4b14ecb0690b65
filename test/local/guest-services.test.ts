import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  CreateTagsCommand,
  DescribeInstancesCommand,
  DescribeTagsCommand,
  EC2Client,
  RunInstancesCommand,
} from "@aws-sdk/client-ec2";
import { CreateBucketCommand, GetObjectCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { GetParameterCommand, PutParameterCommand, SSMClient } from "@aws-sdk/client-ssm";
import { GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { openGuestNetwork, type GuestNetwork } from "../support/guest-network.ts";
import { clientOptions, stateOnlyCloud, type StateOnlyCloud } from "../support/local-cloud.ts";
import { presign } from "../support/s3.ts";

const Bucket = "guests";

interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

let local: StateOnlyCloud;
let id: string;
let network: GuestNetwork;
let own: Required<Credentials>;
const user = { accessKeyId: "local", secretAccessKey: "local" };

beforeAll(async () => {
  local = await stateOnlyCloud();
  id = await launched(local);
  network = await openGuestNetwork(local.directory, id);
  own = await credentialsAt(network.metadata);
  await new S3Client(clientOptions(local.cloud)).send(new CreateBucketCommand({ Bucket }));
});
afterAll(async () => {
  await network[Symbol.asyncDispose]();
  await local[Symbol.asyncDispose]();
});

async function launched({ ec2, imageId }: StateOnlyCloud): Promise<string> {
  const { Instances } = await ec2.send(
    new RunInstancesCommand({
      ImageId: imageId,
      MinCount: 1,
      MaxCount: 1,
      IamInstanceProfile: { Name: "web" },
    }),
  );
  return Instances?.[0]?.InstanceId ?? "";
}

const documentSchema = z.object({ AccessKeyId: z.string(), SecretAccessKey: z.string(), Token: z.string() });

/** The credentials that a machine finds by its metadata service. */
async function credentialsAt(metadata: string): Promise<Required<Credentials>> {
  const base = `${metadata}/latest`;
  const put = await fetch(`${base}/api/token`, {
    method: "PUT",
    headers: { "x-aws-ec2-metadata-token-ttl-seconds": "60" },
  });
  const headers = { "x-aws-ec2-metadata-token": await put.text() };
  const answer = await fetch(`${base}/meta-data/iam/security-credentials/web`, { headers });
  const document = documentSchema.parse(await answer.json());
  return {
    accessKeyId: document.AccessKeyId,
    secretAccessKey: document.SecretAccessKey,
    sessionToken: document.Token,
  };
}

function clients(credentials: Credentials, endpoint = network.services) {
  const options = { region: "local", endpoint, credentials, maxAttempts: 1 };
  return {
    s3: new S3Client({ ...options, forcePathStyle: true }),
    ssm: new SSMClient(options),
    sts: new STSClient(options),
    ec2: new EC2Client(options),
  };
}

describe("with the credentials of its role a machine reaches", () => {
  test("STS, which knows who it is", async () => {
    const { sts } = clients(own);
    const { Arn, UserId, Account } = await sts.send(new GetCallerIdentityCommand({}));
    expect([Arn, Account]).toEqual([`arn:aws:sts::000000000000:assumed-role/web/${id}`, "000000000000"]);
    expect(UserId).toMatch(new RegExp(`^AROA[0-9A-F]{17}:${id}$`));
  });

  test("S3", async () => {
    const { s3 } = clients(own);
    await s3.send(new PutObjectCommand({ Bucket, Key: "a b/ü", Body: "by role" }));
    const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key: "a b/ü" }));
    expect(await Body?.transformToString()).toBe("by role");
  });

  test("Systems Manager", async () => {
    const { ssm } = clients(own);
    await ssm.send(new PutParameterCommand({ Name: "/app/token", Value: "s3cret", Type: "SecureString" }));
    const read = await ssm.send(new GetParameterCommand({ Name: "/app/token", WithDecryption: true }));
    expect(read.Parameter?.Value).toBe("s3cret");
  });

  test("EC2, of this cloud, which is locked as for any other command", async () => {
    const { ec2 } = clients(own);
    const { Reservations } = await ec2.send(new DescribeInstancesCommand({}));
    expect(Reservations?.flatMap(({ Instances }) => Instances?.map(({ InstanceId }) => InstanceId))).toEqual([
      id,
    ]);
    // At once, from inside and from outside.
    const keys = ["one", "two", "three", "four", "five", "six"];
    await Promise.all(
      keys.map(async (Key, index) =>
        (index % 2 === 0 ? ec2 : local.ec2).send(
          new CreateTagsCommand({ Resources: [id], Tags: [{ Key, Value: "x" }] }),
        ),
      ),
    );
    const { Tags } = await ec2.send(
      new DescribeTagsCommand({ Filters: [{ Name: "resource-id", Values: [id] }] }),
    );
    expect(Tags?.map(({ Key }) => Key).sort()).toEqual([...keys].sort());
  });

  test("S3 by presigned URLs of its own", async () => {
    const { s3 } = clients(own);
    await s3.send(new PutObjectCommand({ Bucket, Key: "own", Body: "x" }));
    const url = await presign(s3, {
      method: "GET",
      url: `${network.services}/${Bucket}/own`,
      seconds: 60,
    });
    expect(url).toContain("X-Amz-Security-Token=");
    expect((await fetch(url)).status).toBe(200);
    const changed = url.replace(/X-Amz-Security-Token=[^&]+/, "X-Amz-Security-Token=abcd");
    expect(await (await fetch(changed)).text()).toContain("<Code>InvalidToken</Code>");
  });
});

/** The same kind of token, sealed with something else. */
function otherSeal(token: string): string {
  const bytes = Buffer.from(token, "base64");
  bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
  return bytes.toString("base64");
}

describe("what is signed wrongly is refused as AWS does it", () => {
  const cases: readonly (readonly [
    what: string,
    change: () => Credentials,
    codes: Readonly<Record<"s3" | "ssm" | "sts" | "ec2", string>>,
  ])[] = [
    [
      "the wrong secret",
      () => ({ ...own, secretAccessKey: "x".repeat(40) }),
      {
        s3: "SignatureDoesNotMatch",
        ssm: "InvalidSignatureException",
        sts: "SignatureDoesNotMatch",
        ec2: "AuthFailure",
      },
    ],
    [
      "no token",
      () => ({ accessKeyId: own.accessKeyId, secretAccessKey: own.secretAccessKey }),
      {
        s3: "InvalidAccessKeyId",
        ssm: "UnrecognizedClientException",
        sts: "InvalidClientTokenId",
        ec2: "AuthFailure",
      },
    ],
    [
      "a forged token",
      () => ({ ...own, sessionToken: otherSeal(own.sessionToken) }),
      {
        s3: "InvalidToken",
        ssm: "UnrecognizedClientException",
        sts: "InvalidClientTokenId",
        ec2: "AuthFailure",
      },
    ],
    [
      "the user's own key",
      () => user,
      {
        s3: "InvalidAccessKeyId",
        ssm: "UnrecognizedClientException",
        sts: "InvalidClientTokenId",
        ec2: "AuthFailure",
      },
    ],
  ];

  test.each(cases)("%s", async (_, change, codes) => {
    const { s3, ssm, sts, ec2 } = clients(change());
    const refused = (code: string) => ({ name: code });
    await expect(s3.send(new GetObjectCommand({ Bucket, Key: "x" }))).rejects.toMatchObject(
      refused(codes.s3),
    );
    await expect(ssm.send(new GetParameterCommand({ Name: "x" }))).rejects.toMatchObject(refused(codes.ssm));
    await expect(sts.send(new GetCallerIdentityCommand({}))).rejects.toMatchObject(refused(codes.sts));
    await expect(ec2.send(new DescribeInstancesCommand({}))).rejects.toMatchObject(refused(codes.ec2));
  });

  test("no signature at all", async () => {
    const sts = await fetch(`${network.services}/?Action=GetCallerIdentity&Version=2011-06-15`);
    expect([sts.status, await sts.text()]).toEqual([
      403,
      expect.stringContaining("<Code>MissingAuthenticationToken</Code>"),
    ]);
    const s3 = await fetch(`${network.services}/${Bucket}/x`);
    expect([s3.status, await s3.text()]).toEqual([403, expect.stringContaining("<Code>AccessDenied</Code>")]);
  });

  test("credentials of another cloud's machine", async () => {
    await using other = await stateOnlyCloud();
    await using theirs = await openGuestNetwork(other.directory, await launched(other));
    const stranger = await credentialsAt(theirs.metadata);
    await expect(clients(stranger).ec2.send(new DescribeInstancesCommand({}))).rejects.toMatchObject({
      name: "AuthFailure",
    });
    // Where they belong they show what is there, and nothing of this cloud.
    const { Reservations } = await clients(stranger, theirs.services).ec2.send(
      new DescribeInstancesCommand({}),
    );
    expect(Reservations).toHaveLength(1);
    expect(JSON.stringify(Reservations)).not.toContain(id);
  });
});

test("presigned URLs of the user work from inside", async () => {
  const s3 = new S3Client({ ...clientOptions(local.cloud), requestChecksumCalculation: "WHEN_REQUIRED" });
  const url = `${network.services}/${Bucket}/by-url`;
  const put = await presign(s3, { method: "PUT", url, seconds: 60 });
  expect((await fetch(put, { method: "PUT", body: "handed over" })).status).toBe(200);
  expect(await (await fetch(await presign(s3, { method: "GET", url, seconds: 60 }))).text()).toBe(
    "handed over",
  );
});

describe("the policy of a role", () => {
  const policy = (statements: readonly object[]): Promise<void> =>
    mkdir(join(local.directory, "profiles"), { recursive: true }).then(() =>
      writeFile(
        join(local.directory, "profiles", "web.json"),
        JSON.stringify({ Version: "2012-10-17", Statement: statements }),
      ),
    );

  test("is what the role may do, from the next call on", async () => {
    const { s3, ssm, sts, ec2 } = clients(own);
    await policy([{ Effect: "Allow", Action: "s3:PutObject", Resource: `arn:aws:s3:::${Bucket}/logs/*` }]);
    const who = `arn:aws:sts::000000000000:assumed-role/web/${id}`;
    await s3.send(new PutObjectCommand({ Bucket, Key: "logs/a", Body: "x" }));
    await expect(s3.send(new PutObjectCommand({ Bucket, Key: "b", Body: "x" }))).rejects.toMatchObject({
      name: "AccessDenied",
      message: `User: ${who} is not authorized to perform: s3:PutObject on resource: "arn:aws:s3:::${Bucket}/b" because no identity-based policy allows the s3:PutObject action`,
    });
    await expect(ssm.send(new GetParameterCommand({ Name: "/app/token" }))).rejects.toMatchObject({
      name: "AccessDeniedException",
      message: `User: ${who} is not authorized to perform: ssm:GetParameter on resource: arn:aws:ssm:local:000000000000:parameter/app/token because no identity-based policy allows the ssm:GetParameter action`,
    });
    await expect(ec2.send(new DescribeInstancesCommand({}))).rejects.toMatchObject({
      name: "UnauthorizedOperation",
    });
    await sts.send(new GetCallerIdentityCommand({}));
    // The user is under no policy, nor is what the user has signed.
    expect((await local.ec2.send(new DescribeInstancesCommand({}))).Reservations).not.toHaveLength(0);
    const url = await presign(new S3Client(clientOptions(local.cloud)), {
      method: "PUT",
      url: `${network.services}/${Bucket}/b`,
      seconds: 60,
    });
    expect((await fetch(url, { method: "PUT", body: "x" })).status).toBe(200);
  });

  test("that cannot be enforced lets nothing through", async () => {
    await policy([
      { Effect: "Allow", Action: "s3:*", Resource: "*", Condition: { Maybe: { "aws:x": "y" } } },
    ]);
    await expect(clients(own).ssm.send(new GetParameterCommand({ Name: "/app/token" }))).rejects.toThrow(
      /profiles\/web\.json cannot be enforced/,
    );
    await expect(clients(own).s3.send(new GetObjectCommand({ Bucket, Key: "b" }))).rejects.toMatchObject({
      name: "InternalError",
    });
  });
});

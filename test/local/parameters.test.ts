import {
  DeleteParameterCommand,
  GetParameterCommand,
  GetParametersCommand,
  PutParameterCommand,
  SSMClient,
} from "@aws-sdk/client-ssm";
import { RunInstancesCommand } from "@aws-sdk/client-ec2";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { registerBaseImage } from "../../src/local/base-images.ts";
import { ApiError } from "../../src/local/protocol/errors.ts";
import { Store } from "../../src/local/state/store.ts";
import { clientOptions, stateOnlyCloud, type StateOnlyCloud } from "../support/local-cloud.ts";

let local: StateOnlyCloud;
let ssm: SSMClient;

beforeEach(async () => {
  local = await stateOnlyCloud();
  ssm = new SSMClient(clientOptions(local.cloud));
});
afterEach(async () => {
  await local[Symbol.asyncDispose]();
});

async function value(Name: string, WithDecryption?: boolean): Promise<string | undefined> {
  const { Parameter } = await ssm.send(new GetParameterCommand({ Name, WithDecryption }));
  return Parameter?.Value;
}

async function run(ImageId: string): Promise<string | undefined> {
  const request = { ImageId, InstanceType: "t3.micro" as const, MinCount: 1, MaxCount: 1 };
  const { Instances } = await local.ec2.send(new RunInstancesCommand(request));
  return Instances?.[0]?.ImageId;
}

async function addAmazonLinux(): Promise<string> {
  return await new Store(local.directory).change(
    (draft) =>
      registerBaseImage(
        draft,
        {
          base: "al2023",
          name: "al2023-ami-2023.9.20260105.0-kernel-6.1-x86_64",
          description: "",
          architecture: "x86_64",
          sizeGiB: 8,
          disk: "disk-00000000000000002",
          boot: { kind: "disk" },
        },
        Date.parse("2026-01-05"),
      ),
    AbortSignal.timeout(10_000),
  );
}

describe("public parameters name the base images that are here", () => {
  const debian = "/aws/service/debian/release/12/latest/amd64";
  const amazon = "/aws/service/ami-amazon-linux-latest/al2023-ami";

  test("Debian's", async () => {
    expect(await value(debian)).toBe(local.imageId);
    expect(await value("/aws/service/debian/release/bookworm/latest/amd64")).toBe(local.imageId);
    await expect(value("/aws/service/debian/release/12/latest/arm64")).rejects.toMatchObject({
      name: "ParameterNotFound",
    });
  });

  test("Amazon Linux's, by architecture and kernel", async () => {
    await expect(value(`${amazon}-kernel-default-x86_64`)).rejects.toMatchObject({
      name: "ParameterNotFound",
    });
    const id = await addAmazonLinux();
    for (const name of ["-kernel-default-x86_64", "-minimal-kernel-default-x86_64", "-kernel-6.1-x86_64"]) {
      expect(await value(amazon + name)).toBe(id);
    }
    for (const name of ["-kernel-default-arm64", "-kernel-6.12-x86_64"]) {
      await expect(value(amazon + name)).rejects.toMatchObject({ name: "ParameterNotFound" });
    }
  });

  test("a launch takes one in the place of an image", async () => {
    expect(await run(`resolve:ssm:${debian}`)).toBe(local.imageId);
    await expect(run("resolve:ssm:/no/such")).rejects.toMatchObject({ name: "InvalidParameterValue" });
  });
});

describe("own parameters", () => {
  test("are put, read by version, replaced only when asked to, and deleted", async () => {
    const put = async (Value: string, more: object = {}): Promise<number | undefined> =>
      (await ssm.send(new PutParameterCommand({ Name: "/app/image", Value, ...more }))).Version;
    await expect(put("x")).rejects.toMatchObject({ name: "ValidationException" });
    await expect(put("x", { Type: "String", DataType: "aws:ec2:image" })).rejects.toThrow(/AMI ID/);
    expect(await put(local.imageId, { Type: "String", DataType: "aws:ec2:image" })).toBe(1);
    await expect(put("ami-12345678")).rejects.toMatchObject({ name: "ParameterAlreadyExists" });
    expect(await run("resolve:ssm:/app/image")).toBe(local.imageId);
    expect(await put("ami-12345678", { Overwrite: true })).toBe(2);
    expect(await value("/app/image:2")).toBe("ami-12345678");
    await expect(value("/app/image:1")).rejects.toMatchObject({ name: "ParameterVersionNotFound" });
    await ssm.send(new DeleteParameterCommand({ Name: "/app/image" }));
    await expect(ssm.send(new DeleteParameterCommand({ Name: "/app/image" }))).rejects.toMatchObject({
      name: "ParameterNotFound",
    });
  });

  test("several at once, with those that are not there named", async () => {
    await ssm.send(new PutParameterCommand({ Name: "one", Value: "1", Type: "String" }));
    const reply = await ssm.send(new GetParametersCommand({ Names: ["one", "two"] }));
    expect(reply.Parameters).toMatchObject([{ Name: "one", Value: "1", Type: "String", DataType: "text" }]);
    expect(reply.Parameters?.[0]?.LastModifiedDate).toBeInstanceOf(Date);
    expect(reply.InvalidParameters).toEqual(["two"]);
  });

  test("a secret is shown only when it is to be decrypted", async () => {
    await ssm.send(new PutParameterCommand({ Name: "secret", Value: "s3cret", Type: "SecureString" }));
    expect(await value("secret")).not.toContain("s3cret");
    expect(await value("secret", true)).toBe("s3cret");
  });

  test("AWS's own names are refused", async () => {
    for (const Name of ["/aws/x", "aws-x", "ssm", "/SSM/x"]) {
      const put = ssm.send(new PutParameterCommand({ Name, Value: "x", Type: "String" }));
      await expect(put).rejects.toMatchObject({ name: "AccessDeniedException" });
    }
  });

  test("what the local cloud has no place for is refused", async () => {
    const put = ssm.send(
      new PutParameterCommand({ Name: "x", Value: "x", Type: "String", Tier: "Advanced" }),
    );
    await expect(put).rejects.toThrow(/Tier/);
  });
});

test("what misbehaves speaks as Systems Manager does", async () => {
  for (const [code, status, name] of [
    ["RequestLimitExceeded", 503, "ThrottlingException"],
    ["UnauthorizedOperation", 403, "AccessDeniedException"],
    ["InternalError", 500, "InternalServerError"],
  ] as const) {
    await using cloud = await stateOnlyCloud({
      intercept: () => Promise.reject(new ApiError(code, "no", status)),
    });
    const client = new SSMClient({ ...clientOptions(cloud.cloud), maxAttempts: 1 });
    await expect(client.send(new GetParameterCommand({ Name: "x" }))).rejects.toMatchObject({ name });
  }
});

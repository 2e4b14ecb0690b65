import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { RunInstancesCommand } from "@aws-sdk/client-ec2";
import {
  DeleteParametersCommand,
  DescribeParametersCommand,
  GetParameterCommand,
  GetParametersByPathCommand,
  PutParameterCommand,
  SSMClient,
  type ParameterType,
} from "@aws-sdk/client-ssm";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { viewOf } from "../../src/local/imds/instance-view.ts";
import { credentialsOf, currentSession } from "../../src/local/identity/role-credentials.ts";
import { noAws, serveToAws } from "../support/aws-cli.ts";
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

async function put(Name: string, Value: string, Type?: ParameterType, more: object = {}): Promise<void> {
  await ssm.send(new PutParameterCommand({ Name, Value, Type, ...more }));
}

const state = (): string => readFileSync(join(local.directory, "state.json"), "utf8");

describe("a SecureString", () => {
  test("is encrypted to whoever does not ask for its plain value; at rest only the user may read it", async () => {
    await put("/app/pin", "1234", "SecureString", { Description: "of the door" });
    const sealed = await ssm.send(new GetParameterCommand({ Name: "/app/pin" }));
    expect(sealed.Parameter?.Value).toMatch(/^AQICAH[A-Za-z0-9+/=]+$/);
    await put("/app/pin", "1234", undefined, { Overwrite: true });
    const again = await ssm.send(new GetParameterCommand({ Name: "/app/pin" }));
    // A short value cannot be found by trying all of them.
    expect(again.Parameter?.Value).not.toBe(sealed.Parameter?.Value);
    const plain = await ssm.send(new GetParameterCommand({ Name: "/app/pin", WithDecryption: true }));
    expect(plain.Parameter).toMatchObject({ Value: "1234", Type: "SecureString", Version: 2 });
    expect(state()).toContain('"1234"');
    expect(statSync(join(local.directory, "state.json")).mode & 0o777).toBe(0o600);
  });

  test("has a key, and stays one", async () => {
    await put("/app/pin", "1", "SecureString");
    await put("/app/other", "1", "SecureString", { KeyId: "alias/own" });
    await expect(put("/app/plain", "1", "String", { KeyId: "alias/own" })).rejects.toThrow(/SecureString/);
    await expect(put("/app/pin", "1", "String", { Overwrite: true })).rejects.toMatchObject({
      name: "HierarchyTypeMismatchException",
    });
    const { Parameters } = await ssm.send(new DescribeParametersCommand({}));
    expect(Parameters?.map(({ Name, KeyId }) => [Name, KeyId])).toEqual([
      ["/app/other", "alias/own"],
      ["/app/pin", "alias/aws/ssm"],
    ]);
  });

  test("is no image, and is not shown in the error that says so", async () => {
    await put("/app/pin", "s3cret", "SecureString");
    const run = local.ec2.send(
      new RunInstancesCommand({ ImageId: "resolve:ssm:/app/pin", MinCount: 1, MaxCount: 1 }),
    );
    await expect(run).rejects.toThrow(/^(?!.*s3cret).*SecureString names no image/);
  });
});

describe("listings", () => {
  beforeEach(async () => {
    for (const name of ["/app/a", "/app/b", "/app/deep/c", "/application", "/app/deep/er/d"])
      await put(name, name, "String");
    await put("root", "r", "StringList");
    await put("/app/pin", "1234", "SecureString");
  });

  const below = async (Path: string, more: object = {}): Promise<(string | undefined)[]> => {
    const { Parameters = [] } = await ssm.send(new GetParametersByPathCommand({ Path, ...more }));
    return Parameters.map(({ Name }) => Name);
  };

  test("by path", async () => {
    expect(await below("/app")).toEqual(["/app/a", "/app/b", "/app/pin"]);
    expect(await below("/app/", { Recursive: true })).toEqual([
      "/app/a",
      "/app/b",
      "/app/deep/c",
      "/app/deep/er/d",
      "/app/pin",
    ]);
    expect(await below("/")).toEqual(["/application", "root"]);
    expect(await below("/none")).toEqual([]);
    const secure = [{ Key: "Type", Values: ["SecureString"] }];
    expect(await below("/app", { ParameterFilters: secure })).toEqual(["/app/pin"]);
    await expect(below("app")).rejects.toMatchObject({ name: "ValidationException" });
    await expect(below("/aws/service")).rejects.toThrow(/by their names/);
    const odd = [{ Key: "Label", Values: ["x"] }];
    await expect(below("/app", { ParameterFilters: odd })).rejects.toMatchObject({
      name: "InvalidFilterKey",
    });
  });

  test("in pages, with plain values only when asked for", async () => {
    const first = await ssm.send(new GetParametersByPathCommand({ Path: "/app", MaxResults: 2 }));
    expect(first.Parameters?.map(({ Value }) => Value)).toEqual(["/app/a", "/app/b"]);
    const next = { Path: "/app", MaxResults: 2, NextToken: first.NextToken };
    const second = await ssm.send(new GetParametersByPathCommand(next));
    expect(second.NextToken).toBeUndefined();
    expect(second.Parameters?.[0]?.Value).not.toBe("1234");
    const plain = await ssm.send(new GetParametersByPathCommand({ ...next, WithDecryption: true }));
    expect(plain.Parameters?.[0]?.Value).toBe("1234");
    await expect(below("/app", { MaxResults: 11 })).rejects.toMatchObject({ name: "ValidationException" });
  });

  test("of what is known beside the values", async () => {
    const described = async (...ParameterFilters: object[]): Promise<(string | undefined)[]> => {
      const { Parameters = [] } = await ssm.send(
        new DescribeParametersCommand({
          ParameterFilters: ParameterFilters.map((each) => ({ Key: "", ...each })),
        }),
      );
      expect(JSON.stringify(Parameters)).not.toContain("1234");
      return Parameters.map(({ Name }) => Name);
    };
    expect(await described({ Key: "Name", Option: "Contains", Values: ["deep"] })).toEqual([
      "/app/deep/c",
      "/app/deep/er/d",
    ]);
    expect(await described({ Key: "Name", Option: "BeginsWith", Values: ["/appl", "r"] })).toEqual([
      "/application",
      "root",
    ]);
    expect(
      await described({ Key: "Path", Values: ["/app"] }, { Key: "Type", Values: ["SecureString"] }),
    ).toEqual(["/app/pin"]);
    await expect(described({ Key: "Tier", Option: "Contains", Values: ["S"] })).rejects.toMatchObject({
      name: "InvalidFilterOption",
    });
  });

  test("several are deleted at once", async () => {
    const { DeletedParameters, InvalidParameters } = await ssm.send(
      new DeleteParametersCommand({ Names: ["/app/pin", "/app/none", "root"] }),
    );
    expect([DeletedParameters?.sort(), InvalidParameters]).toEqual([["/app/pin", "root"], ["/app/none"]]);
    expect(state()).not.toContain("1234");
  });
});

describe.skipIf(noAws !== undefined)(`the aws command line over local serve ${noAws ?? ""}`, () => {
  test("puts, gets, lists and deletes; as the role of a machine too", { timeout: 120_000 }, async () => {
    await using served = await serveToAws(local);
    const run = async (line: string): Promise<string> => await served.ask("ssm", ...line.split(" "));
    await run("put-parameter --name /cli/token --value s3cret --type SecureString --description d");
    expect(await run("get-parameter --name /cli/token --query Parameter.Value")).not.toContain("s3cret");
    expect(await run("get-parameter --name /cli/token --with-decryption --query Parameter.Value")).toBe(
      "s3cret",
    );
    expect(await run("get-parameters-by-path --path /cli --with-decryption --query Parameters[].Value")).toBe(
      "s3cret",
    );
    expect(await run("describe-parameters --query Parameters[].[Name,Type,Description,KeyId]")).toBe(
      "/cli/token\tSecureString\td\talias/aws/ssm",
    );

    const { Instances } = await local.ec2.send(
      new RunInstancesCommand({
        ImageId: local.imageId,
        MinCount: 1,
        MaxCount: 1,
        IamInstanceProfile: { Arn: "arn:aws:iam::000000000000:instance-profile/team/app" },
      }),
    );
    const id = Instances?.[0]?.InstanceId ?? "";
    const view = viewOf(state(), id);
    if (view?.profileArn === undefined) throw new Error("the instance has no profile");
    const session = currentSession({ ...view, profileArn: view.profileArn }, Date.now());
    const keys = credentialsOf(session, view.metadata.key);
    const role = {
      AWS_ACCESS_KEY_ID: keys.accessKeyId,
      AWS_SECRET_ACCESS_KEY: keys.secretAccessKey,
      AWS_SESSION_TOKEN: keys.token,
    };
    const who = await served.awsAs(role, "sts", "get-caller-identity", "--query", "Arn");
    expect(who.stdout.trim()).toBe(`arn:aws:sts::000000000000:assumed-role/app/${id}`);
    const get = [
      "ssm",
      "get-parameter",
      "--name",
      "/cli/token",
      "--with-decryption",
      "--query",
      "Parameter.Value",
    ];
    expect((await served.awsAs(role, ...get)).stdout.trim()).toBe("s3cret");
    const forged = await served.awsAs({ ...role, AWS_SECRET_ACCESS_KEY: "x" }, ...get);
    expect(forged.stderr).toContain("(InvalidSignatureException)");
    const withoutToken = await served.awsAs({ ...role, AWS_SESSION_TOKEN: "" }, "s3", "ls");
    expect(withoutToken.stderr).toContain("(InvalidAccessKeyId)");
    await run("delete-parameter --name /cli/token");
  });
});

test("credentials end after six hours, by the cloud's clock", async () => {
  const clock = { ahead: 0 };
  await using other = await stateOnlyCloud({ now: () => Date.now() + clock.ahead });
  await other.ec2.send(
    new RunInstancesCommand({
      ImageId: other.imageId,
      MinCount: 1,
      MaxCount: 1,
      IamInstanceProfile: { Name: "app" },
    }),
  );
  const text = readFileSync(join(other.directory, "state.json"), "utf8");
  const id = /"id":"(i-[0-9a-f]+)"/.exec(text)?.[1] ?? "";
  const view = viewOf(text, id);
  if (view?.profileArn === undefined) throw new Error("the instance has no profile");
  const keys = credentialsOf(
    currentSession({ ...view, profileArn: view.profileArn }, Date.now()),
    view.metadata.key,
  );
  const client = new SSMClient({
    ...clientOptions(other.cloud),
    credentials: {
      accessKeyId: keys.accessKeyId,
      secretAccessKey: keys.secretAccessKey,
      sessionToken: keys.token,
    },
    maxAttempts: 1,
  });
  const get = async (): Promise<unknown> => await client.send(new GetParameterCommand({ Name: "/none" }));
  await expect(get()).rejects.toMatchObject({ name: "ParameterNotFound" });
  clock.ahead = 6 * 3_600_000;
  await expect(get()).rejects.toMatchObject({ name: "ExpiredTokenException" });
});

import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { CreateBucketCommand, GetObjectCommand, PutObjectCommand } from "@aws-sdk/client-s3";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { freePort, noTestMachines, type ExecResult, type TestMachine } from "../support/nspawn.ts";
import { newObjects, presign, serveObjects, type Objects, type ServedObjects } from "../support/s3.ts";
import { fakeMetadata, type RoleKeys, type TestMetadata } from "./metadata.ts";
import { parameterStore, type ParameterStore } from "./parameter-store.ts";
import { machineWith, Project, sh } from "./support.ts";

const skipped = noTestMachines === undefined ? "" : ` (${noTestMachines})`;
const keys: RoleKeys = {
  accessKeyId: "ASIATESTTESTTEST",
  secretAccessKey: "s3cr3t/key+with=signs",
  token: "token/with+signs==",
};
/** The keys that the object store knows. */
const objectKeys: RoleKeys = { accessKeyId: "local", secretAccessKey: "local", token: "" };

/** Calls one function of aws.sh with its arguments, and prints what it says. */
const caller = `set -eu
bundle=/opt/bake-ami/current state=/var/lib/bake-ami
. $bundle/lib/aws.sh
status=0
"$@" || status=$?
if [ $status = 0 ] || [ $status = 3 ]; then echo "etag=\${etag-}" >&2; else echo "why=$why" >&2; fi
exit $status
`;

describe.skipIf(noTestMachines).each(["dash", "bash"] as const)(`aws.sh under %s${skipped}`, (shell) => {
  let machine: TestMachine;
  let metadata: TestMetadata;
  let store: ParameterStore;
  let objects: Objects;
  let served: ServedObjects;
  const Bucket = "the-bucket";

  beforeAll(async () => {
    using project = new Project({ "services/web/init.sh": sh("true") });
    machine = await machineWith(project.plan(), shell);
    metadata = await fakeMetadata();
    store = await parameterStore(keys);
    objects = await newObjects();
    served = await serveObjects(objects);
    await served.s3.send(new CreateBucketCommand({ Bucket }));
    await machine.run("cat >/root/call", caller);
    await machine.run(`echo ${metadata.url} >/var/lib/bake-ami/metadata`);
  });
  afterAll(async () => {
    await served[Symbol.asyncDispose]();
    await objects[Symbol.asyncDispose]();
    await store[Symbol.asyncDispose]();
    await metadata[Symbol.asyncDispose]();
    await machine[Symbol.asyncDispose]();
  });

  const call = async (words: string, endpoint: string, patience = 60): Promise<ExecResult> =>
    await machine.exec(`aws_patience=${patience} AWS_ENDPOINT_URL='${endpoint}' sh /root/call ${words}`);
  const whyOf = async (words: string, endpoint: string, patience = 3): Promise<string> => {
    const { status, stderr } = await call(words, endpoint, patience);
    expect(status, stderr).toBe(1);
    return stderr.trim();
  };

  test("metadata: a document, and one that is absent", async () => {
    expect(await call("imds meta-data/instance-id", "")).toMatchObject({ status: 0, stdout: "i-0123" });
    expect(await call("imds meta-data/nothing", "")).toMatchObject({ status: 1, stdout: "" });
  });

  test("a parameter comes exactly as it is, and why it does not is said", async () => {
    metadata.facts.role = keys;
    const values = [
      "plain",
      'quote " back \\ slash / tab\t',
      "line\nends\n\n",
      "ümläut € 😀",
      "\u0001\u007f",
      "",
    ];
    for (const value of values) {
      store.values.set("/app/token", value);
      const result = await call("ssm_parameter /app/token", store.url);
      expect([result.stdout, result.status]).toEqual([value, 0]);
    }
    store.values.set("/app/escaped", String.raw`\u00e9 "Value": "no"`);
    expect((await call("ssm_parameter /app/escaped", store.url)).stdout).toBe(
      String.raw`\u00e9 "Value": "no"`,
    );
    expect(await whyOf("ssm_parameter /app/none", store.url)).toBe("why=no such parameter");
    store.values.set("/app/denied", new Error("User: x is not authorized"));
    expect(await whyOf("ssm_parameter /app/denied", store.url)).toMatch(/^why=access denied/);
    expect(await whyOf(`ssm_parameter '/a"b'`, store.url)).toBe("why=this is no name of a parameter");
    expect(await whyOf("ssm_parameter /app/token", `http://127.0.0.1:${await freePort()}`)).toMatch(
      /^why=no answer from 127\.0\.0\.1:\d+: Failed to connect/,
    );
    store.troubles.push(500, 503);
    store.values.set("/app/token", "after trouble");
    expect((await call("ssm_parameter /app/token", store.url)).stdout).toBe("after trouble");
    metadata.facts.role = { ...keys, secretAccessKey: "wrong" };
    expect(await whyOf("ssm_parameter /app/token", store.url)).toMatch(
      /^why=InvalidSignatureException: the sig/,
    );
    metadata.facts.role = undefined;
    expect(await whyOf("ssm_parameter /app/token", store.url)).toBe(
      "why=this machine has no role (no instance profile)",
    );
    metadata.facts.enabled = false;
    expect(await whyOf("ssm_parameter /app/token", store.url)).toBe(
      "why=the metadata service of this machine is switched off",
    );
    metadata.facts.enabled = true;
  });

  test("objects by role", async () => {
    metadata.facts.role = objectKeys;
    const content = Buffer.from(Array.from({ length: 100_000 }, (_, index) => index % 251));
    await writeFile(join(machine.root, "root/content"), content);
    for (const key of ["plain/key.log", "with blank/ü+&=?#%25'x~.log", "empty"]) {
      const path = key === "empty" ? "/dev/null" : "/root/content";
      if (key === "empty") await machine.run(": >/root/empty");
      const from = key === "empty" ? "/root/empty" : path;
      const put = await call(`s3_put ${from} "s3://${Bucket}/${key}"`, served.url);
      expect([put.status, put.stderr]).toEqual([0, expect.stringContaining("etag=")]);
      const { Body } = await served.s3.send(new GetObjectCommand({ Bucket, Key: key }));
      const bytes = Buffer.from((await Body?.transformToByteArray()) ?? []);
      expect(bytes.equals(key === "empty" ? Buffer.alloc(0) : content)).toBe(true);
      const get = await call(`s3_get "s3://${Bucket}/${key}" /root/got`, served.url);
      expect([get.status, get.stderr]).toEqual([0, expect.stringMatching(/^etag=[0-9a-f]{32}\n$/)]);
      await machine.run(`cmp ${from} /root/got`);
      const etag = get.stderr.trim().replace("etag=", "");
      expect((await call(`s3_get "s3://${Bucket}/${key}" /root/again ${etag}`, served.url)).status).toBe(3);
      expect((await machine.exec("ls /root/again")).status).toBe(2);
    }
    expect(await whyOf(`s3_get s3://${Bucket}/none /root/got`, served.url)).toBe(
      "why=gone: there is no such object",
    );
    expect(await whyOf("s3_get s3://no-bucket/none /root/got", served.url)).toBe(
      "why=there is no such bucket",
    );
    expect(await whyOf("s3_put /root/content s3://no-bucket/none", served.url)).toBe(
      "why=there is no such bucket",
    );
    expect(await whyOf("s3_put /root/content s3://no-key", served.url)).toContain(
      "no address of an S3 object",
    );
    metadata.facts.role = { ...objectKeys, secretAccessKey: "wrong" };
    expect(await whyOf(`s3_get s3://${Bucket}/empty /root/got`, served.url)).toBe(
      "why=access denied: the signature does not match",
    );
    expect((await machine.exec("ls /root/got")).status).toBe(2);
    metadata.facts.role = undefined;
  });

  test("objects by presigned URL", async () => {
    const sign = async (method: "GET" | "PUT", key: string, at = new Date()): Promise<string> =>
      await presign(served.s3, { method, url: `${served.url}/${Bucket}/${key}`, seconds: 60, at });
    await served.s3.send(new PutObjectCommand({ Bucket, Key: "there", Body: "content\n" }));
    const get = await call(`url_get '${await sign("GET", "there")}' /root/got`, "");
    expect(get.status, get.stderr).toBe(0);
    expect(await machine.run("cat /root/got")).toBe("content\n");
    const etag = get.stderr.trim().replace("etag=", "");
    expect((await call(`url_get '${await sign("GET", "there")}' /root/x ${etag}`, "")).status).toBe(3);
    const put = await call(`url_put /root/got '${await sign("PUT", "put%20me")}'`, "");
    expect(put.status, put.stderr).toBe(0);
    const expired = await sign("GET", "there", new Date(Date.now() - 3600_000));
    expect(await whyOf(`url_get '${expired}' /root/x`, "")).toBe("why=the URL has expired");
    expect(await whyOf(`url_get '${await sign("GET", "none")}' /root/x`, "")).toBe(
      "why=gone: there is no such object",
    );
    expect(await whyOf(`url_get '${await sign("PUT", "there")}' /root/x`, "")).toBe(
      "why=access denied: the signature does not match",
    );
    expect(await whyOf(`url_put /root/nothing '${await sign("PUT", "there")}'`, "")).toBe(
      "why=there is no file /root/nothing",
    );
    expect(await machine.run("ls /root/x 2>/dev/null || echo gone")).toBe("gone\n");
  });
});

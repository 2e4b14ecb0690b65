import { createHash, randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { noAws } from "../support/aws-cli.ts";
import { newObjects, run, serveObjects, type Objects, type ServedObjects } from "../support/s3.ts";

let objects: Objects;
let served: ServedObjects;
let files: string;
const bucket = "s3://from-cli";

beforeAll(async () => {
  files = mkdtempSync(join(tmpdir(), "bake-ami-s3-files-"));
  objects = await newObjects();
  served = await serveObjects(objects);
});
afterAll(async () => {
  await served[Symbol.asyncDispose]();
  await objects[Symbol.asyncDispose]();
  rmSync(files, { recursive: true, force: true });
});

const ask = async (...args: string[]): Promise<string> => await served.ask(...args);
const refusal = async (...args: string[]): Promise<string> => {
  const { status, stderr } = await served.aws(...args);
  expect(status).not.toBe(0);
  return stderr.trim();
};
const file = (name: string): string => join(files, name);

describe.skipIf(noAws !== undefined)(
  `the aws command line and the object store ${noAws ?? ""}`,
  { timeout: 180_000 },
  () => {
    test("mb, cp both ways, ls, mv, rm, rb", async () => {
      expect(await ask("s3", "mb", bucket)).toBe("make_bucket: from-cli");
      expect(await ask("s3", "ls")).toMatch(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d from-cli$/);
      writeFileSync(file("one"), "first\n");
      await ask("s3", "cp", file("one"), `${bucket}/dir/a b+é.txt`);
      expect(await ask("s3", "cp", `${bucket}/dir/a b+é.txt`, "-")).toBe("first");
      await ask("s3", "cp", `${bucket}/dir/a b+é.txt`, `${bucket}/dir/copy`);
      await ask("s3", "mv", `${bucket}/dir/copy`, `${bucket}/moved`);
      expect(await ask("s3", "ls", `${bucket}/`)).toMatch(/PRE dir\/\n\S+ \S+ +6 moved$/);
      expect(await ask("s3", "ls", "--recursive", bucket)).toMatch(/ 6 dir\/a b\+é\.txt\n.* 6 moved$/);
      expect(await refusal("s3", "rb", bucket)).toContain("(BucketNotEmpty)");
      await ask("s3", "rm", `${bucket}/moved`);
      expect(await ask("s3", "rb", "--force", bucket)).toContain("remove_bucket: from-cli");
      expect(await refusal("s3", "ls", bucket)).toContain("(NoSuchBucket)");
    });

    test("sync copies what is new and deletes what has gone", async () => {
      await ask("s3", "mb", "s3://synced");
      mkdirSync(file("tree/sub"), { recursive: true });
      for (const name of ["a", "sub/b", "sub/c"]) {
        writeFileSync(file(`tree/${name}`), name);
        utimesSync(file(`tree/${name}`), 1_700_000_000, 1_700_000_000);
      }
      const sync = async (...more: string[]): Promise<string[]> =>
        (await ask("s3", "sync", "--no-progress", file("tree"), "s3://synced/t", ...more)).split("\n").sort();
      expect(await sync()).toHaveLength(3);
      expect(await sync()).toEqual([""]);
      writeFileSync(file("tree/a"), "longer than before");
      rmSync(file("tree/sub/c"));
      expect((await sync("--delete")).map((line) => line.split(" ")[0])).toEqual(["delete:", "upload:"]);
      await ask("s3", "sync", "s3://synced/t", file("back"));
      expect(readFileSync(file("back/a"), "utf8")).toBe("longer than before");
      expect(await ask("s3", "rm", "--recursive", "s3://synced/t")).toContain("delete: s3://synced/t/sub/b");
      expect(await ask("s3", "ls", "s3://synced")).toBe("");
    });

    test("a large file goes in parts, and comes back in ranges", async () => {
      await ask("s3", "mb", "s3://large");
      const content = randomBytes(20_000_000);
      writeFileSync(file("large"), content);
      for (const setting of ["multipart_threshold 6MB", "multipart_chunksize 6MB"]) {
        await run("/usr/bin/aws", ["configure", "set", ...`default.s3.${setting}`.split(" ")], {
          PATH: process.env["PATH"] ?? "",
          HOME: objects.directory,
        });
      }
      await ask("s3", "cp", file("large"), "s3://large/file");
      const key = ["--bucket", "large", "--key", "file"];
      const head = await ask(
        "s3api",
        "head-object",
        ...key,
        "--query",
        "[ContentLength,ETag]",
        "--output",
        "text",
      );
      expect(head).toMatch(/^20000000	"[0-9a-f]{32}-4"$/);
      await ask("s3", "cp", "s3://large/file", file("large.back"));
      const digest = (data: Buffer): string => createHash("sha256").update(data).digest("hex");
      expect(digest(readFileSync(file("large.back")))).toBe(digest(content));
      // From one key to another it is copied in parts.
      await ask("s3", "cp", "s3://large/file", "s3://large/other");
      await ask("s3", "cp", "s3://large/other", file("large.other"));
      expect(digest(readFileSync(file("large.other")))).toBe(digest(content));
      expect(
        await ask("s3api", "list-multipart-uploads", "--bucket", "large", "--output", "text"),
      ).not.toContain("UPLOADS");
      rmSync(join(objects.directory, ".aws"), { recursive: true });
    });

    test("presign, and curl", async () => {
      await ask("s3", "mb", "s3://presigned");
      writeFileSync(file("signed"), "by URL");
      await ask("s3", "cp", file("signed"), "s3://presigned/a b");
      const url = await ask("s3", "presign", "s3://presigned/a b", "--expires-in", "60");
      const curl = async (...args: string[]): Promise<string> => (await run("curl", ["-sS", ...args])).stdout;
      expect(await curl(url)).toBe("by URL");
      expect(await curl("-r", "3-", url)).toBe("URL");
      expect(await curl("-o", "/dev/null", "-w", "%{http_code}", url.replace("a%20b", "b"))).toBe("403");
      expect(await curl(url.replace("Expires=60", "Expires=61"))).toContain(
        "<Code>SignatureDoesNotMatch</Code>",
      );
      const short = await ask("s3", "presign", "s3://presigned/a b", "--expires-in", "1");
      await expect
        .poll(async () => await curl(short), { timeout: 10_000 })
        .toContain("<Message>Request has expired</Message>");
      expect(await curl("-T", file("signed"), url)).toContain("<Code>SignatureDoesNotMatch</Code>");
    });

    test("s3api: metadata, conditions, checksums, ranges, listings", async () => {
      const api = async (...args: string[]): Promise<unknown> => {
        const text = await ask("s3api", ...args, "--output", "json");
        return text === "" ? undefined : JSON.parse(text);
      };
      await api("create-bucket", "--bucket", "api-bucket");
      expect(await api("get-bucket-location", "--bucket", "api-bucket")).toEqual({
        LocationConstraint: "local",
      });
      writeFileSync(file("api"), "0123456789");
      const object = ["--bucket", "api-bucket", "--key", "k"];
      const put = ["put-object", ...object, "--body", file("api")];
      await api(...put, "--metadata", "who=me", "--content-type", "text/x", "--checksum-algorithm", "SHA256");
      expect(await api("head-object", ...object, "--checksum-mode", "ENABLED")).toMatchObject({
        ContentLength: 10,
        ContentType: "text/x",
        Metadata: { who: "me" },
        ChecksumSHA256: createHash("sha256").update("0123456789").digest("base64"),
      });
      await api("get-object", ...object, "--range", "bytes=2-3", file("part"));
      expect(readFileSync(file("part"), "utf8")).toBe("23");
      expect(await refusal("s3api", "get-object", ...object, "--if-match", "x", file("part"))).toContain(
        "(PreconditionFailed)",
      );
      expect(await refusal("s3api", ...put, "--content-md5", "AAAAAAAAAAAAAAAAAAAAAA==")).toContain(
        "(BadDigest)",
      );
      await api("put-object", "--bucket", "api-bucket", "--key", "d/<&>", "--body", file("api"));
      const listed = await api("list-objects-v2", "--bucket", "api-bucket", "--delimiter", "/");
      expect(listed).toMatchObject({ Contents: [{ Key: "k" }], CommonPrefixes: [{ Prefix: "d/" }] });
      const deleted = await api(
        "delete-objects",
        "--bucket",
        "api-bucket",
        "--delete",
        '{"Objects":[{"Key":"k"},{"Key":"d/<&>"}]}',
      );
      expect(deleted).toMatchObject({ Deleted: [{ Key: "k" }, { Key: "d/<&>" }] });
      expect(await refusal("s3api", "get-bucket-acl", "--bucket", "api-bucket")).toContain(
        "(NotImplemented)",
      );
      expect(
        await refusal(
          "s3api",
          "put-bucket-versioning",
          "--bucket",
          "api-bucket",
          "--versioning-configuration",
          "Status=Enabled",
        ),
      ).toContain("(NotImplemented)");
      expect(await refusal("s3api", "head-object", "--bucket", "no-such-bucket", "--key", "k")).toContain(
        "(404)",
      );
      await api("delete-bucket", "--bucket", "api-bucket");
    });
  },
);

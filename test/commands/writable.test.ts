import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { spawnSync } from "node:child_process";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { BakeError } from "../../src/base/errors.ts";
import { explainSystemError } from "../../src/commands/system-errors.ts";
import { checkWritable } from "../../src/commands/writable.ts";
import { bakeAmi } from "../support/cli.ts";

let home: string;
beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), "bake-ami-writable-"));
  chmodSync(home, 0o755);
  writeFileSync(join(home, "file"), "");
  mkdirSync(join(home, "closed"), { mode: 0o555 });
});
afterAll(() => {
  rmSync(home, { recursive: true, force: true });
});

function told(error: unknown): string {
  return error instanceof BakeError ? `${error.kind}: ${error.message} (${error.hint ?? ""}` : String(error);
}

test("a directory that is there or can be made will do, and nothing is made", async () => {
  await checkWritable(home, {});
  await checkWritable(join(home, "a", "b"), {}, ["state.json"]);
  expect(() => {
    rmSync(join(home, "a"));
  }).toThrow(/ENOENT/);
});

test.skipIf(process.platform !== "linux").each(["/proc/new/a", "/sys/new"])(
  "%s, where nothing can be made, is refused and not tried",
  async (directory) => {
    const refusal = await checkWritable(directory, {}).then(() => "none", told);
    expect(refusal).toMatch(
      /^usage: cannot write to \S+: (nothing can be made in|permission denied|.*read-only)/,
    );
  },
);

test.each(["file", "file/below"])("%s is refused with the place and the remedy", async (path) => {
  const directory = join(home, path);
  const environment = { BAKE_AMI_DATA_DIR: directory };
  const refusal = await checkWritable(directory, environment).then(() => "none", told);
  expect(refusal).toMatch(/^usage: cannot write to \S+: .*BAKE_AMI_DATA_DIR$/);
  expect(refusal).toContain(`${directory}: `);
});

test("errors of the system about a file name it and the remedy; others stay as they are", () => {
  const failed = (code: string, path: string): Error =>
    Object.assign(new Error(`${code}: x`), { code, path, syscall: "open" });
  const environment = { BAKE_AMI_DATA_DIR: "/data", BAKE_AMI_LOCAL_DIR: "/machines" };
  const explained = (code: string, path: string): string =>
    told(explainSystemError(failed(code, path), environment));
  expect(explained("ENOSPC", "/data/logs/x")).toBe(
    "failed: cannot use /data/logs/x: the disk is full (make room there, or choose another place with BAKE_AMI_DATA_DIR",
  );
  expect(explained("EROFS", "/machines/state.json")).toMatch(
    /cannot use \/machines\/state.json: it is on a file system that is read-only.*BAKE_AMI_LOCAL_DIR$/,
  );
  expect(explained("EACCES", "/elsewhere")).toMatch(/make it a directory or file that you may write to$/);
  const cause = failed("ENOTDIR", "/data/x");
  const inside = new BakeError("failed", "the local cloud failed: x", { cause });
  expect(told(explainSystemError(inside, environment, false))).toMatch(/^usage: cannot use \/data\/x: /);
  expect(told(explainSystemError(inside, environment, true))).toMatch(/^failed: cannot use \/data\/x: /);
  const fault = new TypeError("x is not a function");
  expect(explainSystemError(fault, environment)).toBe(fault);
});

describe("the command line", () => {
  test.each([
    ["local", "setup"],
    ["local", "serve", "--port", "0"],
    ["launch", "nginx", "--local"],
  ])("%s %s in a data directory that cannot be", async (...args) => {
    const result = await bakeAmi(args, { cwd: home, env: { BAKE_AMI_DATA_DIR: join(home, "file") } });
    expect(result.stderr).toMatch(/cannot write to \S+\/file\/local: [\s\S]*BAKE_AMI_DATA_DIR/);
    expect(result.stderr).not.toContain("fault of bake-ami");
    expect(result.status).toBe(2);
  });

  test("who only looks needs no directory, and makes none", async () => {
    const result = await bakeAmi(["ls", "--local"], {
      cwd: home,
      env: { BAKE_AMI_DATA_DIR: join(home, "missing") },
    });
    expect(result.stderr).toBe("");
    expect(result.stdout).toMatch(/^IMAGE .*\n\nMACHINE .*\n$/);
    expect(result.status).toBe(0);
    expect(existsSync(join(home, "missing"))).toBe(false);
    const refused = await bakeAmi(["ls", "--local"], {
      cwd: home,
      env: { BAKE_AMI_DATA_DIR: join(home, "file") },
    });
    expect(refused.stderr).toMatch(/cannot use \S+\/file\/local\/\S+: [\s\S]*BAKE_AMI_DATA_DIR/);
    expect(refused.status).toBe(2);
  });

  test("the doctor shows it among the rest", async () => {
    const env = { BAKE_AMI_DATA_DIR: join(home, "file") };
    const result = await bakeAmi(["doctor", "--local"], { cwd: home, env });
    expect(result.stdout).toMatch(/^ok +Node/m);
    expect(result.stdout).toMatch(
      /^missing +data directory: cannot write to \S+file: .*\n +fix: .*BAKE_AMI_DATA_DIR/m,
    );
    expect(result.status).toBe(2);
  });

  test.skipIf(process.getuid?.() !== 0)(
    "for a user who may not write (needs root, to become another)",
    () => {
      const run = (...args: string[]): { status: number | null; stderr: string } =>
        spawnSync(process.execPath, [join(inject("dist"), "cli.js"), ...args, "--local"], {
          uid: 65534,
          gid: 65534,
          cwd: "/",
          env: { ...process.env, BAKE_AMI_DATA_DIR: join(home, "closed") },
          encoding: "utf8",
        });
      expect(run("ls")).toMatchObject({ status: 0, stderr: "" });
      const result = run("launch", "nginx");
      expect(result.stderr).toMatch(/cannot write to \S+closed\/local: permission denied/);
      expect(result.status).toBe(2);
    },
  );
});

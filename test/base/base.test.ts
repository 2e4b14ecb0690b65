import { inspect } from "node:util";
import { execFileSync } from "node:child_process";
import { describe, expect, test } from "vitest";
import { BakeError, exitStatusOf } from "../../src/base/errors.ts";
import { newRunId, Secret } from "../../src/base/ids.ts";
import { didYouMean } from "../../src/base/nearest.ts";
import { mustRun, runProgram } from "../../src/base/process.ts";
import { shellCommand } from "../../src/base/quote.ts";
import { Scope, type UndoFailure } from "../../src/base/scope.ts";
import { orInterrupted, sleep, withDeadline } from "../../src/base/wait.ts";

const never = new AbortController().signal;

describe("errors", () => {
  test.each([
    ["usage", 2],
    ["catalog", 2],
    ["missing-tool", 2],
    ["interrupted", 130],
    ["phase-failed", 1],
    ["cloud", 1],
  ] as const)("%s ends with status %d", (kind, status) => {
    expect(exitStatusOf(new BakeError(kind, "x"))).toBe(status);
  });
  test("anything else ends with 1", () => {
    expect(exitStatusOf(new Error("x"))).toBe(1);
  });
});

describe("quoting", () => {
  test.each(["", "plain", "two words", "it's", '$(id) `id` "x" \\', "a\nb", "*?[~", "-n", "ü€"])(
    "%j survives a shell",
    (word) => {
      const printed = execFileSync("sh", ["-c", shellCommand(["printf", "%s", word])], { encoding: "utf8" });
      expect(printed).toBe(word);
    },
  );
});

describe("scopes", () => {
  test("undo newest first, past failures, and not what was handed over", async () => {
    const log: string[] = [];
    const failures: UndoFailure[] = [];
    {
      await using scope = new Scope(5, (failure) => failures.push(failure));
      const undo = (name: string) => (): Promise<void> => {
        log.push(name);
        return name === "b" ? Promise.reject(new Error("stuck")) : Promise.resolve();
      };
      scope.defer("a", undo("a"));
      scope.defer("b", undo("b"));
      scope.defer("kept", undo("kept"))();
      scope.defer("c", undo("c"));
    }
    expect(log).toEqual(["c", "b", "a"]);
    expect(failures).toEqual([{ what: "b", message: "stuck" }]);
  });

  test("the undos run with a signal of their own, also after an interruption", async () => {
    const abort = new AbortController();
    let wasAborted: boolean | undefined;
    const work = async (): Promise<void> => {
      await using scope = new Scope(5, () => undefined);
      scope.defer("x", (signal) => {
        wasAborted = signal.aborted;
        return Promise.resolve();
      });
      abort.abort(new BakeError("interrupted", "stop"));
      await sleep(10_000, abort.signal);
    };
    await expect(work()).rejects.toThrow("stop");
    expect(wasAborted).toBe(false);
  });
});

describe("waiting", () => {
  test("a deadline says what was waited for", async () => {
    const waiting = withDeadline("the tide", 0.05, never, (signal) => sleep(10_000, signal));
    await expect(waiting).rejects.toMatchObject({
      kind: "timeout",
      message: "gave up after 0.05 s of waiting for the tide",
    });
  });
  test("an interruption is no timeout, and its first reason is kept", async () => {
    const abort = new AbortController();
    const waiting = withDeadline("the tide", 10, abort.signal, (signal) => sleep(10_000, signal));
    abort.abort(new BakeError("interrupted", "first"));
    abort.abort(new BakeError("interrupted", "second"));
    await expect(waiting).rejects.toMatchObject({ kind: "interrupted", message: "first" });
    await expect(orInterrupted(new Promise(() => undefined), abort.signal)).rejects.toThrow("first");
  });
});

describe("programs", () => {
  test("status, both outputs and input", async () => {
    const result = await runProgram(["sh", "-c", "cat; echo oops >&2; exit 3"], {
      signal: never,
      input: "in",
    });
    expect(result).toEqual({ status: 3, stdout: "in", stderr: "oops\n" });
  });
  test("a missing program is named, with the way to get it", async () => {
    const missing = runProgram(["no-such-program"], { signal: never, hint: "apt-get install it" });
    await expect(missing).rejects.toMatchObject({ kind: "missing-tool", hint: "apt-get install it" });
  });
  test("a failure shows the command and its last lines", async () => {
    const failing = mustRun(["sh", "-c", "echo why >&2; exit 1"], { signal: never });
    await expect(failing).rejects.toMatchObject({ details: ["why"] });
    await expect(failing).rejects.toThrow(/^sh -c .* ended with status 1$/);
  });
  test("an interruption ends the program", async () => {
    const abort = new AbortController();
    const started = Date.now();
    const running = runProgram(["sleep", "30"], { signal: abort.signal });
    setTimeout(() => {
      abort.abort(new BakeError("interrupted", "stop"));
    }, 50);
    await expect(running).rejects.toMatchObject({ kind: "interrupted" });
    expect(Date.now() - started).toBeLessThan(5000);
  });
});

test("a secret shows itself nowhere", () => {
  const secret = new Secret("hunter2");
  expect(`${String(secret)} ${JSON.stringify({ secret })} ${inspect({ secret })}`).not.toContain("hunter2");
  expect(secret.reveal()).toBe("hunter2");
});

test("run ids sort by time and differ", () => {
  const now = new Date("2026-01-02T03:04:05Z");
  expect(newRunId(now)).toMatch(/^20260102-030405-[a-z2-7]{6}$/);
  expect(newRunId(now)).not.toBe(newRunId(now));
});

test("a near miss is suggested, a far one is not", () => {
  expect(didYouMean("ngnix", ["nginx", "base"])).toBe('did you mean "nginx"?');
  expect(didYouMean("postgres", ["nginx", "base"])).toBe("");
});

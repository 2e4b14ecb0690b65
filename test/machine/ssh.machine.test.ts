import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { BakeError } from "../../src/base/errors.ts";
import { newKeyPair } from "../../src/machine/keys.ts";
import { Machine } from "../../src/machine/machine.ts";
import type { SshTarget } from "../../src/machine/target.ts";
import { Forwarder } from "../support/forwarder.ts";
import { bootMachine, freePort, noTestMachines, type TestMachine } from "../support/nspawn.ts";

const never = new AbortController().signal;

describe.skipIf(noTestMachines !== undefined)(`SSH to a real machine ${noTestMachines ?? ""}`, () => {
  let host: TestMachine;
  beforeAll(async () => {
    host = await bootMachine();
  });
  afterAll(async () => {
    await host[Symbol.asyncDispose]();
  });

  const open = (change: Partial<SshTarget> = {}, deadlineSeconds = 20): Machine =>
    new Machine({ ...host.ssh, ...change }, { deadlineSeconds });

  test("runs commands, several at once, with input, output and status", async () => {
    await using machine = open();
    const results = await Promise.all([
      machine.exec("cat; echo err >&2; exit 7", { signal: never, input: Buffer.from("hello") }),
      machine.exec("sudo -n id -u", { signal: never }),
      machine.exec("kill -9 $$", { signal: never }),
    ]);
    expect(results[0]).toEqual({ status: 7, stdout: "hello", stderr: "err\n" });
    expect(results[1].stdout).toBe("0\n");
    expect(results[2].status).not.toBe(0);
  });

  test("a megabyte each way arrives whole", async () => {
    await using machine = open();
    const input = Buffer.alloc(1_000_000, "0123456789abcdef\n");
    const result = await machine.exec("cat", { signal: never, input });
    expect(result.stdout).toBe(input.toString());
  });

  test("a host key that is not the pinned one is refused at once, with the login key unsent", async () => {
    await using machine = open({ hostKeys: [newKeyPair("other").publicKey] });
    const error: unknown = await machine.connect(never).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(BakeError);
    expect(error).toMatchObject({ kind: "host-key" });
  });

  test("a machine that never answers ends in one clear error that names it", async () => {
    const port = await freePort();
    await using machine = open({ port }, 1);
    const error: unknown = await machine.connect(never).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ kind: "timeout" });
    expect(String(error)).toContain(`admin@127.0.0.1:${port} to answer over SSH`);
  });

  test("an interruption ends the wait for a machine", async () => {
    const port = await freePort();
    const abort = new AbortController();
    await using machine = open({ port }, 60);
    const waiting = machine.connect(abort.signal).catch((thrown: unknown) => thrown);
    setTimeout(() => {
      abort.abort(new BakeError("interrupted", "interrupted by SIGINT"));
    }, 300);
    expect(await waiting).toMatchObject({ kind: "interrupted", message: "interrupted by SIGINT" });
  });

  test("an interruption while the command is being started is not lost", async () => {
    await using machine = open();
    await machine.connect(never);
    const abort = new AbortController();
    const running = machine.exec("sleep 30", { signal: abort.signal }).catch((thrown: unknown) => thrown);
    // The channel is being opened now: its answer takes a trip to the machine.
    await Promise.resolve();
    abort.abort(new BakeError("interrupted", "stop"));
    expect(await running).toMatchObject({ kind: "interrupted", message: "stop" });
  });

  test("what checkAlive throws ends the wait for a machine", async () => {
    const machine = new Machine(
      { ...host.ssh, port: await freePort() },
      {
        deadlineSeconds: 60,
        checkAlive: () => Promise.reject(new BakeError("failed", "instance i-1 is terminated")),
      },
    );
    await expect(machine.connect(never)).rejects.toThrow("instance i-1 is terminated");
  });

  test("a cut connection fails the command in flight, and the next one connects again", async () => {
    const port = await freePort();
    await using forwarder = await Forwarder.open(port, host.sshPort);
    await using machine = open({ port });
    await machine.connect(never);
    const running = machine.exec("sleep 30", { signal: never }).catch((thrown: unknown) => thrown);
    setTimeout(() => {
      forwarder.cut();
    }, 300);
    expect(await running).toMatchObject({ kind: "connection" });
    expect((await machine.exec("echo again", { signal: never })).stdout).toBe("again\n");
  });

  test("through a proxy command, as a bastion or Session Manager gives one", async () => {
    const script = `const s=require("node:net").connect(+process.argv[2],process.argv[1]);process.stdin.pipe(s).pipe(process.stdout)`;
    await using machine = open({
      host: "no-such-host.invalid",
      port: 22,
      proxyCommand: `node -e '${script}' 127.0.0.1 ${host.sshPort}`,
    });
    expect((await machine.exec("echo through", { signal: never })).stdout).toBe("through\n");
  });

  test("a proxy command that fails says why", async () => {
    await using machine = open({ proxyCommand: "sh -c 'echo no such bastion >&2; exit 3'" }, 1);
    const error: unknown = await machine.connect(never).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ kind: "timeout" });
    expect(error instanceof BakeError ? error.hint : "").toContain("status 3: no such bastion");
  });
});

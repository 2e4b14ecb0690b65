import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { chmod, chown, mkdir, mkdtemp, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { answers, childrenOf, commandOf, freePort, removeTraces, sharedRoot, sweep } from "./nspawn-host.ts";
import { publicKeyBody, newKeyPair, type KeyPair } from "../../src/machine/keys.ts";
import type { SshTarget } from "../../src/machine/target.ts";

export { freePort };

const support = import.meta.dirname;
const adminId = 1000;

/** What a program on the machine did. */
export interface ExecResult {
  /** Exit status; 128 + 9 when it was killed. */
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly stdoutBytes: Buffer;
}

export interface MachineOptions {
  /** Puts files into the root tree (a path on this computer) before the first boot. */
  readonly prepare?: (root: string) => Promise<void>;
  /** Whether to boot at once; default true. */
  readonly boot?: boolean;
}

/** Why this computer cannot run test machines, or undefined when it can. For a test's title and `skipIf`. */
export const noTestMachines: string | undefined = whyNoTestMachines();

function whyNoTestMachines(): string | undefined {
  if (process.platform !== "linux") return "needs Linux";
  if (process.getuid?.() !== 0) return "needs root, for systemd-nspawn";
  const missing = ["systemd-nspawn", "mmdebstrap", "unshare", "nsenter", "flock"].filter(
    (program) => spawnSync("which", [program]).status !== 0,
  );
  return missing.length === 0 ? undefined : `needs ${missing.join(", ")}`;
}

/**
 * Boots a real machine with systemd and OpenSSH (Debian 12 in systemd-nspawn on this computer's network): its own root
 * tree, login key and host key, sshd on its own free loopback port, user `admin` with sudo. Its root tree lives in
 * memory; disposing of it ends every process and mount, and so does the end of this process, even by kill -9.
 * The first call on a computer makes the shared root filesystem (half a minute).
 */
export async function bootMachine(options: MachineOptions = {}): Promise<TestMachine> {
  await sweep();
  const root = await sharedRoot();
  for (let attempt = 1; ; attempt += 1) {
    const scratch = await mkdtemp(join(tmpdir(), `bake-ami-machine-${process.pid}-`));
    const machine = new TestMachine(root, scratch, await freePort());
    try {
      await machine.open();
      await options.prepare?.(machine.root);
      if (options.boot !== false) await machine.start();
      return machine;
    } catch (error) {
      await machine[Symbol.asyncDispose]();
      // The port was free when it was chosen; another program on this computer was quicker.
      if (attempt < 3 && String(error).includes("Address already in use")) continue;
      throw error;
    }
  }
}

/** A machine for tests; see {@link bootMachine}. */
export class TestMachine implements AsyncDisposable {
  readonly name: string;
  /** The port of its sshd on 127.0.0.1. */
  readonly sshPort: number;
  readonly loginKey: KeyPair = newKeyPair("test-login");
  readonly hostKey: KeyPair = newKeyPair("test-host");
  readonly #sharedRoot: string;
  readonly #scratch: string;
  #keeper: ChildProcess | undefined;
  #keeperPid = 0;
  readonly #lines: string[] = [];
  #onLine: (() => void) | undefined;

  constructor(sharedRoot: string, scratch: string, sshPort: number) {
    this.#sharedRoot = sharedRoot;
    this.#scratch = scratch;
    this.sshPort = sshPort;
    this.name = basename(scratch).toLowerCase();
  }

  /**
   * The machine's root tree as a path on this computer, running or stopped. Mounts made inside (/run, /tmp, /proc) are
   * not in it, and absolute links in it point into this computer.
   */
  get root(): string {
    return `/proc/${this.#keeperPid}/root${this.#scratch}/fs/root`;
  }

  /** What was written or deleted since the machine was made: the overlay's upper directory. */
  get changes(): string {
    return `/proc/${this.#keeperPid}/root${this.#scratch}/fs/upper`;
  }

  /** How to log in as `admin`. */
  get ssh(): SshTarget {
    return {
      host: "127.0.0.1",
      port: this.sshPort,
      user: "admin",
      privateKey: this.loginKey.privateKey,
      hostKeys: [publicKeyBody(this.hostKey.publicKey)],
      proxyCommand: undefined,
      instanceId: undefined,
    };
  }

  /** For {@link bootMachine}: makes the root tree with its keys. */
  async open(): Promise<void> {
    // --kill-child ends the namespaces' first process, and so all in them, when `unshare` ends; --pdeathsig ends
    // `unshare` when this process does.
    const keeper = spawn(
      "setpriv",
      [
        "--pdeathsig",
        "KILL",
        "unshare",
        "--mount",
        "--pid",
        "--fork",
        "--kill-child",
        "--mount-proc",
        "sh",
      ].concat([join(support, "machine.sh"), this.name, this.#sharedRoot, this.#scratch]),
      { stdio: ["pipe", "pipe", "ignore"] },
    );
    this.#keeper = keeper;
    createInterface({ input: keeper.stdout }).on("line", (line) => {
      this.#lines.push(line);
      this.#onLine?.();
    });
    await this.#line("ready", 10);
    const [child] = childrenOf(keeper.pid ?? 0);
    if (child === undefined) throw new Error("the test machine's keeper has no child");
    this.#keeperPid = child;
    await this.#plantKeys();
  }

  async #plantKeys(): Promise<void> {
    const sshd = join(this.root, "etc/ssh");
    await writeFile(
      join(sshd, "sshd_config.d/test.conf"),
      `Port ${this.sshPort}\nListenAddress 127.0.0.1\nHostKey /etc/ssh/ssh_host_ed25519_key\n`,
    );
    await writeFile(join(sshd, "ssh_host_ed25519_key"), this.hostKey.privateKey.reveal(), { mode: 0o600 });
    await writeFile(join(sshd, "ssh_host_ed25519_key.pub"), `${this.hostKey.publicKey}\n`);
    // sudo complains about a host that it cannot resolve.
    await writeFile(join(this.root, "etc/hosts"), "127.0.0.1 localhost testmachine\n");
    await this.authorize(this.loginKey.publicKey);
  }

  /** Makes `publicKey` the only login key of `admin`. */
  async authorize(publicKey: string): Promise<void> {
    const directory = join(this.root, "home/admin/.ssh");
    await mkdir(directory, { recursive: true, mode: 0o700 });
    await writeFile(join(directory, "authorized_keys"), `${publicKey}\n`, { mode: 0o600 });
    await chmod(directory, 0o700);
    await chown(directory, adminId, adminId);
    await chown(join(directory, "authorized_keys"), adminId, adminId);
  }

  /** Boots it, and waits until its sshd answers (at most `seconds`). */
  async start(seconds = 30): Promise<void> {
    this.#keeper?.stdin?.write("boot\n");
    await this.#untilSshAnswers(seconds);
  }

  async #untilSshAnswers(seconds: number): Promise<void> {
    const end = Date.now() + seconds * 1000;
    while (!(await answers(this.sshPort))) {
      if (this.#lines.length > 0 || Date.now() > end) {
        throw new Error(
          `the test machine did not boot (${this.#lines.join(", ")})\n${await this.#lastWords()}`,
        );
      }
      await sleep(10);
    }
  }

  /** Everything that it wrote on its console since it was made. */
  async console(): Promise<string> {
    return await readFile(join(this.#scratch, "console"), "utf8");
  }

  /** Its console and the end of its journal, for the message about a machine that did not boot. */
  async #lastWords(): Promise<string> {
    const console = await readFile(join(this.#scratch, "console"), "utf8").catch(() => "");
    const directory = join(this.root, "var/log/journal");
    const journal = spawnSync("journalctl", [`--directory=${directory}`, "--lines=30", "--no-pager"], {
      encoding: "utf8",
    });
    return `${console}\n${journal.stdout}${journal.stderr}`;
  }

  /** Waits until systemd has nothing left to start; returns its state: `running`, `degraded`, ... */
  async booted(): Promise<string> {
    return (await this.exec("systemctl is-system-running --wait")).stdout.trim();
  }

  /** Shuts it down cleanly and waits for the end; `start` boots it again. */
  async stop(seconds = 30): Promise<void> {
    await this.exec("systemctl poweroff");
    await this.stopped(seconds);
  }

  /** Waits until it has shut itself down. */
  async stopped(seconds = 30): Promise<void> {
    await this.#line("stopped", seconds);
  }

  /** Reboots it from inside, and waits until its sshd answers again. */
  async reboot(seconds = 30): Promise<void> {
    const before = this.#init();
    await this.exec("systemctl reboot");
    await this.rebooted(before, seconds);
  }

  /** Waits for a reboot that something else asked for; `before` is `bootPid()` from before it. */
  async rebooted(before: number | undefined, seconds = 30): Promise<void> {
    const end = Date.now() + seconds * 1000;
    for (let now = this.#init(); now === undefined || now === before; now = this.#init()) {
      if (Date.now() > end) throw new Error(`no reboot within ${seconds} s`);
      await sleep(10);
    }
    await this.#untilSshAnswers(seconds);
  }

  /** The process id, on this computer, of the machine's systemd: another one after each boot. */
  bootPid(): number | undefined {
    return this.#init();
  }

  #init(): number | undefined {
    const nspawn = childrenOf(this.#keeperPid).find((pid) => commandOf(pid) === "systemd-nspawn");
    return nspawn === undefined ? undefined : childrenOf(nspawn).find((pid) => commandOf(pid) === "systemd");
  }

  /**
   * Runs a shell command inside as root, not through SSH. It gives up after `seconds`, with status 137.
   */
  async exec(command: string, input: string | Uint8Array = "", seconds = 120): Promise<ExecResult> {
    const init = this.#init();
    if (init === undefined) throw new Error("the test machine is not running");
    const args = ["-t", String(init), "-m", "-p", "-u", "-i", "sh", "-c", command];
    const child = spawn("nsenter", args, {
      env: {
        PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        HOME: "/root",
        LANG: "C.UTF-8",
      },
      stdio: ["pipe", "pipe", "pipe"],
    });
    const clock = setTimeout(() => {
      child.kill("SIGKILL");
      // What it started inside may still hold the pipes.
      child.stdout.destroy();
      child.stderr.destroy();
    }, seconds * 1000);
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    child.stdout.on("data", (data: Buffer) => out.push(data));
    child.stderr.on("data", (data: Buffer) => err.push(data));
    child.stdin.on("error", () => undefined);
    child.stdin.end(input);
    const status = await new Promise<number>((resolve, reject) => {
      child.on("error", reject);
      child.on("close", (code) => {
        resolve(code ?? 137);
      });
    });
    clearTimeout(clock);
    const stdoutBytes = Buffer.concat(out);
    return { status, stdout: stdoutBytes.toString(), stderr: Buffer.concat(err).toString(), stdoutBytes };
  }

  /** Like {@link exec}, for a command that must succeed; returns its standard output. */
  async run(command: string, input: string | Uint8Array = "", seconds = 120): Promise<string> {
    const result = await this.exec(command, input, seconds);
    if (result.status === 0) return result.stdout;
    throw new Error(`status ${result.status} of: ${command}\n${result.stdout}${result.stderr}`);
  }

  async #line(word: string, seconds: number): Promise<string> {
    const end = Date.now() + seconds * 1000;
    for (;;) {
      const line = this.#lines.shift();
      if (line?.startsWith(word) === true) return line;
      if (line !== undefined) continue;
      if (this.#keeper?.exitCode !== null) throw new Error("the test machine's keeper ended");
      if (Date.now() > end) throw new Error(`the test machine did not say "${word}" within ${seconds} s`);
      await Promise.race([
        sleep(100),
        new Promise<void>((resolve) => {
          this.#onLine = resolve;
        }),
      ]);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const keeper = this.#keeper;
    if (keeper?.exitCode === null && keeper.signalCode === null) {
      const closed = new Promise((resolve) => keeper.once("close", resolve));
      if (this.#keeperPid !== 0) process.kill(this.#keeperPid, "SIGKILL");
      else keeper.kill("SIGKILL");
      await closed;
    }
    await removeTraces(this.#scratch);
  }
}

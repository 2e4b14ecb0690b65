import { Readable } from "node:stream";
import {
  Client,
  type AgentAuthMethod,
  type AuthMethod,
  type ClientChannel,
  type ConnectConfig,
  type PublicKeyAuthMethod,
  type SFTPWrapper,
} from "ssh2";
import { BakeError } from "../base/errors.ts";
import { interruptedBy, orInterrupted, throwIfAborted } from "../base/wait.ts";
import { describeTarget, type SshTarget } from "./target.ts";
import { openTransport } from "./transport.ts";

export interface ExecOptions {
  readonly signal: AbortSignal;
  /** Sent to the command's standard input, which is then closed. A stream that fails ends the command. */
  readonly input?: Uint8Array | Readable;
  /** Takes standard output as it comes; the result's `stdout` is then empty. */
  readonly onStdout?: (chunk: Buffer) => void;
}

export interface ExecResult {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Bytes of standard error that are kept: the end is what names the failure. */
const stderrLimit = 64 * 1024;

/** Bytes of standard output that are kept when nobody takes them as they come. */
const stdoutLimit = 16 * 1024 * 1024;

/** One authenticated SSH connection; many commands may run on it at once. */
export class Connection implements AsyncDisposable {
  readonly #client: Client;
  readonly #closed: Promise<void>;
  #isOpen = true;
  #reason: Error | undefined;

  private constructor(client: Client) {
    this.#client = client;
    this.#closed = new Promise((resolve) => {
      client.on("close", () => {
        this.#isOpen = false;
        resolve();
      });
    });
    client.on("error", (error) => {
      this.#reason ??= error;
    });
  }

  /**
   * Opens one connection; no retry.
   * @param patienceMs how long the server may take to speak, and then again to finish the handshake
   * @param onAnswer told when the server has spoken
   * @throws BakeError `connection` when it may yet work, `host-key` when someone else answers, `login` when the key is
   *   refused, `interrupted`.
   */
  static async open(
    target: SshTarget,
    patienceMs: number,
    signal: AbortSignal,
    onAnswer?: () => void,
  ): Promise<Connection> {
    const sock = await openTransport(target, patienceMs, signal);
    onAnswer?.();
    const client = new Client();
    let rejectedKey: string | undefined;
    const config: ConnectConfig = {
      sock,
      username: target.user,
      readyTimeout: patienceMs + 20_000,
      // A dead machine is noticed within 20 s, a slow one is not taken for dead.
      keepaliveInterval: 5000,
      keepaliveCountMax: 4,
      algorithms: { serverHostKey: { prepend: hostKeyTypes(target), append: [], remove: [] } },
      hostVerifier: (key: Buffer) => {
        const presented = key.toString("base64");
        const accepted = target.hostKeys.some((line) => line.split(/\s+/)[1] === presented);
        if (!accepted) rejectedKey = presented;
        return accepted;
      },
      authHandler: waysToLogIn(target),
    };
    return await new Promise<Connection>((resolve, reject) => {
      const connection = new Connection(client);
      const settle = (error: Error | undefined): void => {
        signal.removeEventListener("abort", onAbort);
        if (error === undefined) {
          resolve(connection);
          return;
        }
        client.destroy();
        sock.destroy();
        reject(error);
      };
      const onAbort = (): void => {
        settle(interruptedBy(signal));
      };
      signal.addEventListener("abort", onAbort, { once: true });
      client.once("ready", () => {
        settle(undefined);
      });
      client.once("error", (error) => {
        settle(explain(error, target, rejectedKey));
      });
      client.once("close", () => {
        settle(new BakeError("connection", `${describeTarget(target)} closed the connection`));
      });
      client.connect(config);
    });
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Settles when the connection is gone, however it went. */
  get closed(): Promise<void> {
    return this.#closed;
  }

  /**
   * Runs a command to its end.
   * @throws BakeError `connection` when the connection is lost before the command's status is known,
   *   `interrupted` when the signal fires (the command's channel is closed then).
   */
  async exec(command: string, options: ExecOptions): Promise<ExecResult> {
    throwIfAborted(options.signal);
    if (!this.#isOpen) throw this.#lost();
    return await new Promise<ExecResult>((resolve, reject) => {
      let channel: ClientChannel | undefined;
      const stdout: Buffer[] = [];
      let stdoutSize = 0;
      let stderr = "";
      let status: number | undefined;
      const settle = (done: () => void): void => {
        options.signal.removeEventListener("abort", onAbort);
        this.#client.off("close", onLost);
        done();
      };
      const onAbort = (): void => {
        channel?.close();
        settle(() => {
          reject(interruptedBy(options.signal));
        });
      };
      const onLost = (): void => {
        settle(() => {
          reject(this.#lost());
        });
      };
      options.signal.addEventListener("abort", onAbort, { once: true });
      this.#client.once("close", onLost);
      // A quick command may be over in the very packet that starts it, so everything listens before this returns.
      this.#client.exec(command, (error, opened) => {
        if (error !== undefined) {
          settle(() => {
            reject(new BakeError("connection", `cannot start a command: ${error.message}`, { cause: error }));
          });
          return;
        }
        channel = opened;
        if (options.signal.aborted) {
          opened.close();
          return;
        }
        opened.on("data", (chunk: Buffer) => {
          if (options.onStdout !== undefined) options.onStdout(chunk);
          else if (stdoutSize < stdoutLimit) {
            stdout.push(chunk);
            stdoutSize += chunk.length;
          }
        });
        opened.stderr.on("data", (chunk: Buffer) => {
          stderr = (stderr + chunk.toString("utf8")).slice(-stderrLimit);
        });
        opened.on("exit", (code: number | null, signalName?: string) => {
          status = code ?? (signalName === undefined ? 255 : 128);
        });
        opened.on("close", () => {
          settle(() => {
            if (status === undefined) reject(this.#lost());
            else resolve({ status, stdout: Buffer.concat(stdout).toString("utf8"), stderr });
          });
        });
        // The other end may close its input early; its exit status tells the story.
        opened.on("error", () => undefined);
        const { input } = options;
        if (!(input instanceof Readable)) {
          opened.end(input === undefined ? undefined : Buffer.from(input));
          return;
        }
        const onUnreadable = (failure: Error): void => {
          opened.close();
          settle(() => {
            const message = `what was being sent cannot be read: ${failure.message}`;
            reject(new BakeError("failed", message, { cause: failure }));
          });
        };
        if (input.errored !== null) onUnreadable(input.errored);
        input.on("error", onUnreadable);
        // The stream must not stay open behind a command that took no more of it.
        opened.on("close", () => input.destroy());
        input.pipe(opened);
      });
    });
  }

  /**
   * Opens the machine's SFTP server.
   * @throws BakeError `connection` when it has none or the connection is lost, `interrupted`
   */
  async sftp(signal: AbortSignal): Promise<SFTPWrapper> {
    if (!this.#isOpen) throw this.#lost();
    const opened = new Promise<SFTPWrapper>((resolve, reject) => {
      this.#client.sftp((error, sftp) => {
        if (error === undefined) resolve(sftp);
        else reject(new BakeError("connection", `no SFTP server: ${error.message}`, { cause: error }));
      });
    });
    return await orInterrupted(opened, signal);
  }

  #lost(): BakeError {
    return new BakeError("connection", "the SSH connection was lost", { cause: this.#reason });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#isOpen) return;
    this.#client.end();
    // A peer that is gone cannot answer the goodbye.
    const force = setTimeout(() => {
      this.#client.destroy();
    }, 1000);
    await this.#closed;
    clearTimeout(force);
  }
}

function waysToLogIn({ user: username, privateKey, otherKeys = [] }: SshTarget): AuthMethod[] {
  const byKey = [...(privateKey === undefined ? [] : [privateKey]), ...otherKeys].map(
    (key): PublicKeyAuthMethod => ({ type: "publickey", username, key: key.reveal() }),
  );
  if (privateKey !== undefined) return byKey;
  const agent = process.env["SSH_AUTH_SOCK"] ?? "";
  if (agent !== "") {
    const byAgent: AgentAuthMethod = { type: "agent", username, agent };
    return [byAgent, ...byKey];
  }
  if (byKey.length > 0) return byKey;
  throw new BakeError("usage", "there is no login key and no SSH agent", {
    hint: "give a private key with --identity, or start ssh-agent and add your key to it",
  });
}

/** The pinned keys' types first, so that a server with several keys shows the one that is pinned. */
function hostKeyTypes(
  target: SshTarget,
): ("ssh-ed25519" | "ecdsa-sha2-nistp256" | "rsa-sha2-512" | "rsa-sha2-256")[] {
  const types = new Set(target.hostKeys.map((line) => line.split(/\s+/)[0]));
  return [
    ...(types.has("ssh-ed25519") ? (["ssh-ed25519"] as const) : []),
    ...(types.has("ecdsa-sha2-nistp256") ? (["ecdsa-sha2-nistp256"] as const) : []),
    ...(types.has("ssh-rsa") ? (["rsa-sha2-512", "rsa-sha2-256"] as const) : []),
  ];
}

function explain(
  error: Error & { level?: string },
  target: SshTarget,
  rejectedKey: string | undefined,
): BakeError {
  const name = describeTarget(target);
  if (rejectedKey !== undefined) {
    return new BakeError("host-key", `${name} shows a host key that is not the pinned one`, {
      cause: error,
      details: [`pinned: ${target.hostKeys.join(", ")}`, `shown:  ${rejectedKey}`],
      hint: "someone else answers at this address, or the machine was replaced; nothing was sent to it",
    });
  }
  if (error.level === "client-authentication") {
    return new BakeError("login", `${name} does not accept the login key`, { cause: error });
  }
  return new BakeError("connection", `cannot talk to ${name}: ${error.message}`, { cause: error });
}

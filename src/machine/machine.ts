import { BakeError, messageOf } from "../base/errors.ts";
import { orInterrupted, sleep, throwIfAborted, withDeadline } from "../base/wait.ts";
import { Connection, type ExecOptions, type ExecResult } from "./connection.ts";
import { describeTarget, type SshTarget } from "./target.ts";

export interface ConnectOptions {
  /** How long the machine may take to let us in, in seconds. */
  readonly deadlineSeconds: number;
  /**
   * Asked now and then while the machine does not answer; throws when waiting on is pointless, for instance because
   * the instance was terminated.
   */
  readonly checkAlive?: (signal: AbortSignal) => Promise<void>;
  /** Told each time the machine's SSH server speaks, before the login. */
  readonly onAnswer?: () => void;
  /** How long a refused login key may be refused. Default: as long as a first boot may take to plant it. */
  readonly loginPatienceSeconds?: number;
  /** What to look at when the machine never answers. */
  readonly hint?: string;
}

/** How long a server may take to speak before the next attempt; the first byte comes at once where one runs. */
const bannerPatienceMs = 4000;

/** Between attempts that failed at once. */
const retryPauseMs = 150;

/** A refused login may only mean that the first boot has not yet planted the key; past this it means what it says. */
const loginPatienceSeconds = 30;

/** How often `checkAlive` is asked. */
const aliveCheckMs = 3000;

/** A machine reached over SSH, connected again when the connection is lost or the machine rebooted. */
export class Machine implements AsyncDisposable {
  readonly target: SshTarget;
  readonly #options: ConnectOptions;
  #connection: Connection | undefined;
  #pending: Promise<Connection> | undefined;

  constructor(target: SshTarget, options: ConnectOptions) {
    this.target = target;
    this.#options = options;
  }

  /**
   * The open connection, or a new one as soon as the machine's SSH server answers. Callers at the same time share it.
   * @throws BakeError `timeout` past the deadline, `host-key`, `login`, `interrupted`, or what `checkAlive` throws.
   */
  async connect(signal: AbortSignal): Promise<Connection> {
    for (;;) {
      throwIfAborted(signal);
      if (this.#connection?.isOpen === true) return this.#connection;
      const pending = this.#pending ?? this.#startConnecting(signal);
      try {
        return await orInterrupted(pending, signal);
      } catch (error) {
        // Another caller's interruption is not ours.
        if (signal.aborted || !(error instanceof BakeError) || error.kind !== "interrupted") throw error;
      }
    }
  }

  #startConnecting(signal: AbortSignal): Promise<Connection> {
    const pending = this.#connectBefore(signal)
      .then((connection) => (this.#connection = connection))
      .finally(() => (this.#pending = undefined));
    this.#pending = pending;
    return pending;
  }

  async #connectBefore(signal: AbortSignal): Promise<Connection> {
    let last = "";
    try {
      return await withDeadline(
        `${describeTarget(this.target)} to answer over SSH`,
        this.#options.deadlineSeconds,
        signal,
        (inner) => this.#connectPatiently(inner, (message) => (last = message)),
      );
    } catch (error) {
      if (!(error instanceof BakeError) || error.kind !== "timeout") throw error;
      const hints = [last === "" ? "" : `the last attempt said: ${last}`, this.#options.hint ?? ""];
      throw new BakeError("timeout", error.message, { hint: hints.filter((text) => text !== "").join("; ") });
    }
  }

  async #connectPatiently(signal: AbortSignal, onAttempt: (message: string) => void): Promise<Connection> {
    let refusedSince: number | undefined;
    let checkedAt = Date.now();
    for (;;) {
      try {
        return await Connection.open(this.target, bannerPatienceMs, signal, this.#options.onAnswer);
      } catch (error) {
        if (!(error instanceof BakeError)) onAttempt(messageOf(error));
        else if (error.kind === "login") {
          refusedSince ??= Date.now();
          const patience = this.#options.loginPatienceSeconds ?? loginPatienceSeconds;
          if (Date.now() - refusedSince >= patience * 1000) throw error;
          onAttempt(error.message);
        } else if (error.kind === "connection") onAttempt(error.message);
        else throw error;
      }
      if (this.#options.checkAlive !== undefined && Date.now() - checkedAt > aliveCheckMs) {
        await this.#options.checkAlive(signal);
        checkedAt = Date.now();
      }
      await sleep(retryPauseMs, signal);
    }
  }

  /**
   * Runs a command once; a lost connection is not retried because the command may have run.
   * @throws BakeError as {@link connect} and {@link Connection.exec} do.
   */
  async exec(command: string, options: ExecOptions): Promise<ExecResult> {
    const connection = await this.connect(options.signal);
    return await connection.exec(command, options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const connection = this.#connection;
    this.#connection = undefined;
    await connection?.[Symbol.asyncDispose]();
  }
}

import { shellCommand } from "../base/quote.ts";
import { copyFiles, type CopyCounts, type Place } from "../machine/files/copy.ts";
import { LocalSide } from "../machine/files/local-side.ts";
import { openFiles, remotePath, type MachineFiles } from "../machine/files/machine-files.ts";
import { Machine } from "../machine/machine.ts";
import type { SshTarget } from "../machine/target.ts";
import type { Listener } from "../report/events.ts";
import type { UpdateOutcome } from "./outcome.ts";
import type { Launched } from "./wait.ts";

export interface RunOptions {
  readonly signal?: AbortSignal;
  /** Sent to the command's standard input, which is then closed. */
  readonly input?: Uint8Array;
  /** Takes standard output as it comes; the result's `stdout` is then empty. */
  readonly onStdout?: (chunk: Buffer) => void;
}

export interface RunResult {
  readonly stdout: string;
  readonly stderr: string;
  readonly status: number;
}

interface HandleOptions {
  readonly launched: Launched;
  readonly target: SshTarget;
  readonly terminate: () => Promise<void>;
  readonly listener: Listener;
  readonly signal: AbortSignal;
}

/** How long the machine may take to let us in, in seconds. */
const connectDeadlineSeconds = 120;

/** A machine that was launched here, to work on until it is disposed of, which ends it. */
export class MachineHandle implements AsyncDisposable {
  readonly id: string;
  readonly address: string;
  /** Of its first update; undefined for an image that bake-ami has not baked, which has none. */
  readonly outcome: UpdateOutcome | undefined;
  readonly #options: HandleOptions;
  readonly #machine: Machine;
  #ended: Promise<void> | undefined;

  /** Made by `launchMachine`. */
  constructor(options: HandleOptions) {
    this.id = options.launched.instance.id;
    this.address = options.target.host;
    this.outcome = options.launched.outcome;
    this.#options = options;
    this.#machine = new Machine(options.target, { deadlineSeconds: connectDeadlineSeconds });
  }

  /**
   * Runs a command to its end: a string by the login user's shell, or words that no shell changes. Its status is no error,
   * whatever it is.
   * @throws BakeError `connection` when the connection is lost meanwhile, `interrupted`
   */
  async run(command: string | readonly string[], options: RunOptions = {}): Promise<RunResult> {
    const line = typeof command === "string" ? command : shellCommand(command);
    return await this.#machine.exec(line, { ...options, signal: this.#signalWith(options.signal) });
  }

  /**
   * Copies a file or directory of this computer to the machine, as `bake-ami cp` does.
   * @param remote on the machine; relative to the home directory, `~` is that
   * @throws BakeError as {@link copyFiles} does
   */
  async push(local: string, remote: string, signal?: AbortSignal): Promise<CopyCounts> {
    return await this.#copy(signal, ({ side }) => ({
      source: { side: new LocalSide(), path: local },
      destination: { side, path: remotePath(remote) },
    }));
  }

  /** Copies a file or directory of the machine to this computer; see {@link push}. */
  async pull(remote: string, local: string, signal?: AbortSignal): Promise<CopyCounts> {
    return await this.#copy(signal, ({ side }) => ({
      source: { side, path: remotePath(remote) },
      destination: { side: new LocalSide(), path: local },
    }));
  }

  async #copy(
    own: AbortSignal | undefined,
    places: (files: MachineFiles) => { readonly source: Place; readonly destination: Place },
  ): Promise<CopyCounts> {
    const signal = this.#signalWith(own);
    using files = await openFiles(this.#machine, this.id, signal);
    const { source, destination } = places(files);
    return await copyFiles({ sources: [source], destination, listener: this.#options.listener, signal });
  }

  #signalWith(own: AbortSignal | undefined): AbortSignal {
    const { signal } = this.#options;
    return own === undefined ? signal : AbortSignal.any([signal, own]);
  }

  /**
   * Ends the machine, and what its launch made for it. Once is enough; again waits for the same end.
   * @throws BakeError `cloud`, `timeout`
   */
  async terminate(): Promise<void> {
    this.#ended ??= this.#machine[Symbol.asyncDispose]().then(this.#options.terminate);
    await this.#ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.terminate();
  }
}

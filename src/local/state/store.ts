import { existsSync } from "node:fs";
import { mkdir, open, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { BakeError, systemCodeOf } from "../../base/errors.ts";
import { acquireLock } from "./lock.ts";
import { emptyState, stateSchema, type State } from "./schema.ts";

/** Many times what the state of a busy cloud takes. */
const reserveBytes = 1024 * 1024;

/**
 * The state of one local cloud in `<directory>/state.json`. Any number of processes may use one directory. Readers see the
 * last state that was written whole; writers take turns.
 */
export class Store {
  readonly directory: string;
  readonly #file: string;
  readonly #reserve: string;
  #turn: Promise<unknown> = Promise.resolve();
  /** What was read last: every call reads, and checking the state is most of the work. */
  #known: { readonly text: string; readonly state: State } | undefined;

  constructor(directory: string) {
    this.directory = directory;
    this.#file = join(directory, "state.json");
    this.#reserve = join(directory, "reserve");
  }

  /**
   * The state as last written.
   * @throws BakeError `failed` when the file is damaged.
   */
  async read(): Promise<State> {
    let text: string;
    try {
      text = await readFile(this.#file, "utf8");
    } catch (error) {
      if (systemCodeOf(error) === "ENOENT") return emptyState();
      throw error;
    }
    if (text !== this.#known?.text) this.#known = { text, state: this.#parse(text) };
    return structuredClone(this.#known.state);
  }

  /**
   * Changes the state: `work` gets a copy of its own to change, which replaces the state when `work` returns and is
   * forgotten when it throws. Nobody else changes the state in between; so `work` should be short.
   * @throws BakeError `timeout` when the lock cannot be had.
   */
  async change<T>(work: (draft: State) => T | Promise<T>, signal: AbortSignal): Promise<T> {
    const mine = this.#turn.then(async () => {
      await mkdir(this.directory, { recursive: true, mode: 0o700 });
      const release = await this.#withRoom(() => acquireLock(this.directory, "lock", signal));
      try {
        const draft = await this.read();
        const before = JSON.stringify(draft);
        const result = await work(draft);
        const after = JSON.stringify(draft);
        if (after !== before) {
          await this.#withRoom(() => this.#write(after));
          await this.#keepRoom();
        }
        return result;
      } finally {
        await release();
      }
    });
    this.#turn = mine.catch(() => undefined);
    return await mine;
  }

  /**
   * Does something that writes a little; on a full disk, with the room that was kept for that. Else nobody could even
   * write down that machines have stopped because the disk is full, or free it by terminating them.
   */
  async #withRoom<T>(write: () => Promise<T>): Promise<T> {
    try {
      return await write();
    } catch (error) {
      if (systemCodeOf(error) !== "ENOSPC") throw error;
      await rm(this.#reserve, { force: true });
    }
    try {
      return await write();
    } catch (error) {
      if (systemCodeOf(error) !== "ENOSPC") throw error;
      throw new BakeError("failed", `the disk of this computer is full at ${this.directory}`, {
        hint: "make room there; `bake-ami local reset` ends all local machines and deletes their disks",
        cause: error,
      });
    }
  }

  async #keepRoom(): Promise<void> {
    if (existsSync(this.#reserve)) return;
    await writeFile(this.#reserve, Buffer.alloc(reserveBytes, 1), { mode: 0o600 }).catch(async () => {
      await rm(this.#reserve, { force: true });
    });
  }

  /** Only for the holder of the lock, hence the fixed name of the new file. */
  async #write(text: string): Promise<void> {
    const fresh = `${this.#file}.new`;
    const file = await open(fresh, "w", 0o600);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(fresh, this.#file);
    const directory = await open(this.directory, "r");
    try {
      await directory.sync();
    } finally {
      await directory.close();
    }
  }

  #parse(text: string): State {
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch (error) {
      throw this.#damaged([], error);
    }
    const result = stateSchema.safeParse(value);
    if (!result.success)
      throw this.#damaged(z.prettifyError(result.error).split("\n").slice(0, 10), undefined);
    return result.data;
  }

  #damaged(details: readonly string[], cause: unknown): BakeError {
    return new BakeError("failed", `the local cloud's state file is damaged: ${this.#file}`, {
      hint: "`bake-ami local reset` starts afresh; base images are kept",
      details,
      cause,
    });
  }
}

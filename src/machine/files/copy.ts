import { atOnce } from "../../base/at-once.ts";
import { BakeError } from "../../base/errors.ts";
import { randomId } from "../../base/ids.ts";
import { throwIfAborted } from "../../base/wait.ts";
import type { Listener } from "../../report/events.ts";
import { planCopies, type Place } from "./plan-copies.ts";
import { pour } from "./pour.ts";
import { CopyProgress, type CopyCounts } from "./progress.ts";
import { parentOf, within, type Entry, type Side } from "./side.ts";

export type { Place } from "./plan-copies.ts";
export type { CopyCounts } from "./progress.ts";

export interface CopyOptions {
  readonly sources: readonly Place[];
  readonly destination: Place;
  readonly listener: Listener;
  readonly signal: AbortSignal;
}

/** So many files of a directory at once: a small one is nothing but messages back and forth. */
const filesAtOnce = 8;

/** A name that a copy has until it is whole. */
const partName = (): string => `.bake-ami-part-${randomId(12)}`;

/**
 * Copies files and directories with all that is in them, as `cp -R` does, keeping permissions and times. Each file comes
 * under its own name only when it is whole. Links within a directory stay links; one that is named as a source is followed.
 * @throws BakeError `usage` when a source is not there or the destination does not fit, before anything is changed;
 *   `failed` that names the file, `connection`, `interrupted`
 */
export async function copyFiles(options: CopyOptions): Promise<CopyCounts> {
  const { sources, destination, listener, signal } = options;
  const copies = await planCopies(sources, destination);
  const progress = new CopyProgress(listener);
  for (const { source, entry, target } of copies) {
    const job = new Copy(source.side, destination.side, progress, signal);
    await job.copy(source.path, entry, target, true);
  }
  return progress.finish();
}

/** From one side to another. */
class Copy {
  readonly #from: Side;
  readonly #to: Side;
  readonly #progress: CopyProgress;
  readonly #signal: AbortSignal;

  constructor(from: Side, to: Side, progress: CopyProgress, signal: AbortSignal) {
    this.#from = from;
    this.#to = to;
    this.#progress = progress;
    this.#signal = signal;
  }

  /** @param isNamed whether a person named the target: then a link to a directory will do for a directory */
  async copy(path: string, entry: Entry, target: string, isNamed: boolean): Promise<void> {
    throwIfAborted(this.#signal);
    switch (entry.kind) {
      case "file":
        await this.#copyFile(path, entry, target);
        break;
      case "link":
        await this.#copyLink(path, target);
        break;
      case "directory":
        await this.#copyDirectory(path, entry, target, isNamed);
        break;
      case "other":
        this.#progress.warn(`${this.#from.describe(path)} is no file, directory or link, and is left out`);
    }
  }

  async #copyFile(path: string, entry: Entry, target: string): Promise<void> {
    this.#progress.found(entry.size);
    const part = within(parentOf(target), partName());
    const reader = await this.#from.openToRead(path);
    try {
      const writer = await this.#to.create(part, target);
      await this.#orRemove(part, async () => {
        try {
          const onBytes = (count: number): void => {
            this.#progress.moved(count, path);
          };
          await pour(reader, writer, entry.size, this.#from.describe(path), this.#signal, onBytes);
          await writer.setAttributes(entry);
        } finally {
          await writer.close();
        }
        throwIfAborted(this.#signal);
        await this.#to.rename(part, target);
      });
    } finally {
      await reader.close();
    }
    this.#progress.finished("file", this.#to.describe(target), entry.size);
  }

  async #copyLink(path: string, target: string): Promise<void> {
    const part = within(parentOf(target), partName());
    await this.#to.makeLink(await this.#from.readLink(path), part, target);
    await this.#orRemove(part, () => this.#to.rename(part, target));
    this.#progress.finished("link", this.#to.describe(target), 0);
  }

  /** Whatever goes wrong, nothing half stays. */
  async #orRemove(part: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      // The first error is the one to tell.
      await this.#to.removeFile(part).catch(() => undefined);
      throw error;
    }
  }

  async #copyDirectory(path: string, entry: Entry, target: string, isNamed: boolean): Promise<void> {
    const there = await this.#to.look(target, isNamed);
    if (there !== undefined && there.kind !== "directory") {
      throw new BakeError("failed", `cannot write ${this.#to.describe(target)}: it is no directory`);
    }
    if (there === undefined) await this.#to.makeDirectory(target);
    const names = (await this.#from.list(path)).map((name) => this.#checkName(name, path));
    const directories: { readonly name: string; readonly entry: Entry }[] = [];
    await atOnce(filesAtOnce, names.sort(), async (name) => {
      const child = await this.#from.look(within(path, name), false);
      // It was deleted meanwhile.
      if (child === undefined) return;
      if (child.kind === "directory") directories.push({ name, entry: child });
      else await this.copy(within(path, name), child, within(target, name), false);
    });
    for (const each of directories) {
      await this.copy(within(path, each.name), each.entry, within(target, each.name), false);
    }
    // Last, because making files in it changes its times, and it may allow nobody to write.
    if (there === undefined) await this.#to.setAttributes(target, entry);
    this.#progress.finished("directory", this.#to.describe(target), 0);
  }

  /** A machine may say anything; a name that leads out of its directory would let it write wherever it likes here. */
  #checkName(name: string, directory: string): string {
    if (name === "" || name === "." || name === ".." || /[/\0]/.test(name)) {
      throw new BakeError("failed", `${this.#from.describe(directory)} lists a name that is none`, {
        details: [JSON.stringify(name)],
      });
    }
    if (!name.includes("\ufffd")) return name;
    throw new BakeError(
      "failed",
      `${this.#from.describe(directory)} has a name that is not UTF-8: ${JSON.stringify(name)}`,
      { hint: "rename it, or pack the directory with tar and copy that" },
    );
  }
}

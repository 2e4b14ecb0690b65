import { constants, type Stats } from "node:fs";
import * as fs from "node:fs/promises";
import { BakeError, messageOf, systemCodeOf } from "../../base/errors.ts";
import { troubleWithFile } from "../../base/file-trouble.ts";
import { keptBits, type Entry, type OpenFile, type Side } from "./side.ts";

/** The files of this computer. */
export class LocalSide implements Side {
  describe(path: string): string {
    return path;
  }

  async look(path: string, follow: boolean): Promise<Entry | undefined> {
    try {
      return entryOf(await (follow ? fs.stat(path) : fs.lstat(path)));
    } catch (error) {
      if (systemCodeOf(error) === "ENOENT") return undefined;
      throw explain(error, "read", path);
    }
  }

  async resolve(path: string): Promise<string> {
    return await this.#do("read", path, () => fs.realpath(path));
  }

  async list(path: string): Promise<string[]> {
    return await this.#do("read", path, () => fs.readdir(path));
  }

  async openToRead(path: string): Promise<OpenFile> {
    const handle = await this.#do("read", path, () => fs.open(path, "r"));
    return new LocalFile(handle, path);
  }

  async create(path: string, shown: string): Promise<OpenFile> {
    const handle = await this.#do("write", shown, () => fs.open(path, "wx", 0o600));
    return new LocalFile(handle, shown);
  }

  async makeDirectory(path: string): Promise<void> {
    await this.#do("make", path, () => fs.mkdir(path, 0o700));
  }

  async setAttributes(path: string, entry: Entry): Promise<void> {
    await this.#do("write", path, async () => {
      await fs.chmod(path, entry.mode);
      await fs.utimes(path, entry.accessedAt, entry.modifiedAt);
    });
  }

  async readLink(path: string): Promise<string> {
    return await this.#do("read", path, () => fs.readlink(path));
  }

  async makeLink(target: string, path: string, shown: string): Promise<void> {
    await this.#do("write", shown, () => fs.symlink(target, path));
  }

  async rename(from: string, to: string): Promise<void> {
    await this.#do("write", to, () => fs.rename(from, to));
  }

  async removeFile(path: string): Promise<void> {
    await this.#do("delete", path, () => fs.rm(path, { force: true }));
  }

  async #do<T>(verb: string, path: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw explain(error, verb, path);
    }
  }
}

class LocalFile implements OpenFile {
  readonly #handle: fs.FileHandle;
  readonly #path: string;

  constructor(handle: fs.FileHandle, path: string) {
    this.#handle = handle;
    this.#path = path;
  }

  async read(buffer: Buffer, position: number): Promise<number> {
    let filled = 0;
    try {
      while (filled < buffer.length) {
        const rest = buffer.length - filled;
        const { bytesRead } = await this.#handle.read(buffer, filled, rest, position + filled);
        if (bytesRead === 0) break;
        filled += bytesRead;
      }
      return filled;
    } catch (error) {
      throw explain(error, "read", this.#path);
    }
  }

  async write(bytes: Buffer, position: number): Promise<void> {
    let written = 0;
    try {
      while (written < bytes.length) {
        const rest = bytes.length - written;
        written += (await this.#handle.write(bytes, written, rest, position + written)).bytesWritten;
      }
    } catch (error) {
      throw explain(error, "write", this.#path);
    }
  }

  async setAttributes(entry: Entry): Promise<void> {
    try {
      await this.#handle.chmod(entry.mode);
      await this.#handle.utimes(entry.accessedAt, entry.modifiedAt);
    } catch (error) {
      throw explain(error, "write", this.#path);
    }
  }

  async close(): Promise<void> {
    try {
      await this.#handle.close();
    } catch (error) {
      throw explain(error, "write", this.#path);
    }
  }
}

function entryOf(stats: Stats): Entry {
  const kinds = {
    [constants.S_IFREG]: "file",
    [constants.S_IFDIR]: "directory",
    [constants.S_IFLNK]: "link",
  } as const;
  return {
    kind: kinds[stats.mode & constants.S_IFMT] ?? "other",
    size: stats.size,
    mode: stats.mode & keptBits,
    accessedAt: Math.floor(stats.atimeMs / 1000),
    modifiedAt: Math.floor(stats.mtimeMs / 1000),
  };
}

const more: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file or directory",
  EEXIST: "there is something of that name already",
  EISDIR: "it is a directory",
  ENOTEMPTY: "there is a directory of that name, and it is not empty",
};

function explain(error: unknown, verb: string, path: string): BakeError {
  const why = troubleWithFile(error) ?? more[systemCodeOf(error) ?? ""] ?? messageOf(error);
  const isFull = ["ENOSPC", "EDQUOT"].includes(systemCodeOf(error) ?? "");
  return new BakeError("failed", `cannot ${verb} ${path}: ${why}`, {
    cause: error,
    ...(isFull ? { hint: "make room there; what was copied before is whole" } : {}),
  });
}

import type { SFTPWrapper, Stats } from "ssh2";
import { BakeError, messageOf } from "../../base/errors.ts";
import { Calls, type Done } from "./calls.ts";
import { keptBits, parentOf, type Entry, type OpenFile, type Side } from "./side.ts";

/** SFTP's words for what went wrong; anything else is FAILURE. (draft-ietf-secsh-filexfer-02, which OpenSSH speaks) */
const noSuchFile = 2;
const permissionDenied = 3;
const failure = 4;

/** The files of a machine, as its SFTP server shows them. */
export class RemoteSide implements Side {
  readonly #sftp: SFTPWrapper;
  readonly #calls: Calls;
  readonly #machine: string;
  readonly #user: string;

  /**
   * @param closed settles when the connection is gone
   * @param machine as the person named it, for messages
   * @param user who is logged in
   */
  constructor(sftp: SFTPWrapper, closed: Promise<void>, machine: string, user: string) {
    this.#sftp = sftp;
    this.#calls = new Calls(closed);
    this.#machine = machine;
    this.#user = user;
  }

  describe(path: string): string {
    return `${this.#machine}:${path}`;
  }

  async look(path: string, follow: boolean): Promise<Entry | undefined> {
    try {
      return entryOf(
        await this.#calls.make<Stats>((done) => {
          if (follow) this.#sftp.stat(path, done);
          else this.#sftp.lstat(path, done);
        }),
      );
    } catch (error) {
      if (codeOf(error) === noSuchFile) return undefined;
      throw await this.explain(error, "read", path);
    }
  }

  async resolve(path: string): Promise<string> {
    return await this.#do<string>("read", path, (done) => {
      this.#sftp.realpath(path, done);
    });
  }

  async list(path: string): Promise<string[]> {
    const entries = await this.#do<readonly { readonly filename: string }[]>("read", path, (done) => {
      this.#sftp.readdir(path, done);
    });
    return entries.map(({ filename }) => filename).filter((name) => name !== "." && name !== "..");
  }

  async openToRead(path: string): Promise<OpenFile> {
    const handle = await this.#do<Buffer>("read", path, (done) => {
      this.#sftp.open(path, "r", done);
    });
    return new RemoteFile(this.#sftp, this.#calls, this, handle, path);
  }

  async create(path: string, shown: string): Promise<OpenFile> {
    const handle = await this.#do<Buffer>("write", shown, (done) => {
      this.#sftp.open(path, "wx", 0o600, done);
    });
    return new RemoteFile(this.#sftp, this.#calls, this, handle, shown);
  }

  async makeDirectory(path: string): Promise<void> {
    await this.#do<undefined>("make", path, (done) => {
      this.#sftp.mkdir(path, { mode: 0o700 }, (error) => {
        done(error, undefined);
      });
    });
  }

  async setAttributes(path: string, entry: Entry): Promise<void> {
    await this.#do<undefined>("write", path, (done) => {
      this.#sftp.setstat(path, attributesOf(entry), (error) => {
        done(error, undefined);
      });
    });
  }

  async readLink(path: string): Promise<string> {
    return await this.#do<string>("read", path, (done) => {
      this.#sftp.readlink(path, done);
    });
  }

  async makeLink(target: string, path: string, shown: string): Promise<void> {
    await this.#do<undefined>("write", shown, (done) => {
      this.#sftp.symlink(target, path, (error) => {
        done(error, undefined);
      });
    });
  }

  async rename(from: string, to: string): Promise<void> {
    // SFTP's own rename refuses where there is something; OpenSSH's extension is rename(2).
    await this.#do<undefined>("write", to, (done) => {
      this.#sftp.ext_openssh_rename(from, to, (error) => {
        done(error, undefined);
      });
    });
  }

  async removeFile(path: string): Promise<void> {
    try {
      await this.#do<undefined>("delete", path, (done) => {
        this.#sftp.unlink(path, (error) => {
          done(error, undefined);
        });
      });
    } catch (error) {
      if (!(error instanceof BakeError) || codeOf(error.cause) !== noSuchFile) throw error;
    }
  }

  async #do<T>(verb: string, path: string, call: (done: Done<T>) => void): Promise<T> {
    try {
      return await this.#calls.make(call);
    } catch (error) {
      throw await this.explain(error, verb, path);
    }
  }

  /** The error for a person. SFTP has one word for most of what may go wrong, so the machine is asked for more. */
  async explain(error: unknown, verb: string, path: string): Promise<BakeError> {
    const what = `cannot ${verb} ${this.describe(path)}`;
    switch (codeOf(error)) {
      case noSuchFile:
        return new BakeError("failed", `${what}: there is no such file or directory`, { cause: error });
      case permissionDenied:
        return new BakeError("failed", `${what}: permission denied for ${this.#user}`, {
          cause: error,
          hint: `choose a place that ${this.#user} may use, such as ${this.#machine}:~/, and go on with \`bake-ami ssh ${this.#machine} -- sudo ...\``,
        });
      case failure: {
        if (await this.#isFull(parentOf(path))) {
          const hint = "make room there; what was copied before is whole";
          return new BakeError("failed", `${what}: the disk of the machine is full`, { cause: error, hint });
        }
        return new BakeError("failed", `${what}: ${await this.#guess(path)}`, { cause: error });
      }
      default:
        // Not the server's word: the connection is gone.
        return new BakeError("connection", `${what}: ${messageOf(error)}`, { cause: error });
    }
  }

  async #guess(path: string): Promise<string> {
    try {
      const stats = await this.#calls.make<Stats>((done) => {
        this.#sftp.lstat(path, done);
      });
      if (stats.isDirectory()) return "it is a directory";
    } catch {
      // Then it is something else.
    }
    return "its SFTP server gives no reason";
  }

  async #isFull(directory: string): Promise<boolean> {
    try {
      const info = await this.#calls.make<unknown>((done) => {
        this.#sftp.ext_openssh_statvfs(directory, (error, value: unknown) => {
          done(error, value);
        });
      });
      if (typeof info !== "object" || info === null) return false;
      const none = (value: unknown): boolean => Number(value) === 0;
      return (
        ("f_bavail" in info && none(info.f_bavail)) ||
        ("f_favail" in info && "f_files" in info && !none(info.f_files) && none(info.f_favail))
      );
    } catch {
      return false;
    }
  }
}

class RemoteFile implements OpenFile {
  readonly #sftp: SFTPWrapper;
  readonly #calls: Calls;
  readonly #side: RemoteSide;
  readonly #handle: Buffer;
  readonly #path: string;

  constructor(sftp: SFTPWrapper, calls: Calls, side: RemoteSide, handle: Buffer, path: string) {
    this.#sftp = sftp;
    this.#calls = calls;
    this.#side = side;
    this.#handle = handle;
    this.#path = path;
  }

  async read(buffer: Buffer, position: number): Promise<number> {
    let filled = 0;
    while (filled < buffer.length) {
      const got = await this.#readSome(buffer, filled, position + filled);
      if (got === 0) break;
      filled += got;
    }
    return filled;
  }

  async #readSome(buffer: Buffer, offset: number, position: number): Promise<number> {
    try {
      return await this.#calls.make<number>((done) => {
        this.#sftp.read(this.#handle, buffer, offset, buffer.length - offset, position, (error, count) => {
          done(error, count);
        });
      });
    } catch (error) {
      // 1 is the end of the file, which is no failure.
      if (codeOf(error) === 1) return 0;
      throw await this.#side.explain(error, "read", this.#path);
    }
  }

  async write(bytes: Buffer, position: number): Promise<void> {
    await this.#do("write", (done) => {
      this.#sftp.write(this.#handle, bytes, 0, bytes.length, position, done);
    });
  }

  async setAttributes(entry: Entry): Promise<void> {
    await this.#do("write", (done) => {
      this.#sftp.fsetstat(this.#handle, attributesOf(entry), done);
    });
  }

  async close(): Promise<void> {
    await this.#do("write", (done) => {
      this.#sftp.close(this.#handle, done);
    });
  }

  async #do(verb: string, call: (done: (error?: Error | null) => void) => void): Promise<void> {
    try {
      await this.#calls.make<undefined>((done) => {
        call((error) => {
          done(error, undefined);
        });
      });
    } catch (error) {
      throw await this.#side.explain(error, verb, this.#path);
    }
  }
}

function codeOf(error: unknown): number | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "number" ? error.code : undefined;
}

function attributesOf(entry: Entry): { mode: number; atime: number; mtime: number } {
  return { mode: entry.mode, atime: entry.accessedAt, mtime: entry.modifiedAt };
}

function entryOf(stats: Stats): Entry {
  const kind = (): Entry["kind"] => {
    if (stats.isFile()) return "file";
    if (stats.isDirectory()) return "directory";
    return stats.isSymbolicLink() ? "link" : "other";
  };
  return {
    kind: kind(),
    size: stats.size,
    mode: stats.mode & keptBits,
    accessedAt: stats.atime,
    modifiedAt: stats.mtime,
  };
}

import { existsSync } from "node:fs";
import { mkdir, open, readdir, readFile, rename, rm, writeFile, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { systemCodeOf } from "../../base/errors.ts";
import { randomId } from "../../base/ids.ts";
import { isAlive, ownIdentity } from "../../base/process-identity.ts";
import { acquireLock } from "../state/lock.ts";
import { noSuchBucket, S3Error } from "./errors.ts";
import { compareKeys, decodedKey, encodedKey, pathOfKey } from "./names.ts";
import { openObjectFile, type OpenObject } from "./object-file.ts";

const bucketSchema = z.object({ name: z.string(), region: z.string(), createdAt: z.number() });

export type Bucket = z.infer<typeof bucketSchema>;

/**
 * Buckets and objects as files under `<directory>/objects`:
 *
 *     buckets/<name>/bucket.json
 *     buckets/<name>/keys/...          an object each, see names.ts and object-file.ts
 *     buckets/<name>/uploads/<id>/     see uploads.ts
 *     tmp/<process>-<random>           what is not whole yet
 *
 * Everything is made in `tmp` and renamed to its place, so that nobody ever sees a part of it, and what a killed process
 * leaves is in `tmp` and nowhere else. Readers take no lock. Whoever changes which buckets or objects there are does so
 * under one lock, so that a condition on what is there holds until it has been replaced.
 */
export class ObjectStore {
  readonly #root: string;
  #turn: Promise<unknown> = Promise.resolve();
  #swept: Promise<void> | undefined;

  constructor(directory: string) {
    this.#root = join(directory, "objects");
  }

  /** Where the parts of an upload are. */
  uploadsOf(bucket: string): string {
    return join(this.#bucketDirectory(bucket), "uploads");
  }

  /** Runs `work` while nobody else changes which buckets, objects and uploads there are. */
  async exclusively<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.#turn.then(async () => {
      await mkdir(this.#root, { recursive: true, mode: 0o700 });
      const release = await acquireLock(this.#root, "lock", new AbortController().signal);
      try {
        return await work();
      } finally {
        await release();
      }
    });
    this.#turn = mine.catch(() => undefined);
    return await mine;
  }

  /** A path for what is not whole yet; whatever is there is removed when `work` ends. */
  async withTemporary<T>(work: (path: string) => Promise<T>): Promise<T> {
    const { pid, startedAt } = await ownIdentity();
    const directory = join(this.#root, "tmp");
    await mkdir(directory, { recursive: true, mode: 0o700 });
    this.#swept ??= sweep(directory);
    await this.#swept;
    const path = join(directory, `${pid}-${startedAt}-${randomId(10)}`);
    try {
      return await work(path);
    } finally {
      await rm(path, { recursive: true, force: true });
    }
  }

  /** A file for what is not whole yet, as {@link withTemporary}. */
  async withTemporaryFile<T>(work: (path: string, file: FileHandle) => Promise<T>): Promise<T> {
    return await this.withTemporary(async (path) => {
      const file = await open(path, "wx", 0o600);
      try {
        return await work(path, file);
      } finally {
        await file.close();
      }
    });
  }

  /** @throws S3Error `BucketAlreadyOwnedByYou` */
  async createBucket(bucket: Bucket): Promise<void> {
    await this.withTemporary(async (path) => {
      await mkdir(join(path, "keys"), { recursive: true, mode: 0o700 });
      await mkdir(join(path, "uploads"));
      await writeFile(join(path, "bucket.json"), JSON.stringify(bucket), { mode: 0o600 });
      await this.exclusively(async () => {
        await mkdir(join(this.#root, "buckets"), { recursive: true, mode: 0o700 });
        if (existsSync(this.#bucketDirectory(bucket.name))) {
          throw new S3Error(
            "BucketAlreadyOwnedByYou",
            "Your previous request to create the named bucket succeeded and you already own it.",
            409,
            { BucketName: bucket.name },
          );
        }
        await rename(path, this.#bucketDirectory(bucket.name));
      });
    });
  }

  /** @throws S3Error `NoSuchBucket` */
  async bucket(name: string): Promise<Bucket> {
    const found = await readIfThere(join(this.#bucketDirectory(name), "bucket.json"));
    if (found === undefined) throw noSuchBucket(name);
    return bucketSchema.parse(JSON.parse(found));
  }

  /** All buckets, by name. */
  async buckets(): Promise<Bucket[]> {
    const names = await listed(join(this.#root, "buckets"));
    const texts = await Promise.all(
      names.sort().map(async (name) => await readIfThere(join(this.#bucketDirectory(name), "bucket.json"))),
    );
    return texts.filter((text) => text !== undefined).map((text) => bucketSchema.parse(JSON.parse(text)));
  }

  /** Deletes a bucket, and uploads to it that were never ended. @throws S3Error `NoSuchBucket`, `BucketNotEmpty` */
  async deleteBucket(name: string): Promise<void> {
    await this.withTemporary(async (path) => {
      await this.exclusively(async () => {
        await this.bucket(name);
        if ((await this.#keysIn(name, "")).length > 0) {
          throw new S3Error("BucketNotEmpty", "The bucket you tried to delete is not empty", 409, {
            BucketName: name,
          });
        }
        await rename(this.#bucketDirectory(name), path);
      });
    });
  }

  /**
   * Opens an object.
   * @returns undefined when there is none
   * @throws S3Error `NoSuchBucket`
   */
  async open(bucket: string, key: string): Promise<OpenObject | undefined> {
    const found = await openObjectFile(this.#fileOf(bucket, key).path);
    if (found === undefined) await this.bucket(bucket);
    return found;
  }

  /**
   * Puts a file in the place of an object; only within {@link exclusively}.
   * @throws S3Error `NoSuchBucket`
   */
  async put(bucket: string, key: string, from: string): Promise<void> {
    await this.bucket(bucket);
    const { directory, path } = this.#fileOf(bucket, key);
    await mkdir(directory, { recursive: true, mode: 0o700 });
    await rename(from, path);
    const handle = await open(directory, "r");
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  }

  /** Removes an object if it is there. @throws S3Error `NoSuchBucket` */
  async remove(bucket: string, key: string): Promise<void> {
    await this.bucket(bucket);
    await this.exclusively(async () => {
      await rm(this.#fileOf(bucket, key).path, { force: true });
    });
  }

  /** All keys that begin with a prefix, in S3's order. @throws S3Error `NoSuchBucket` */
  async keys(bucket: string, prefix: string): Promise<string[]> {
    await this.bucket(bucket);
    return (await this.#keysIn(bucket, prefix)).sort(compareKeys);
  }

  async #keysIn(bucket: string, prefix: string): Promise<string[]> {
    const wanted = encodedKey(prefix);
    const keys: string[] = [];
    const walk = async (directory: string, before: string): Promise<void> => {
      for (const name of await listed(directory)) {
        const encoded = before + name.slice(0, -1);
        if (name.endsWith("=")) {
          if (encoded.startsWith(wanted)) keys.push(decodedKey(encoded));
        } else if (encoded.startsWith(wanted) || wanted.startsWith(encoded)) {
          await walk(join(directory, name), encoded);
        }
      }
    };
    await walk(join(this.#bucketDirectory(bucket), "keys"), "");
    return keys;
  }

  #bucketDirectory(name: string): string {
    return join(this.#root, "buckets", name);
  }

  #fileOf(bucket: string, key: string): { readonly directory: string; readonly path: string } {
    const { directories, file } = pathOfKey(key);
    const directory = join(this.#bucketDirectory(bucket), "keys", ...directories);
    return { directory, path: join(directory, file) };
  }
}

/** Removes what processes that are no more have left half-made. */
async function sweep(directory: string): Promise<void> {
  for (const name of await listed(directory)) {
    const [pid = "", startedAt = ""] = name.split("-");
    if (await isAlive({ pid: Number(pid), startedAt })) continue;
    await rm(join(directory, name), { recursive: true, force: true });
  }
}

/** The names in a directory; none when it is not there. */
export async function listed(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if (systemCodeOf(error) === "ENOENT") return [];
    throw error;
  }
}

export async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (["ENOENT", "ENOTDIR"].includes(systemCodeOf(error) ?? "")) return undefined;
    throw error;
  }
}

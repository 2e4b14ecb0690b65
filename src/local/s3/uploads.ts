import { mkdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { systemCodeOf } from "../../base/errors.ts";
import { randomId } from "../../base/ids.ts";
import { algorithms } from "./checksums.ts";
import { noSuchUpload } from "./errors.ts";
import { compareKeys } from "./names.ts";
import { openObjectFile, type ObjectRecord, type OpenObject } from "./object-file.ts";
import { listed, readIfThere, type ObjectStore } from "./store.ts";

const uploadSchema = z.object({
  id: z.string(),
  key: z.string(),
  startedAt: z.number(),
  /** What the object is to have, as in its record. */
  headers: z.record(z.string(), z.string()),
  algorithm: z.enum(algorithms).optional(),
  checksumType: z.enum(["FULL_OBJECT", "COMPOSITE"]).optional(),
});

/** An object that is being put together of parts. */
export type Upload = z.infer<typeof uploadSchema>;

export interface Part extends ObjectRecord {
  readonly number: number;
}

/*
 * An upload is a directory in its bucket with what was said when it began (`upload.json`) and a file for each part, which is
 * like an object's. It is there until it is completed or aborted.
 */

/** @throws S3Error `NoSuchBucket` */
export async function beginUpload(
  store: ObjectStore,
  bucket: string,
  upload: Omit<Upload, "id">,
): Promise<Upload> {
  const whole = { ...upload, id: randomId(40) };
  await store.withTemporary(async (path) => {
    await mkdir(path, { mode: 0o700 });
    await writeFile(join(path, "upload.json"), JSON.stringify(whole), { mode: 0o600 });
    await store.exclusively(async () => {
      await store.bucket(bucket);
      await rename(path, join(store.uploadsOf(bucket), whole.id));
    });
  });
  return whole;
}

/** @throws S3Error `NoSuchBucket`, `NoSuchUpload` */
export async function findUpload(
  store: ObjectStore,
  bucket: string,
  key: string,
  id: string,
): Promise<Upload> {
  await store.bucket(bucket);
  const upload = /^[a-z2-7]+$/.test(id) ? await readUpload(store, bucket, id) : undefined;
  if (upload?.key !== key) throw noSuchUpload(id);
  return upload;
}

async function readUpload(store: ObjectStore, bucket: string, id: string): Promise<Upload | undefined> {
  const text = await readIfThere(join(store.uploadsOf(bucket), id, "upload.json"));
  return text === undefined ? undefined : uploadSchema.parse(JSON.parse(text));
}

/** All uploads to a bucket, by key and age. @throws S3Error `NoSuchBucket` */
export async function allUploads(store: ObjectStore, bucket: string): Promise<Upload[]> {
  await store.bucket(bucket);
  const ids = await listed(store.uploadsOf(bucket));
  const uploads = await Promise.all(ids.map(async (id) => await readUpload(store, bucket, id)));
  return uploads
    .filter((upload) => upload !== undefined)
    .sort((a, b) => compareKeys(a.key, b.key) || a.startedAt - b.startedAt || compareKeys(a.id, b.id));
}

/** Puts a file in the place of a part. @throws S3Error `NoSuchUpload` when the upload has ended meanwhile */
export async function putPart(
  store: ObjectStore,
  bucket: string,
  upload: Upload,
  number: number,
  from: string,
): Promise<void> {
  try {
    await rename(from, partFile(store, bucket, upload, number));
  } catch (error) {
    if (systemCodeOf(error) === "ENOENT") throw noSuchUpload(upload.id);
    throw error;
  }
}

/** @returns undefined when there is no such part */
export async function openPart(
  store: ObjectStore,
  bucket: string,
  upload: Upload,
  number: number,
): Promise<OpenObject | undefined> {
  return await openObjectFile(partFile(store, bucket, upload, number));
}

/** All parts that are there, by number. */
export async function partsOf(store: ObjectStore, bucket: string, upload: Upload): Promise<Part[]> {
  const names = await listed(join(store.uploadsOf(bucket), upload.id));
  const numbers = names
    .flatMap((name) => /^part-(\d+)$/.exec(name)?.[1] ?? [])
    .map(Number)
    .sort((a, b) => a - b);
  const parts: Part[] = [];
  for (const number of numbers) {
    const part = await openPart(store, bucket, upload, number);
    if (part === undefined) continue;
    await part.close();
    parts.push({ ...part.record, number });
  }
  return parts;
}

/**
 * Ends an upload: its parts are gone. Only within `exclusively`.
 * @param trash a path that is removed afterwards
 * @throws S3Error `NoSuchUpload`
 */
export async function endUpload(
  store: ObjectStore,
  bucket: string,
  upload: Upload,
  trash: string,
): Promise<void> {
  try {
    await rename(join(store.uploadsOf(bucket), upload.id), trash);
  } catch (error) {
    if (systemCodeOf(error) === "ENOENT") throw noSuchUpload(upload.id);
    throw error;
  }
}

function partFile(store: ObjectStore, bucket: string, upload: Upload, number: number): string {
  return join(store.uploadsOf(bucket), upload.id, `part-${String(number)}`);
}

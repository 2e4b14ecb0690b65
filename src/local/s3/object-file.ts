import { constants } from "node:fs";
import { open, type FileHandle } from "node:fs/promises";
import { Readable } from "node:stream";
import { z } from "zod";
import { BakeError, systemCodeOf } from "../../base/errors.ts";
import { checksumSchema } from "./checksums.ts";

/*
 * An object, or a part of one that is being uploaded, is one file: its content, then what is known of it as JSON, then the
 * length of that and a mark. So one rename replaces all of an object at once, and whoever has it open goes on reading
 * the one that he opened.
 */

const recordSchema = z.object({
  key: z.string(),
  size: z.number(),
  /** Without quotes. */
  etag: z.string(),
  /** Milliseconds since the epoch. */
  modifiedAt: z.number(),
  /** Headers that come back with the object as they were given: `content-type` and its kind, and `x-amz-meta-*`. */
  headers: z.record(z.string(), z.string()),
  checksum: checksumSchema.optional(),
  /** The upload that it was put together by. */
  uploadId: z.string().optional(),
});

/** What is known of an object beside its content. */
export type ObjectRecord = z.infer<typeof recordSchema>;

const mark = Buffer.from("bakes3o1");
const footerLength = 4 + mark.length;

/** Enough for almost every record, so that one read gets it. */
const usualTail = 2048;

/** Appends what is known to a file that has the content. */
export async function finishObjectFile(file: FileHandle, record: ObjectRecord): Promise<void> {
  const json = Buffer.from(JSON.stringify(record));
  const length = Buffer.alloc(4);
  length.writeUInt32BE(json.length);
  await writeAll(file, Buffer.concat([json, length, mark]));
  // A rename must not get to the disk before what it names.
  await file.datasync();
}

/** Writes all of it where the file is at. */
export async function writeAll(file: FileHandle, data: Uint8Array): Promise<void> {
  for (let rest = data; rest.length > 0;) {
    const { bytesWritten } = await file.write(rest);
    rest = rest.subarray(bytesWritten);
  }
}

/** An object that is open: the same one, whatever becomes of its name. */
export interface OpenObject {
  readonly record: ObjectRecord;
  /** The content from one byte to another, both included; closes the object when it has been read. */
  read(start: number, end: number): Promise<Readable>;
  close(): Promise<void>;
}

/**
 * Opens an object.
 * @returns undefined when there is none
 * @throws BakeError `failed` when the file is damaged
 */
export async function openObjectFile(path: string): Promise<OpenObject | undefined> {
  let file: FileHandle;
  try {
    file = await open(path, constants.O_RDONLY);
  } catch (error) {
    if (["ENOENT", "ENOTDIR"].includes(systemCodeOf(error) ?? "")) return undefined;
    throw error;
  }
  try {
    const record = await readRecord(file, path);
    return {
      record,
      read: async (start, end) => await readable(file, start, end),
      close: async () => {
        await file.close();
      },
    };
  } catch (error) {
    await file.close();
    throw error;
  }
}

async function readRecord(file: FileHandle, path: string): Promise<ObjectRecord> {
  const { size } = await file.stat();
  let tail = await readAt(file, Math.max(0, size - usualTail), size);
  if (tail.length < footerLength || !tail.subarray(-mark.length).equals(mark)) throw damaged(path, undefined);
  const jsonLength = tail.readUInt32BE(tail.length - footerLength);
  const start = size - footerLength - jsonLength;
  if (start < 0) throw damaged(path, undefined);
  if (jsonLength + footerLength > tail.length) tail = await readAt(file, start, size);
  const json = tail.subarray(tail.length - footerLength - jsonLength, -footerLength).toString("utf8");
  let record: ObjectRecord;
  try {
    record = recordSchema.parse(JSON.parse(json));
  } catch (error) {
    throw damaged(path, error);
  }
  if (record.size !== start) throw damaged(path, undefined);
  return record;
}

function damaged(path: string, cause: unknown): BakeError {
  return new BakeError("failed", `an object of the local cloud is damaged: ${path}`, {
    hint: "delete it, or all of them with `bake-ami local reset`",
    cause,
  });
}

async function readAt(file: FileHandle, start: number, end: number): Promise<Buffer> {
  const buffer = Buffer.alloc(end - start);
  for (let done = 0; done < buffer.length;) {
    const { bytesRead } = await file.read(buffer, done, buffer.length - done, start + done);
    if (bytesRead === 0) return buffer.subarray(0, done);
    done += bytesRead;
  }
  return buffer;
}

/** Small content is read at once, so that nothing stays open when nobody reads it. */
const smallContent = 64 * 1024;

async function readable(file: FileHandle, start: number, end: number): Promise<Readable> {
  if (end < start || end - start < smallContent) {
    const content = await readAt(file, start, Math.max(start, end + 1));
    await file.close();
    return Readable.from(content.length === 0 ? [] : [content], { objectMode: false });
  }
  return file.createReadStream({ start, end, highWaterMark: 256 * 1024 });
}

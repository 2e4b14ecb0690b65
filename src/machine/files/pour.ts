import { BakeError } from "../../base/errors.ts";
import { throwIfAborted } from "../../base/wait.ts";
import type { OpenFile } from "./side.ts";

/** Bytes that every SFTP server takes in one message. */
const chunkSize = 32 * 1024;

/** So many messages are under way at once, that a distance of 100 ms still lets 10 MB a second through. */
const window = 32;

/**
 * Copies the bytes of one open file into another, in as little memory as the messages under way take.
 * @param size of the file when it was looked at; what was appended since comes too, and so does all of a file of /proc,
 *   whose size is always 0
 * @param what for the error, which says that the file has become shorter
 */
export async function pour(
  from: OpenFile,
  to: OpenFile,
  size: number,
  what: string,
  signal: AbortSignal,
  onBytes: (count: number) => void,
): Promise<void> {
  let next = 0;
  let failed = false;
  const worker = async (): Promise<void> => {
    const buffer = Buffer.allocUnsafe(Math.min(chunkSize, size));
    while (!failed && next < size) {
      throwIfAborted(signal);
      const position = next;
      const wanted = Math.min(chunkSize, size - position);
      next += wanted;
      const piece = buffer.subarray(0, wanted);
      if ((await from.read(piece, position)) < wanted) {
        throw new BakeError("failed", `${what} became shorter while it was copied`, {
          hint: "copy it again",
        });
      }
      await to.write(piece, position);
      onBytes(wanted);
    }
  };
  const workers = Array.from({ length: Math.min(window, Math.ceil(size / chunkSize)) }, () =>
    worker().catch((error: unknown) => {
      failed = true;
      throw error;
    }),
  );
  // All of them, so that nothing is under way any more when the files are closed.
  const results = await Promise.allSettled(workers);
  for (const result of results) if (result.status === "rejected") throw result.reason;
  await pourRest(from, to, size, signal, onBytes);
}

async function pourRest(
  from: OpenFile,
  to: OpenFile,
  start: number,
  signal: AbortSignal,
  onBytes: (count: number) => void,
): Promise<void> {
  const buffer = Buffer.allocUnsafe(chunkSize);
  for (let position = start; ;) {
    throwIfAborted(signal);
    const count = await from.read(buffer, position);
    if (count === 0) return;
    await to.write(buffer.subarray(0, count), position);
    onBytes(count);
    position += count;
  }
}

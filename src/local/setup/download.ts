import { createHash, type Hash } from "node:crypto";
import { createReadStream } from "node:fs";
import { open, rename, rm, stat, statfs } from "node:fs/promises";
import { dirname } from "node:path";
import { BakeError, messageOf, systemCodeOf } from "../../base/errors.ts";
import { interruptedBy } from "../../base/wait.ts";

export interface DownloadOptions {
  readonly signal: AbortSignal;
  /** A server that sends nothing for so long is given up; seconds. */
  readonly stallSeconds: number;
}

/**
 * Opens a URL and follows its redirections.
 * @throws BakeError `connection`, `not-found`, `interrupted`
 */
export async function openUrl(
  url: string,
  options: DownloadOptions,
  headers: Readonly<Record<string, string>> = {},
): Promise<Response> {
  const stall = AbortSignal.timeout(options.stallSeconds * 1000);
  const controller = new AbortController();
  const abort = (): void => {
    controller.abort();
  };
  stall.addEventListener("abort", abort, { once: true });
  options.signal.addEventListener("abort", abort, { once: true });
  try {
    const response = await fetch(url, { signal: controller.signal, headers });
    if (response.ok) return response;
    await response.body?.cancel();
    throw new BakeError(
      response.status === 404 ? "not-found" : "connection",
      `${url} answers with status ${response.status}`,
    );
  } catch (error) {
    if (options.signal.aborted) throw interruptedBy(options.signal);
    if (error instanceof BakeError) throw error;
    if (stall.aborted) throw stalled(url, options);
    throw new BakeError("connection", `cannot reach ${url}: ${causeOf(error)}`, { cause: error });
  } finally {
    // The body goes on under a deadline of its own.
    stall.removeEventListener("abort", abort);
  }
}

/** @throws BakeError as {@link openUrl} does */
export async function fetchText(
  url: string,
  options: DownloadOptions,
): Promise<{ url: string; text: string }> {
  const response = await openUrl(url, options);
  const pieces: Uint8Array[] = [];
  for await (const piece of bodyOf(response, url, options)) pieces.push(piece);
  return { url: response.url, text: Buffer.concat(pieces).toString("utf8") };
}

/**
 * Downloads a file and checks it. What has come is kept when the connection breaks, and the next call goes on from there.
 * @param target where the file is when this returns; `<target>.part` until then
 * @throws BakeError `connection`, `not-found`, `interrupted`; `failed` for a wrong checksum or a full disk
 */
export async function download(
  url: string,
  target: string,
  sha256: string,
  options: DownloadOptions & { readonly onProgress: (message: string) => void },
): Promise<void> {
  const part = `${target}.part`;
  const start = await sizeOf(part);
  const response = await openUrl(url, options, start > 0 ? { range: `bytes=${start}-` } : {});
  const resumed = response.status === 206;
  const hash = createHash("sha256");
  if (resumed) await hashFile(part, hash);
  const total = (resumed ? start : 0) + Number(response.headers.get("content-length") ?? 0);
  await checkSpace(dirname(target), total - (resumed ? start : 0));

  const file = await open(part, resumed ? "a" : "w", 0o600);
  let done = resumed ? start : 0;
  let shown = 0;
  try {
    for await (const piece of bodyOf(response, url, options)) {
      await file.write(piece);
      hash.update(piece);
      done += piece.length;
      const percent = total > 0 ? Math.floor((done / total) * 20) * 5 : 0;
      if (percent > shown) options.onProgress(`${percent} % of ${Math.ceil(total / 2 ** 20)} MiB downloaded`);
      shown = Math.max(shown, percent);
    }
    await file.sync();
  } finally {
    await file.close();
  }
  if (total > 0 && done < total) {
    throw new BakeError("connection", `${url} ended after ${done} of ${total} bytes`, {
      hint: "run it again; it goes on from there",
    });
  }
  const found = hash.digest("hex");
  if (found !== sha256) {
    await rm(part, { force: true });
    throw new BakeError(
      "failed",
      `${url} is not what its publisher says: its SHA-256 is ${found}, not ${sha256}`,
      {
        hint: "run it again; if it stays so, something between here and there changes the file",
      },
    );
  }
  await rename(part, target);
}

async function* bodyOf(
  response: Response,
  url: string,
  options: DownloadOptions,
): AsyncGenerator<Uint8Array> {
  if (response.body === null) return;
  const reader = response.body.getReader();
  let clock: NodeJS.Timeout | undefined;
  const abort = (): void => {
    void reader.cancel().catch(() => undefined);
  };
  options.signal.addEventListener("abort", abort, { once: true });
  const stall = new AbortController();
  stall.signal.addEventListener("abort", abort);
  try {
    for (;;) {
      clock = setTimeout(() => {
        stall.abort();
      }, options.stallSeconds * 1000);
      const piece: { done: boolean; value?: Uint8Array | undefined } = await reader.read();
      clearTimeout(clock);
      // A cancelled body ends as if it were complete.
      if (options.signal.aborted) throw interruptedBy(options.signal);
      if (stall.signal.aborted) throw stalled(url, options);
      if (piece.done || piece.value === undefined) return;
      yield piece.value;
    }
  } catch (error) {
    if (options.signal.aborted) throw interruptedBy(options.signal);
    if (error instanceof BakeError) throw error;
    if (systemCodeOf(error) === "ENOSPC") throw error;
    throw new BakeError("connection", `the connection to ${url} broke: ${causeOf(error)}`, {
      cause: error,
      hint: "run it again; it goes on from there",
    });
  } finally {
    clearTimeout(clock);
    options.signal.removeEventListener("abort", abort);
    abort();
  }
}

function stalled(url: string, options: DownloadOptions): BakeError {
  return new BakeError("timeout", `${url} has sent nothing for ${options.stallSeconds} s`, {
    hint: "run it again; it goes on from where it was",
  });
}

async function checkSpace(directory: string, needed: number): Promise<void> {
  const { bavail, bsize } = await statfs(directory);
  if (bavail * bsize > needed) return;
  throw new BakeError(
    "failed",
    `${directory} has ${Math.floor((bavail * bsize) / 2 ** 20)} MiB free, and ${Math.ceil(needed / 2 ** 20)} MiB are needed`,
  );
}

async function hashFile(path: string, hash: Hash): Promise<void> {
  for await (const piece of createReadStream(path)) if (piece instanceof Buffer) hash.update(piece);
}

async function sizeOf(path: string): Promise<number> {
  return await stat(path).then(
    ({ size }) => size,
    () => 0,
  );
}

/** fetch says only that it failed; why is in the cause. */
function causeOf(error: unknown): string {
  return error instanceof Error && error.cause !== undefined ? messageOf(error.cause) : messageOf(error);
}

import { Writable } from "node:stream";
import { checkBucket, putObject, s3Url, type S3Object, type S3Place } from "../aws/s3.ts";
import type { BakeOptions, BakeResult } from "../bake/options.ts";
import { messageOf } from "../base/errors.ts";
import { runPlace } from "../launch/log-lines.ts";
import { plainReport } from "../report/plain.ts";
import { errorLines } from "./error-lines.ts";

/** How long the log of a bake that is over may take to be put, in seconds; an interruption does not keep it from that. */
const putDeadlineSeconds = 60;

/**
 * Bakes, and puts everything that the bake and its steps said to `<place><run>/init.log`, whatever became of it. The bucket is
 * looked at before anything is started.
 * @throws BakeError as the bake and the look at the bucket do; a log that cannot be put is a warning.
 */
export async function withBakeLog(
  request: BakeOptions,
  place: S3Place | undefined,
  carryOut: (request: BakeOptions) => Promise<BakeResult>,
): Promise<BakeResult> {
  if (place === undefined) return await carryOut(request);
  const { cloud, run, signal } = request;
  await checkBucket(cloud, place, signal);
  const { bucket, prefix } = runPlace({ place, run });
  const object = { bucket, key: `${prefix}init.log` };
  const kept = new Kept();
  const report = plainReport(kept, Date.now());
  const listener: BakeOptions["listener"] = (event) => {
    report(event);
    request.listener(event);
  };
  try {
    const result = await carryOut({ ...request, listener });
    kept.write(`baked ${result.imageId}\n`);
    return result;
  } catch (error) {
    kept.write(`${errorLines(error, false).join("\n")}\n`);
    throw error;
  } finally {
    await put({ ...request, listener }, object, kept.bytes());
  }
}

async function put(
  { cloud, listener }: Pick<BakeOptions, "cloud" | "listener">,
  object: S3Object,
  bytes: Uint8Array,
): Promise<void> {
  const signal = AbortSignal.timeout(putDeadlineSeconds * 1000);
  try {
    await putObject(cloud, object, bytes, signal, { contentType: "text/plain; charset=utf-8" });
    listener({ type: "note", at: Date.now(), message: `the log is in ${s3Url(object)}` });
  } catch (error) {
    const message = `the log could not be put to ${s3Url(object)}: ${messageOf(error)}`;
    listener({ type: "warning", at: Date.now(), message });
  }
}

/** Keeps what is written to it. */
class Kept extends Writable {
  readonly #pieces: Buffer[] = [];

  override _write(piece: Buffer, _encoding: string, done: () => void): void {
    this.#pieces.push(piece);
    done();
  }

  bytes(): Buffer {
    return Buffer.concat(this.#pieces);
  }
}

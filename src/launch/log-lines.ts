import type { Cloud } from "../aws/cloud.ts";
import { checkBucket, longestUrlSeconds, presign, s3Url, urlSeconds, type S3Place } from "../aws/s3.ts";
import type { Listener } from "../report/events.ts";
import type { LogName, RequestLine } from "./request-lines.ts";

export interface LogRequest {
  /** Below it the run has a prefix of its own. */
  readonly place: S3Place;
  readonly run: string;
  /** How many machines, whose launch indexes go up from 0. */
  readonly count: number;
  readonly names: readonly LogName[];
  /** Whether the machines have a role, and put their logs by its rights. */
  readonly byRole: boolean;
}

/** Where the logs of a run are. */
export function runPlace({ place, run }: Pick<LogRequest, "place" | "run">): S3Place {
  return { bucket: place.bucket, prefix: `${place.prefix}${run}/` };
}

/**
 * What machines are told of where their logs go: the prefix of their run, and, where they have no role, a URL for each log of
 * each machine.
 * @throws BakeError `usage` when there is no such bucket, `cloud` when the caller may not look at it.
 */
export async function logLines(
  cloud: Cloud,
  request: LogRequest,
  listener: Listener,
  signal: AbortSignal,
): Promise<RequestLine[]> {
  const { count, names, byRole } = request;
  const { bucket, prefix } = runPlace(request);
  const { region } = await checkBucket(cloud, request.place, signal);
  const lines: RequestLine[] = [{ kind: "log", url: s3Url({ bucket, prefix }) }];
  if (byRole) return lines;
  const seconds = await urlSeconds(cloud);
  tellOfEnd(seconds, "the machines put their logs", listener);
  for (let index = 0; index < count; index += 1) {
    for (const name of names) {
      const key = `${prefix}${index}/${name}`;
      const url = await presign(cloud, { method: "PUT", bucket, key, seconds: longestUrlSeconds, region });
      lines.push({ kind: "log-url", index, name, url });
    }
  }
  return lines;
}

/**
 * Says when the URLs end sooner than they could, because the credentials that sign them do.
 * @param use what goes by them: "the machines put their logs"
 */
export function tellOfEnd(seconds: number, use: string, listener: Listener): void {
  if (seconds >= longestUrlSeconds) return;
  const end = new Date(Date.now() + seconds * 1000).toISOString().slice(0, 16).replace("T", " ");
  listener({
    type: "warning",
    at: Date.now(),
    message: `your session ends at ${end} UTC, and with it the URLs by which ${use}`,
    hint: "give the machines a role with --instance-profile: that has no end",
  });
}

import { readS3Url, type S3Place } from "../aws/s3-url.ts";
import type { RequestLine } from "../launch/request-lines.ts";
import type { LogPlace } from "./order.ts";

/** Where the logs of a job go. */
export interface JobLogs {
  /** Such as `s3://bucket/prefix/run/0/`. */
  readonly url: string;
  readonly place: S3Place;
}

export function jobLogs(url: string): JobLogs {
  return { url, place: readS3Url(url, "the log's place") };
}

/** What of a launch's request is for the job, and what is for the boot of its machine. */
export interface SplitRequest {
  readonly request: readonly RequestLine[];
  readonly logs: LogPlace | undefined;
}

/**
 * Takes the URLs of the job's own logs out of a launch request: they come to the machine with the job, so that nobody reads
 * them in its user data.
 */
export function splitRequest(lines: readonly RequestLine[]): SplitRequest {
  const isOfJob = (line: RequestLine): boolean => line.kind === "log-url" && line.name.startsWith("job.");
  const urlOf = (name: "job.log" | "job.json"): string | undefined =>
    lines.flatMap((line) => (line.kind === "log-url" && line.name === name ? [line.url] : []))[0];
  const request = lines.filter((line) => !isOfJob(line));
  const [to] = lines.flatMap((line) => (line.kind === "log" ? [line.url] : []));
  if (to === undefined) return { request, logs: undefined };
  const url = `${to}0/`;
  const [log, json] = [urlOf("job.log"), urlOf("job.json")];
  const way: LogPlace =
    log === undefined || json === undefined ? { kind: "role", url } : { kind: "presigned", url, log, json };
  return { request, logs: way };
}

import { z } from "zod";
import type { Cloud } from "../aws/cloud.ts";
import { findInstance, type Instance } from "../aws/instances.ts";
import { getObject, headObject } from "../aws/s3.ts";
import { BakeError } from "../base/errors.ts";
import { sleep, throwIfAborted } from "../base/wait.ts";
import type { JobLogs } from "./log-place.ts";
import type { JobEnd } from "./remote.ts";
import type { Sink } from "./sink.ts";

/** A machine that goes down sends its log on the way; so long it is waited for, in milliseconds. */
const patienceMs = 60_000;
const lookMs = 2_000;

/** A larger log is left where it is. */
const mostBytes = 256 * 1024 * 1024;

const ending = z.object({ status: z.number(), reason: z.string().nullable(), logBytes: z.number() });

/**
 * Of a job whose machine is gone: how it ended, as the bucket tells, with the rest of its output. Undefined when the bucket
 * does not tell, or there is none.
 * @param offset how many bytes of the output came already
 */
export async function fromBucket(
  cloud: Cloud,
  logs: JobLogs | undefined,
  offset: number,
  sink: Sink,
  signal: AbortSignal,
): Promise<JobEnd | undefined> {
  if (logs === undefined) return undefined;
  const { bucket, prefix } = logs.place;
  const until = cloud.clock.now() + patienceMs;
  try {
    while ((await headObject(cloud, { bucket, key: `${prefix}job.json` }, signal)) === undefined) {
      if (cloud.clock.now() > until) return undefined;
      await sleep(lookMs, signal);
    }
    const told = await getObject(cloud, { bucket, key: `${prefix}job.json` }, signal);
    const { status, reason, logBytes } = ending.parse(JSON.parse(Buffer.from(told.bytes).toString("utf8")));
    if (logBytes > offset && logBytes <= mostBytes) {
      const { bytes } = await getObject(cloud, { bucket, key: `${prefix}job.log` }, signal);
      sink.write(Buffer.from(bytes).subarray(offset));
    }
    return { status, reason: reason ?? undefined, size: logBytes, log: "ok", why: undefined };
  } catch {
    // Who may put may not have the right to get; what is known is told without it.
    throwIfAborted(signal);
    return undefined;
  }
}

const isGone = ({ state }: Instance): boolean => state !== "running" && state !== "pending";

/**
 * Looks whether the job's machine still runs. When the cloud does not tell, there is hope: without a network here, the machine
 * cannot be reached either.
 * @throws MachineGone when it does not, BakeError `interrupted`
 */
export async function checkMachine(cloud: Cloud, id: string, signal: AbortSignal): Promise<void> {
  const instance = await findInstance(cloud, id, signal).catch(() => undefined);
  throwIfAborted(signal);
  if (instance !== undefined && isGone(instance)) throw new MachineGone(instance);
}

/** The machine ended while its job was followed. */
export class MachineGone extends BakeError {
  constructor({ id, state, stateReason, stateReasonCode }: Instance) {
    const why =
      stateReasonCode === "Server.SpotInstanceTermination"
        ? "EC2 took the spot machine back"
        : `it is ${state}${stateReason === undefined ? "" : `: ${stateReason}`}`;
    super("failed", `the job's machine ${id} is gone: ${why}`);
  }
}

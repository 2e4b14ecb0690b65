import { buffer } from "node:stream/consumers";
import { packJob, receiveProgram } from "../../src/jobs/delivery.ts";
import { jobPrograms, type JobOrder } from "../../src/jobs/order.ts";
import type { Upload } from "../../src/jobs/uploads.ts";
import type { TestMachine } from "../support/nspawn.ts";

export const program = `sh ${jobPrograms}/bin/job`;

/** An order for `sh -c script`. */
export function order(script: string, change: Partial<JobOrder> = {}): JobOrder {
  return {
    run: "20260102-030405-abcdef",
    command: ["sh", "-c", script],
    environment: new Map(),
    maxSeconds: 3600,
    keep: true,
    log: undefined,
    facts: { run: "20260102-030405-abcdef", command: ["sh", "-c", script] },
    ...change,
  };
}

/** Brings a job to the machine as the caller does, or its first bytes alone. */
export async function deliver(
  machine: TestMachine,
  wanted: JobOrder,
  uploads: readonly Upload[] = [],
  first = Number.POSITIVE_INFINITY,
): Promise<void> {
  const archive = await buffer(await packJob(wanted, uploads));
  const command = `program=$(cat <<'END-OF-PROGRAM'\n${receiveProgram()}\nEND-OF-PROGRAM\n)\nexec sh -c "$program"`;
  await machine.run(command, archive.subarray(0, first));
}

/** The machine without the job that it had, as if it were new. */
export async function forget(machine: TestMachine): Promise<void> {
  await machine.run(
    "systemctl stop bake-ami-job.service bake-ami-job-end.service 2>/dev/null || :; " +
      "rm -rf /var/lib/bake-ami/job* /run/bake-ami/job /run/systemd/system/bake-ami-job.service " +
      "/etc/systemd/system/bake-ami-job-end.service /etc/systemd/system/multi-user.target.wants/bake-ami-job*; " +
      "systemctl daemon-reload; systemctl reset-failed",
  );
}

export interface Ended {
  readonly output: Buffer;
  readonly status: string;
  readonly size: string;
  readonly log: string;
  readonly reason: string;
  readonly why: string;
}

/** Follows the job to its end, as a caller does: asks again for what there is beyond what came. */
export async function follow(machine: TestMachine, from = 0, name = "test"): Promise<Ended> {
  const pieces: Buffer[] = [];
  for (let offset = from; ;) {
    const result = await machine.exec(`${program} follow ${name} ${offset}`);
    const [, status = "", size = "", log = "", reason = "", why = ""] =
      /\nend status=(\S+) size=(\S+) log=(\S+)\nreason (.*)\nwhy (.*)\n$/.exec(result.stderr) ?? [];
    if (result.status !== 0 || status === "")
      throw new Error(`${result.status} ${result.stdout}${result.stderr}`);
    pieces.push(result.stdoutBytes);
    offset += result.stdoutBytes.length;
    if (offset >= Number(size)) return { output: Buffer.concat(pieces), status, size, log, reason, why };
  }
}

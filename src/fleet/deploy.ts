import { BakeError, messageOf } from "../base/errors.ts";
import { withDeadline } from "../base/wait.ts";
import type { Bundle } from "../bundle/bundle.ts";
import { applyToMachine } from "../launch/apply.ts";
import type { SshTarget } from "../machine/target.ts";
import type { Plan } from "../plan/plan.ts";
import type { Event, Listener } from "../report/events.ts";
import { beginStage } from "../report/stage.ts";
import type { Selected } from "./deploy-machines.ts";
import { atRate, type Piece } from "./deploy-rate.ts";

export interface DeployOptions {
  readonly machines: readonly Selected[];
  /** How to log in to one of them; asked when its turn comes. */
  readonly reach: (selected: Selected, signal: AbortSignal) => Promise<SshTarget>;
  readonly plan: Plan;
  readonly bundle: Bundle;
  /** Whether to run the services' verify steps after that. */
  readonly verify: boolean;
  /** How many machines at once, and after how many failures no further one is begun. */
  readonly max: number;
  readonly maxErrors: number;
  /** How long one machine may take, in seconds. */
  readonly secondsEach: number;
  readonly run: string;
  readonly listener: Listener;
  readonly signal: AbortSignal;
}

export type DeployResult = "ok" | "failed" | "interrupted" | "not started";

/** What became of a deployment on one machine. */
export interface Deployed {
  readonly instanceId: string;
  readonly services: readonly string[];
  readonly result: DeployResult;
  readonly seconds: number | undefined;
  /** Of a failure: what went wrong, and the last lines of what was printed. */
  readonly error?: BakeError;
}

/**
 * Brings the catalog as it is here to running machines over SSH: their bundle, init of what is new or changed, update. When it is
 * interrupted, what runs is ended on every machine.
 * @returns what became of each machine; a failure is no error here
 */
export async function deploy(options: DeployOptions): Promise<Deployed[]> {
  const { machines, plan, bundle, verify, run, listener, signal } = options;
  const finish = beginStage(listener, "deploy", `${machines.length} machines`);
  const pieces = await atRate(machines, options, async (selected) => {
    const { instance, services } = selected;
    const own = listenerOf(instance.id, listener);
    await withDeadline(`the deployment on ${instance.id}`, options.secondsEach, signal, async (inner) => {
      const target = await options.reach(selected, inner);
      const ofMachine = { ...plan, requested: services };
      await applyToMachine({ target, plan: ofMachine, bundle, verify, run, listener: own, signal: inner });
    });
    listener({ type: "note", at: Date.now(), message: `${instance.id}: done` });
  });
  finish(pieces.every(({ kind }) => kind === "done"));
  return machines.map((selected, index) => readPiece(selected, pieces[index], signal));
}

/** What one of many machines tells, in such words that it can be told from the others. */
function listenerOf(machine: string, listener: Listener): Listener {
  const note = (at: number, message: string): void => {
    listener({ type: "note", at, message: `${machine}: ${message}` });
  };
  return (event: Event) => {
    switch (event.type) {
      case "output":
        listener({ ...event, machine });
        break;
      case "warning":
        listener({ ...event, message: `${machine}: ${event.message}` });
        break;
      case "note":
        note(event.at, event.message);
        break;
      case "stage-started":
        note(event.at, event.stage);
        break;
      case "service-finished":
        if (event.result === "failed") note(event.at, `${event.phase} of ${event.service} FAILED`);
        break;
      case "phase-started":
        listener(event);
        break;
      default:
        break;
    }
  };
}

function readPiece(
  { instance, services }: Selected,
  piece: Piece<void> | undefined,
  signal: AbortSignal,
): Deployed {
  const base = { instanceId: instance.id, services };
  if (piece === undefined || piece.kind === "not-started") {
    return { ...base, result: "not started", seconds: undefined };
  }
  if (piece.kind === "done") return { ...base, result: "ok", seconds: piece.seconds };
  const { error, seconds } = piece;
  if (error instanceof BakeError) {
    const stopped = error.kind === "interrupted" && signal.aborted;
    return { ...base, result: stopped ? "interrupted" : "failed", seconds, error };
  }
  return {
    ...base,
    result: "failed",
    seconds,
    error: new BakeError("failed", messageOf(error), { cause: error }),
  };
}

/**
 * The error of a deployment that did not reach every machine, or undefined. It names each failure with its last lines.
 * @param how such as `look with ...`
 */
export function deployError(deployed: readonly Deployed[], how: string): BakeError | undefined {
  const failed = deployed.filter(({ result }) => result === "failed");
  const left = deployed.filter(({ result }) => result === "not started");
  const stopped = deployed.filter(({ result }) => result === "interrupted");
  if (failed.length + left.length + stopped.length === 0) return undefined;
  const parts = [
    ...(failed.length === 0 ? [] : [`failed on ${count(failed.length)}`]),
    ...(stopped.length === 0 ? [] : [`was ended on ${count(stopped.length)}`]),
    ...(left.length === 0 ? [] : [`was not started on ${left.length}`]),
  ];
  const details = failed.flatMap(({ instanceId, error }) => [
    `${instanceId}: ${error?.message ?? ""}`,
    ...(error?.details ?? []).map((line) => `  ${line}`),
  ]);
  const kind = stopped.length > 0 || failed.length === 0 ? "interrupted" : "phase-failed";
  return new BakeError(kind, `the deployment ${parts.join(", ")}`, {
    details,
    ...(failed.length === 0 ? {} : { hint: how }),
  });
}

function count(machines: number): string {
  return machines === 1 ? "1 machine" : `${machines} machines`;
}

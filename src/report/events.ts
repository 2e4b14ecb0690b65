/** The stages of a bake or a launch, in the order in which they come. */
export type Stage =
  | "plan"
  | "prepare"
  | "boot"
  | "connect"
  | "upload"
  | "init"
  | "seal"
  | "stop"
  | "image"
  | "launch"
  | "update"
  | "verify"
  | "terminate"
  | "copy"
  | "deploy"
  | "rollout"
  | "cleanup";

/** How a service's phase ended on the machine. */
export type ServiceResult = "ok" | "failed" | "skipped" | "not-started" | "reboot";

/**
 * Everything that the library tells its caller while it works. Times are milliseconds: `at` since the epoch by this
 * computer's clock, `machineAt` since the epoch by the machine's, durations as such.
 */
export type Event =
  | { readonly type: "stage-started"; readonly at: number; readonly stage: Stage; readonly detail?: string }
  | {
      readonly type: "stage-finished";
      readonly at: number;
      readonly stage: Stage;
      readonly durationMs: number;
      /** Present when what the stage is for was not reached. */
      readonly failed?: boolean;
    }
  | { readonly type: "note"; readonly at: number; readonly message: string }
  | { readonly type: "warning"; readonly at: number; readonly message: string; readonly hint?: string }
  /** The work stands still until a person has answered. */
  | { readonly type: "question"; readonly at: number; readonly message: string }
  | { readonly type: "answered"; readonly at: number }
  | { readonly type: "created"; readonly at: number; readonly what: string; readonly id: string }
  | { readonly type: "deleted"; readonly at: number; readonly what: string; readonly id: string }
  | {
      readonly type: "phase-started";
      readonly at: number;
      readonly machineAt: number;
      readonly phase: string;
      readonly services: readonly string[];
    }
  | {
      readonly type: "service-started";
      readonly at: number;
      readonly machineAt: number;
      readonly phase: string;
      readonly service: string;
    }
  | {
      readonly type: "step-started";
      readonly at: number;
      readonly machineAt: number;
      readonly phase: string;
      readonly service: string;
      readonly step: string;
      readonly attempt: number;
    }
  | {
      readonly type: "step-finished";
      readonly at: number;
      readonly machineAt: number;
      readonly phase: string;
      readonly service: string;
      readonly step: string;
      readonly attempt: number;
      readonly status: number;
      /** Present when the step did not end by itself. */
      readonly reason?: "timeout" | "reboot";
    }
  | {
      readonly type: "service-finished";
      readonly at: number;
      readonly machineAt: number;
      readonly phase: string;
      readonly service: string;
      readonly result: ServiceResult;
    }
  | {
      readonly type: "phase-finished";
      readonly at: number;
      readonly machineAt: number;
      readonly phase: string;
      readonly result: "ok" | "failed";
    }
  | {
      /** One line that a step printed, whole, without its line end. */
      readonly type: "output";
      readonly at: number;
      readonly machineAt: number;
      readonly phase: string;
      readonly service: string;
      readonly line: string;
      /** Which machine, where there are several. */
      readonly machine?: string;
    }
  | {
      /** How far a copy of files is; its last one has no path. */
      readonly type: "copying";
      readonly at: number;
      /** The file that bytes came of just now. */
      readonly path: string;
      readonly bytes: number;
      /** Of all files that were found so far. */
      readonly total: number;
      readonly files: number;
    }
  | {
      /** Something is whole at its destination. */
      readonly type: "copied";
      readonly at: number;
      readonly kind: "file" | "directory" | "link";
      readonly path: string;
      readonly bytes: number;
    };

/** Where a room's events go. */
export type Listener = (event: Event) => void;

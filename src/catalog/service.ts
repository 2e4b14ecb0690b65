import type { Resource } from "./resources/resource.ts";

/** The phases of a service, in the order in which a machine meets them. */
export const phases = ["init", "update", "verify"] as const;
export type Phase = (typeof phases)[number];

export const packageManagers = ["dnf", "apt"] as const;
export type PackageManager = (typeof packageManagers)[number];

/** One executable file of a service in a phase. */
export interface Step {
  /** File name, which is also its place in the order: `10-install.sh`, or `init.sh` for a single file. */
  readonly name: string;
  /** Path below the service's directory, with `/`: `init/10-install.sh`. */
  readonly path: string;
}

/** A regular file of a service directory that goes to the machine. */
export interface ServiceFile {
  /** Path below the service's directory, with `/`. */
  readonly path: string;
  readonly absolutePath: string;
  readonly executable: boolean;
  /** Bytes. */
  readonly size: number;
  /** Of the content, hex. */
  readonly sha256: string;
}

export interface Unit {
  /** With its suffix: `nginx.service`. */
  readonly name: string;
  /** Whether it starts at every boot. */
  readonly enabled: boolean;
  /** Whether it runs. */
  readonly started: boolean;
  /** Whether nothing may start it. */
  readonly masked: boolean;
  /** Files, packages and directories of archives after whose change it is restarted. */
  readonly restartOn: readonly string[];
}

export const parameterTypes = ["string", "integer", "boolean", "enum", "list"] as const;
export type ParameterType = (typeof parameterTypes)[number];

export interface Parameter {
  readonly type: ParameterType;
  /** Of an enum, what it may be; of a list, what may be in it, or anything when empty. */
  readonly values: readonly string[];
  /** In the form that steps see. */
  readonly default: string | undefined;
  readonly description: string | undefined;
  /** Whether it must have a value before a phase that uses it starts. */
  readonly required: boolean;
  /** Given by reference only, never baked and never logged. */
  readonly secret: boolean;
  /** Name in Parameter Store of what the machine takes when nobody says otherwise: `/app/token`. */
  readonly from: string | undefined;
  /** The first phase that uses it: a value for init is part of what is baked, one for update is the machine's own. */
  readonly phase: "init" | "update";
}

/** A service directory, read and checked. */
export interface Service {
  readonly name: string;
  readonly directory: string;
  /** Whether it came with bake-ami rather than with the project. */
  readonly builtIn: boolean;
  readonly description: string | undefined;
  /** Names, sorted, without repetition. */
  readonly requires: readonly string[];
  /** Names by package manager; a plain list in the file counts for each. */
  readonly packages: Readonly<Record<PackageManager, readonly string[]>>;
  readonly units: readonly Unit[];
  /** What else the service declares a machine to have, in the order in which it is made. */
  readonly resources: readonly Resource[];
  readonly parameters: ReadonlyMap<string, Parameter>;
  /** Seconds that one step may take. */
  readonly timeoutSeconds: number;
  /** How often a failed step is tried again. */
  readonly retries: number;
  readonly steps: Readonly<Record<Phase, readonly Step[]>>;
  /** Every regular file of the directory except service.yaml, sorted by path. */
  readonly files: readonly ServiceFile[];
}

/** The project's `phases/<phase>/before/*.sh` and `after/*.sh`: steps around all services. */
export interface GlobalSteps {
  readonly directory: string;
  readonly before: Readonly<Record<Phase, readonly Step[]>>;
  readonly after: Readonly<Record<Phase, readonly Step[]>>;
  readonly files: readonly ServiceFile[];
}

export interface Catalog {
  /** By name, in order of name. */
  readonly services: ReadonlyMap<string, Service>;
  readonly globalSteps: GlobalSteps | undefined;
}

/** One thing that is wrong in a catalog, with its place and what to do about it. */
export interface Problem {
  /** As the user would name it: relative to the working directory where that is shorter. */
  readonly file: string;
  /** From 1; absent when the problem is the file as a whole. */
  readonly line: number | undefined;
  readonly message: string;
  readonly hint: string | undefined;
}

import type { GlobalSteps, Service } from "../catalog/service.ts";

/** What a plan is asked for. */
export interface PlanRequest {
  readonly services: readonly string[];
  /** Values that replace parameter defaults: service -> parameter -> value, or `ssm:/path` for one that the machine finds. */
  readonly parameters: ReadonlyMap<string, ReadonlyMap<string, string>>;
  /**
   * Which required parameters must have a value: those that init uses (the default), all of them, or none: a bundle of the
   * whole catalog has services that nobody asked for.
   */
  readonly required?: "init" | "all" | "none";
}

export interface PlannedService {
  readonly service: Service;
  /** Whether it was asked for by name. */
  readonly requested: boolean;
  /** The planned services that directly require it, sorted. */
  readonly requiredBy: readonly string[];
  /** Value of every parameter that has one here, sorted by name. */
  readonly parameters: ReadonlyMap<string, string>;
  /** Of every parameter that the machine finds in Parameter Store, its name there. */
  readonly references: ReadonlyMap<string, string>;
  /** Changes exactly when what the init of this service does changes; hex, 16 characters. */
  readonly digest: string;
}

/** The closure of the requested services, in topological order: a pure value. */
export interface Plan {
  /** The names asked for, sorted, without repetition. */
  readonly requested: readonly string[];
  readonly services: readonly PlannedService[];
  readonly globalSteps: GlobalSteps | undefined;
  /** Of everything that init does, hex. */
  readonly digest: string;
}

import type { Secret } from "../base/ids.ts";

/** What is needed to go on with a builder from another process: kept on this computer alone, never in the cloud. */
export interface BuilderKeys {
  readonly run: string;
  readonly services: readonly string[];
  /** The private key that the builder lets in. */
  readonly loginKey: Secret;
  /** The builder's host key, public half. */
  readonly hostKey: string;
}

/** Where a bake leaves its builder's keys while it works. */
export interface BuilderRecords {
  readonly save: (keys: BuilderKeys) => Promise<void>;
  /** Says that this command works on a run that has no keys here. */
  readonly claim: (run: string) => Promise<void>;
  readonly load: (run: string) => Promise<BuilderKeys | undefined>;
  readonly remove: (run: string) => Promise<void>;
  /** Whether the command that started this run still works, on this computer. */
  readonly isLive: (run: string) => Promise<boolean>;
}

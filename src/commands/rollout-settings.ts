import { BakeError } from "../base/errors.ts";
import type { Intervention } from "../fleet/rollout-follow.ts";
import { templateNameOf } from "./fleet-names.ts";
import { readDuration, readWholeNumber } from "./options.ts";

/** The options of a rollout as the parser gives them. */
export interface RolloutArguments {
  readonly services: readonly string[] | undefined;
  readonly asg: string;
  readonly name: string | undefined;
  readonly to: string | undefined;
  readonly minHealthy: string;
  readonly maxHealthy: string | undefined;
  readonly warmup: string | undefined;
  readonly skipMatching: boolean;
  readonly autoRollback: boolean;
  readonly follow: boolean;
  readonly cancel: boolean;
  readonly rollback: boolean;
  readonly timeout: string;
}

/** What they mean. */
export interface RolloutSettings {
  /** About the refresh that is under way; undefined to start one. */
  readonly intervention: Intervention | undefined;
  /** Of the launch template. */
  readonly name: string;
  readonly version: number | undefined;
  readonly minHealthy: number;
  readonly maxHealthy: number | undefined;
  readonly warmupSeconds: number | undefined;
  readonly skipMatching: boolean;
  readonly autoRollback: boolean;
  readonly followSeconds: number;
}

/**
 * Reads the options of a rollout.
 * @throws BakeError `usage` for what is malformed or does not go together.
 */
export function rolloutSettings(argv: RolloutArguments): RolloutSettings {
  const interventions = (["follow", "cancel", "rollback"] as const).filter((name) => argv[name]);
  const [intervention, second] = interventions;
  if (second !== undefined) {
    throw new BakeError("usage", `--${interventions.join(" and --")} do not go together`);
  }
  const { services = [], maxHealthy, warmup, to } = argv;
  const minHealthy = readWholeNumber(argv.minHealthy, "--min-healthy", { least: 0, most: 100 });
  const most =
    maxHealthy === undefined
      ? undefined
      : readWholeNumber(maxHealthy, "--max-healthy", { least: 100, most: 200 });
  // (API reference, "RefreshPreferences": the two may be 100 apart)
  if (most !== undefined && most - minHealthy > 100) {
    throw new BakeError("usage", `--max-healthy ${most} is more than 100 above --min-healthy ${minHealthy}`);
  }
  return {
    intervention,
    name: intervention === undefined ? templateNameOf(argv.name, services) : (argv.name ?? ""),
    version: to === undefined ? undefined : readVersion(to, "--to"),
    minHealthy,
    maxHealthy: most,
    warmupSeconds: warmup === undefined ? undefined : readDuration(warmup, "--warmup"),
    skipMatching: argv.skipMatching,
    autoRollback: argv.autoRollback,
    followSeconds: readDuration(argv.timeout, "--timeout"),
  };
}

/**
 * The number of a version.
 * @throws BakeError `usage`
 */
export function readVersion(text: string, option: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new BakeError("usage", `${option} ${text} is no number of a version`, {
    hint: "names such as $Latest change what they mean; give the number",
  });
}

import { BakeError } from "../base/errors.ts";
import { templateNameOf } from "./fleet-names.ts";
import type { LaunchArguments } from "./launch-settings.ts";
import { readDuration, readWholeNumber } from "./options.ts";
import { readVersion } from "./rollout-settings.ts";

/** The options of a template beside those of a launch, as the parser gives them. */
export interface TemplateArguments {
  readonly name: string | undefined;
  /** False is `--no-verify`. */
  readonly verify: "steps" | "update" | false;
  /** False is `--no-default`. */
  readonly default: string | false | undefined;
  readonly delete: boolean;
  readonly keepVersions: string;
  readonly timeout: string;
}

/** What they mean. */
export interface TemplateSettings {
  readonly name: string;
  /** The version to go back to, or forward; undefined to make one. */
  readonly switchTo: number | undefined;
  readonly makeDefault: boolean;
  /** What a machine of a new version must show: that its update succeeds, and that its verify steps do. */
  readonly verify: "steps" | "update" | undefined;
  readonly keepVersions: number;
  readonly waitSeconds: number;
}

/** EC2 keeps 10,000 versions of a template. ("Launch template restrictions") */
const mostVersions = 10_000;

/**
 * Reads the options of a template.
 * @throws BakeError `usage` for what is malformed, does not go together, or has no meaning for a template.
 */
export function templateSettings(argv: TemplateArguments & LaunchArguments): TemplateSettings {
  const refused: readonly (readonly [string, boolean])[] = [
    ["--count", argv.count !== "1"],
    ["--known-hosts", argv.knownHosts !== undefined],
    ["--elastic-ip", argv.elasticIp !== undefined],
    ["--log", argv.log !== undefined],
  ];
  for (const [option, isGiven] of refused) {
    if (!isGiven) continue;
    throw new BakeError("usage", `${option} is of a launch, and a template starts nothing by itself`, {
      hint: "leave it out",
    });
  }
  if (argv.delete && argv.default !== undefined) {
    throw new BakeError("usage", "--delete and --default do not go together");
  }
  const keepVersions = readWholeNumber(argv.keepVersions, "--keep-versions", {
    least: 1,
    most: mostVersions,
  });
  return {
    name: templateNameOf(argv.name, argv.imageOrServices ?? []),
    switchTo: typeof argv.default === "string" ? readVersion(argv.default, "--default") : undefined,
    makeDefault: argv.default !== false,
    verify: argv.verify === false ? undefined : argv.verify,
    keepVersions,
    waitSeconds: readDuration(argv.timeout, "--timeout"),
  };
}

/** An option that takes a value, or `--no-` before its name: then it is false, and a number stays as it was written. */
export function textOrNo(value: unknown): string | false | undefined {
  if (value === undefined || value === false || typeof value === "string") return value;
  return JSON.stringify(value);
}

/**
 * @returns what to look at, `steps` when nothing was said
 * @throws BakeError `usage`
 */
export function readVerify(value: unknown): TemplateArguments["verify"] {
  const text = textOrNo(value);
  if (text === undefined || text === "true") return "steps";
  if (text === false || text === "steps" || text === "update") return text;
  throw new BakeError("usage", `--verify ${text} is no choice here`, {
    hint: "choose steps or update, or say --no-verify",
  });
}

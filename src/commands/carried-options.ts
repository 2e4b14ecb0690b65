import { shellWord } from "../base/quote.ts";
import type { GlobalOptions } from "./context.ts";

/** The options that a command must repeat to find what the one before it found. */
export interface CarriedOptions {
  /** For whatever asks a cloud. */
  readonly cloud: readonly string[];
  /** For whatever reads the project. */
  readonly project: readonly string[];
}

const ofTheCloud = ["region", "profile", "owner"] as const;

/** What a command line has of them, as it was written, whatever else is right or wrong in it. */
export function carriedIn(args: readonly string[]): CarriedOptions {
  const end = args.indexOf("--");
  const own = end < 0 ? args : args.slice(0, end);
  const values = (name: string): string[] =>
    own.flatMap((word, index) => {
      const value = word === `--${name}` ? own[index + 1] : word.split(/^(--[a-z]+)=/)[2];
      const isOurs = word === `--${name}` || word.startsWith(`--${name}=`);
      return isOurs && value !== undefined && value !== "" && !value.startsWith("--")
        ? [`--${name} ${shellWord(value)}`]
        : [];
    });
  return {
    cloud: [
      ...(own.includes("--local") ? ["--local"] : []),
      ...ofTheCloud.flatMap((name) => values(name).slice(-1)),
    ],
    project: values("project").slice(-1),
  };
}

/** The same of options that were read. */
export function carriedOf(options: GlobalOptions, workingDirectory: string): CarriedOptions {
  return {
    cloud: [
      ...(options.local ? ["--local"] : []),
      ...ofTheCloud.flatMap((name) => {
        const value = options[name];
        return value === undefined ? [] : [`--${name} ${shellWord(value)}`];
      }),
    ],
    project: options.project === workingDirectory ? [] : [`--project ${shellWord(options.project)}`],
  };
}

/** Verbs that ask no cloud; the bare form, which names services, does. */
const withoutCloud = ["local", "plan", "services", "new", "apply", "help", "--help"];

/** Verbs that read no project. */
const withoutProject = [
  "attach",
  "ls",
  "logs",
  "cp",
  "ssh",
  "terminate",
  "cleanup",
  "doctor",
  "local",
  "verify",
  "rollout",
  "help",
  "--help",
];

/** Whatever verb they have, these name a machine of the cloud. */
const namesMachine = /\s--machine\s/;

/** A text with these options in every command of bake-ami that it shows between backticks. */
export function carryInto(text: string, carried: CarriedOptions): string {
  const shown = carried.cloud.includes("--local")
    ? text.replaceAll(
        /`aws ([^`]+)`/g,
        "`aws --endpoint-url URL $1` (the URL is what `bake-ami local serve` prints)",
      )
    : text;
  return shown.replaceAll(/`bake-ami ([^`]+)`/g, (_, command: string) => {
    const [verb = ""] = command.split(" ");
    if (command.endsWith("--help")) return `\`bake-ami ${command}\``;
    const wanted = [
      ...(withoutCloud.includes(verb) && !namesMachine.test(command) ? [] : carried.cloud),
      ...(withoutProject.includes(verb) ? [] : carried.project),
    ].filter((option) => !` ${command} `.includes(` ${option.split(" ")[0] ?? ""} `));
    const [own = "", ...rest] = command.split(" -- ");
    return `\`${[["bake-ami", own, ...wanted].join(" "), ...rest].join(" -- ")}\``;
  });
}

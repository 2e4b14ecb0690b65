import { BakeError } from "../base/errors.ts";
import { didYouMean, nearest } from "../base/nearest.ts";
import { verbs } from "./verbs.ts";

/** What each verb cannot do without, and how it looks when it has that. */
const needs: Readonly<Record<string, readonly [what: string, example: string]>> = {
  bake: ["which services the image must have", "bake-ami hello-web"],
  plan: ["which services to plan", "bake-ami plan hello-web"],
  new: ["how the new service is called", "bake-ami new web"],
  launch: ["what to launch: services, or the id of an image", "bake-ami launch hello-web"],
  run: ["what to launch: services, or the id of an image", "bake-ami run hello-web -- ./bench.sh"],
  attach: ["whose job: the id of a machine, or latest", "bake-ami attach latest"],
  logs: ["whose logs: the id of a machine, or latest", "bake-ami logs latest"],
  cp: ["what to copy and where to", "bake-ami cp app.conf latest:/srv"],
  ssh: ["where to log in: the id of a machine, or latest", "bake-ami ssh latest"],
  terminate: ["which machines to end", "bake-ami terminate latest"],
  apply: ["what the machine must have", "bake-ami apply hello-web --machine latest"],
  verify: ["which machine to verify: its id, or latest", "bake-ami verify latest"],
  push: [
    "where the channels are: s3://bucket/prefix",
    "bake-ami push --channel test s3://my-bucket/bake-ami",
  ],
  deploy: ["which services to bring to their machines", "bake-ami deploy hello-web"],
  template: ["what the launch template is for", "bake-ami template hello-web"],
  rollout: [
    "which launch template to roll out, and to which group",
    "bake-ami rollout hello-web --asg web-servers",
  ],
  local: ["what to do: setup, serve or reset", "bake-ami local setup"],
};

/** Verbs that are built, and not only reserved. */
export const builtVerbs = [...Object.keys(needs), "services", "ls", "cleanup", "doctor"] as const;

/** The verb of a command line; a bare list of services is a bake. */
export function verbOf(args: readonly string[]): string {
  const [first = ""] = args.filter((word) => !word.startsWith("-"));
  return verbs.includes(first) ? first : "bake";
}

/**
 * What the parser of the command line complains of, as a sentence of ours with the remedy.
 * @param knownOptions the options that the verb has, with their dashes
 */
export function usageError(
  message: string,
  args: readonly string[],
  knownOptions: readonly string[],
): BakeError {
  const verb = verbOf(args);
  const help = `see \`bake-ami ${args.includes(verb) ? `${verb} ` : ""}--help\``;
  if (/^Not enough non-option arguments/.test(message)) {
    const [what, example] = needs[verb] ?? ["what to do", "bake-ami --help"];
    return new BakeError("usage", `say ${what}`, { hint: `for example \`${example}\`; ${help}` });
  }
  const unknown = /^Unknown (?:arguments?|commands?): (.+)$/s.exec(message)?.[1]?.split(", ");
  if (unknown !== undefined) return unknownError(unknown, args, verb, { knownOptions, help });
  const missing = /^Missing required arguments?: (.+)$/s.exec(message)?.[1];
  if (missing !== undefined) {
    const example = needs[verb]?.[1];
    return new BakeError("usage", `${verb} needs --${missing.split(", ").join(" and --")}`, {
      hint: example === undefined ? help : `for example \`${example}\`; ${help}`,
    });
  }
  const [, name, given, choices] =
    /Argument: ([^,]+), Given: (.+?), Choices: (.+)$/s.exec(message.replaceAll("\n", " ")) ?? [];
  if (name !== undefined && given !== undefined && choices !== undefined) {
    const what = knownOptions.includes(`--${name}`) ? `--${name} ${unquoted(given)}` : unquoted(given);
    return new BakeError("usage", `${what} is no choice here`, {
      hint: `choose one of ${unquoted(choices)}`,
    });
  }
  return new BakeError("usage", message, { hint: help });
}

function unquoted(text: string): string {
  return text.replaceAll('"', "").trim();
}

function unknownError(
  unknown: readonly string[],
  args: readonly string[],
  verb: string,
  { knownOptions, help }: { readonly knownOptions: readonly string[]; readonly help: string },
): BakeError {
  // The parser tells of an option without its dashes, and once more in camel case.
  const option = args.find((word) =>
    unknown.some((name) => new RegExp(`^--?(?:no-)?${escaped(name)}(?:=|$)`).test(word)),
  );
  if (option !== undefined) {
    const name = option.split("=")[0] ?? option;
    return new BakeError("usage", `unknown option ${name}`, { hint: didYouMean(name, knownOptions) || help });
  }
  const [word = ""] = unknown;
  if (verb === "local" && !["setup", "serve", "reset"].some((known) => args.includes(known))) {
    const known = ["setup", "serve", "reset"];
    return new BakeError("usage", `local cannot ${word}`, {
      hint: didYouMean(word, known) || "say setup, serve or reset",
    });
  }
  const hint =
    verb === "ssh" ? `a command for the machine goes after --: \`bake-ami ssh MACHINE -- ${word}\`` : help;
  return new BakeError("usage", `${JSON.stringify(word)} is a word too many for ${verb}`, { hint });
}

function escaped(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&");
}

/** Options that may be given more than once. Everything else that comes as a list was given twice by mistake. */
const repeatable = [
  "with",
  "open",
  "allow-cidr",
  "host-key",
  "set",
  "signer",
  "tag",
  "subnet",
  "type",
  "security-group",
  "upload",
  "env",
];

/** Words without dashes; the verbs check these themselves. */
const positionals = ["services", "service", "image-or-services", "machine", "machine-or-services", "paths"];

/**
 * Checks the values of the options, which the parser takes as they come.
 * @throws BakeError `usage` for an option without a value, or given twice
 */
export function checkValues(argv: Readonly<Record<string, unknown>>): void {
  for (const [name, value] of Object.entries(argv)) {
    if (/[A-Z]|^_$|^\$0$|^-+$/.test(name) || positionals.includes(name)) continue;
    if (value === "" || (Array.isArray(value) && value.includes(""))) {
      throw new BakeError("usage", `--${name} needs a value`);
    }
    if (typeof value === "number" && Number.isNaN(value)) {
      throw new BakeError("usage", `--${name} needs a number`);
    }
    if (Array.isArray(value) && !repeatable.includes(name)) {
      throw new BakeError("usage", `--${name} is given ${value.length} times`, { hint: "give it once" });
    }
  }
}

/** A bare word may be a slip for a verb as well as for a service: the error then names the verb. */
export function withNearestVerb(error: unknown, args: readonly string[]): unknown {
  const [first = ""] = args.filter((word) => !word.startsWith("-"));
  if (!(error instanceof BakeError) || error.kind !== "usage" || verbs.includes(first)) return error;
  const complaint = `there is no service ${JSON.stringify(first)}`;
  if (![error.message, ...error.details].some((line) => line.startsWith(complaint))) return error;
  const verb = nearest(first, builtVerbs);
  if (verb === undefined) return error;
  const { cause, hint } = error;
  const also = `did you mean \`bake-ami ${[verb, ...args.slice(args.indexOf(first) + 1)].join(" ")}\`?`;
  return new BakeError("usage", complaint, {
    cause,
    hint: hint?.startsWith("did you mean") === true ? `${also} (or ${hint})` : also,
  });
}

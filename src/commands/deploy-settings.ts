import { BakeError } from "../base/errors.ts";
import { commaList, readDuration, readWholeNumber } from "./options.ts";

/** The options of a deployment as the parser gives them. */
export interface DeployArguments {
  readonly services: readonly string[];
  readonly via: "ssh" | "ssm" | "sns";
  readonly max: string;
  readonly maxErrors: string;
  readonly tag: readonly string[];
  readonly machine: readonly string[];
  readonly verify: boolean;
  readonly set: readonly string[];
  readonly topic: string | undefined;
  readonly timeout: string | undefined;
  readonly identity: string | undefined;
  readonly login: string | undefined;
  readonly sshProxyCommand: string | undefined;
}

/** What they mean. */
export interface DeploySettings {
  readonly via: "ssh" | "ssm" | "sns";
  readonly services: readonly string[];
  readonly tags: ReadonlyMap<string, string>;
  readonly machines: readonly string[];
  readonly max: number;
  readonly maxErrors: number;
  readonly topic: string;
  /** How long one machine may take, in seconds. */
  readonly runSeconds: number;
}

const mostAtOnce = 1000;

/** What the SSH way alone can do: it carries the bundle itself, and sees what comes of it. */
const overSsh = ["set", "identity", "login", "sshProxyCommand"] as const;

/**
 * Reads the options of a deployment.
 * @throws BakeError `usage` for what is malformed or does not go together.
 */
export function deploySettings(argv: DeployArguments): DeploySettings {
  const { via, topic } = argv;
  const refuse = (message: string, hint: string): BakeError => new BakeError("usage", message, { hint });
  if (via !== "sns" && topic !== undefined) {
    throw refuse("--topic goes with --via sns", "add that, or leave it out");
  }
  if (via === "sns" && topic === undefined) {
    throw refuse("--via sns needs --topic", "give the ARN: --topic arn:aws:sns:REGION:ACCOUNT:NAME");
  }
  if (via !== "ssh") {
    const [given] = overSsh.filter((name) => isGiven(argv[name]));
    if (given !== undefined) {
      const option = given.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
      throw refuse(
        `--${option} is for a deployment over SSH`,
        "the machines take what their channel has, as `bake-ami push` put it there",
      );
    }
  }
  if (via === "sns" && (argv.tag.length > 0 || argv.machine.length > 0 || argv.verify)) {
    throw refuse(
      "a message of --via sns goes to all that listen to the topic: --tag, --machine and --verify choose nothing",
      "leave them out, or choose --via ssm",
    );
  }
  const bounds = { least: 1, most: mostAtOnce };
  return {
    via,
    services: argv.services,
    tags: readFilters(argv.tag),
    machines: commaList(argv.machine),
    max: readWholeNumber(argv.max, "--max", bounds),
    maxErrors: readWholeNumber(argv.maxErrors, "--max-errors", bounds),
    topic: topic ?? "",
    runSeconds: readDuration(argv.timeout ?? "1h", "--timeout"),
  };
}

function isGiven(value: string | readonly string[] | undefined): boolean {
  return value !== undefined && value.length > 0;
}

/** @throws BakeError `usage` */
function readFilters(settings: readonly string[]): ReadonlyMap<string, string> {
  return new Map(
    settings.map((setting): [string, string] => {
      const at = setting.indexOf("=");
      if (at > 0) return [setting.slice(0, at), setting.slice(at + 1)];
      throw new BakeError("usage", `--tag ${setting} is not of the form key=value`, {
        hint: "for example --tag team=web",
      });
    }),
  );
}

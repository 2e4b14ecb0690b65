import type { Argv } from "yargs";

/** What the process gives to every verb. */
export interface Context {
  /** Fires on the first SIGINT, SIGTERM or SIGHUP. */
  readonly signal: AbortSignal;
  readonly stdin: NodeJS.ReadStream;
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly workingDirectory: string;
  /** Tells the process with which status to end when it is not 0 and no error was thrown. */
  readonly setStatus: (status: number) => void;
}

/** Options that every verb has. */
export interface GlobalOptions {
  readonly local: boolean;
  readonly region: string | undefined;
  readonly profile: string | undefined;
  readonly owner: string | undefined;
  readonly project: string;
  readonly json: boolean;
  readonly quiet: boolean;
  readonly debug: boolean;
}

/** Adds the global options to a parser. */
export function withGlobalOptions(parser: Argv, context: Context): Argv<GlobalOptions> {
  return parser
    .option("local", { type: "boolean", default: false, describe: "use the cloud on this computer" })
    .option("region", { type: "string", describe: "AWS Region" })
    .option("profile", { type: "string", describe: "AWS profile" })
    .option("owner", { type: "string", describe: "whose resources these are (default: who calls, by STS)" })
    .option("project", {
      type: "string",
      default: context.workingDirectory,
      defaultDescription: "the working directory",
      describe: "directory with services/ and phases/",
    })
    .option("json", {
      type: "boolean",
      default: false,
      describe: "events and result as lines of JSON on stdout",
    })
    .option("quiet", { type: "boolean", default: false, describe: "say nothing but warnings and errors" })
    .option("debug", { type: "boolean", default: false, describe: "show the stack of an error" });
}

/** A verb: adds itself to the parser. */
export type Verb = (parser: Argv<GlobalOptions>, context: Context) => Argv<GlobalOptions>;

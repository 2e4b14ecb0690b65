import type { Verb } from "./context.ts";
import { withReachOptions } from "./on-machine.ts";

export const logsVerb: Verb = (parser, context) =>
  parser.command(
    "logs <machine>",
    "show what a phase run of a machine printed: the newest, or the one that is named",
    (y) =>
      withReachOptions(y)
        .positional("machine", {
          type: "string",
          demandOption: true,
          describe: "instance id, its beginning, or latest",
        })
        // Without defaults, which would count as given for the conflicts.
        .option("list", { type: "boolean", describe: "list the phase runs" })
        .option("run", { type: "string", describe: "this run" })
        .option("phase", {
          choices: ["init", "update", "verify"] as const,
          describe: "runs of this phase alone",
        })
        .option("follow", { alias: "f", type: "boolean", describe: "go on with what comes" })
        .option("console", {
          type: "boolean",
          describe: "what its console shows; needs no SSH",
        })
        .conflicts("list", ["follow", "run", "console"])
        .conflicts("console", ["run", "phase"]),
    async (argv) => {
      const { showConsole, showRun, showRuns } = await import("./logs-of.ts");
      const { machine, phase, run, follow = false } = argv;
      if (argv.console === true) await showConsole(argv, context, machine, follow);
      else if (argv.list === true) await showRuns(argv, context, machine, phase);
      else await showRun(argv, context, machine, { phase, run, follow });
    },
  );

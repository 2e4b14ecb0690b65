import type { Verb } from "./context.ts";
import { withReachOptions } from "./on-machine.ts";

export const attachVerb: Verb = (parser, context) =>
  parser.command(
    "attach <machine>",
    "follow the job of a machine from its beginning, and end with its status",
    (y) =>
      withReachOptions(y)
        .positional("machine", {
          type: "string",
          demandOption: true,
          describe: "instance id, its beginning, or latest",
        })
        .option("output", { type: "string", describe: "file for the output, besides stdout" }),
    async (argv) => {
      const [{ runSession }, { reachMachine }, { attachJob }, { openSinks }] = await Promise.all([
        import("./session.ts"),
        import("./reach.ts"),
        import("../jobs/attach-job.ts"),
        import("./run-output.ts"),
      ]);
      await runSession(argv, context, async ({ listener, signal }) => {
        const { cloud, instance, target } = await reachMachine(argv, context, argv.machine, signal);
        await using sinks = await openSinks(argv, context, listener);
        const result = await attachJob({ cloud, instance, target, sink: sinks.sink, listener, signal });
        return { text: "", value: result, status: result.status };
      });
    },
  );

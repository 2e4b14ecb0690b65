import type { Verb } from "./context.ts";

export const terminateVerb: Verb = (parser, context) =>
  parser.command(
    "terminate <machine..>",
    "end machines",
    (y) =>
      y.positional("machine", {
        type: "string",
        array: true,
        demandOption: true,
        describe: "instance ids, their beginnings, or latest",
      }),
    async (argv) => {
      const [{ runSession }, { openEndpoint }, { ownMachines, pickToEnd, terminateMachines }, { inStage }] =
        await Promise.all([
          import("./session.ts"),
          import("./endpoint.ts"),
          import("../launch/machines.ts"),
          import("../report/stage.ts"),
        ]);
      await runSession(argv, context, async ({ listener, signal }) => {
        const { cloud, ownerOf } = await openEndpoint(argv, context);
        const all = await ownMachines(cloud, await ownerOf(signal), signal);
        const machines = [...new Set(argv.machine.map((wanted) => pickToEnd(all, wanted)))];
        await inStage(listener, "terminate", () => terminateMachines(cloud, machines, listener, signal));
        const ids = machines.map(({ id }) => id);
        return { text: ids.join("\n"), value: ids };
      });
    },
  );

import type { Verb } from "./context.ts";

export const terminateVerb: Verb = (parser, context) =>
  parser.command(
    "terminate <machine..>",
    "end machines",
    (y) =>
      y
        .positional("machine", {
          type: "string",
          array: true,
          demandOption: true,
          describe: "instance ids, their beginnings, or latest",
        })
        .option("unprotect", {
          type: "boolean",
          default: false,
          describe: "lift the termination protection first",
        }),
    async (argv) => {
      const [{ runSession }, { openEndpoint }, { HostKeys }, { inStage }] = await Promise.all([
        import("./session.ts"),
        import("./endpoint.ts"),
        import("./host-keys.ts"),
        import("../report/stage.ts"),
      ]);
      const { ownMachines, pickToEnd, terminateMachines } = await import("../launch/machines.ts");
      await runSession(argv, context, async ({ listener, signal }) => {
        const { cloud, ownerOf } = await openEndpoint(argv, context);
        const owner = await ownerOf(signal);
        const all = await ownMachines(cloud, owner, signal);
        const machines = [...new Set(argv.machine.map((wanted) => pickToEnd(all, wanted)))];
        const { unprotect } = argv;
        await inStage(listener, "terminate", () =>
          terminateMachines(cloud, machines, listener, signal, { unprotect }),
        );
        const ids = machines.map(({ id }) => id);
        await (await HostKeys.open(cloud, owner, context.environment)).forget(ids);
        return { text: ids.join("\n"), value: ids };
      });
    },
  );

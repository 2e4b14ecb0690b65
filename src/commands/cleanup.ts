import type { Verb } from "./context.ts";

export const cleanupVerb: Verb = (parser, context) =>
  parser.command(
    "cleanup",
    "end everything of yours that a bake or launch left behind",
    (y) =>
      y
        .option("dry-run", { type: "boolean", default: false, describe: "only show what would be deleted" })
        .option("all-owners", {
          type: "boolean",
          default: false,
          describe: "also what others left, once it has expired",
        })
        .option("older-than", { type: "string", describe: "only runs that began so long ago, such as 2h" })
        .option("force", {
          type: "boolean",
          default: false,
          describe: "also runs that a command on this computer still works on",
        })
        .example("bake-ami cleanup --dry-run", "what is there to delete")
        .example("bake-ami cleanup --all-owners --older-than 24h", "what everyone left yesterday or before"),
    async (argv) => {
      const [{ runSession }, { openEndpoint }, { cleanup }, { readDuration }, { openRunRecords }] =
        await Promise.all([
          import("./session.ts"),
          import("./endpoint.ts"),
          import("../cleanup/cleanup.ts"),
          import("./options.ts"),
          import("./run-records.ts"),
        ]);
      const olderThanSeconds =
        argv.olderThan === undefined ? undefined : readDuration(argv.olderThan, "--older-than");
      await runSession(argv, context, async ({ listener, signal }) => {
        const { cloud, ownerOf } = await openEndpoint(argv, context);
        const owner = await ownerOf(signal);
        const records = openRunRecords(context.environment, listener);
        const removals = await cleanup({
          cloud,
          owner,
          dryRun: argv.dryRun,
          allOwners: argv.allOwners,
          olderThanSeconds,
          ...(argv.force ? {} : { isLive: (run: string) => records.isLive(run) }),
          listener,
          signal,
        });
        if (!argv.dryRun) {
          for (const { run } of removals) await records.remove(run);
          await records.prune(cloud.clock.now());
        }
        const verb = argv.dryRun ? "would delete" : "deleted";
        const text = removals
          .map(({ what, id, run, kept, ...of }) => {
            const whose = of.owner === owner ? "" : ` of ${of.owner}`;
            return `${verb} ${kept ? "kept " : ""}${what} ${id} of run ${run}${whose}`;
          })
          .join("\n");
        return { text: removals.length === 0 ? "nothing was left behind" : text, value: removals };
      });
    },
  );

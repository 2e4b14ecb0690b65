import type { Verb } from "./context.ts";

export const cleanupVerb: Verb = (parser, context) =>
  parser.command(
    "cleanup",
    "end everything of yours that a bake or launch left behind",
    (y) =>
      y.option("dry-run", { type: "boolean", default: false, describe: "only show what would be deleted" }),
    async (argv) => {
      const [{ runSession }, { openEndpoint }, { cleanup }] = await Promise.all([
        import("./session.ts"),
        import("./endpoint.ts"),
        import("../cleanup/cleanup.ts"),
      ]);
      await runSession(argv, context, async ({ listener, signal }) => {
        const { cloud, ownerOf } = await openEndpoint(argv, context);
        const owner = await ownerOf(signal);
        const removals = await cleanup({ cloud, owner, dryRun: argv.dryRun, listener, signal });
        const verb = argv.dryRun ? "would delete" : "deleted";
        const text = removals.map(({ what, id, run }) => `${verb} ${what} ${id} of run ${run}`).join("\n");
        return { text: removals.length === 0 ? "nothing was left behind" : text, value: removals };
      });
    },
  );

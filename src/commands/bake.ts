import { withBakeOptions } from "./bake-options.ts";
import { warnOfOldBase } from "./base-image.ts";
import type { Verb } from "./context.ts";

export const bakeVerb: Verb = (parser, context) =>
  parser.command(
    ["bake <services..>", "$0 <services..>"],
    "bake an image; prints its id",
    (y) =>
      withBakeOptions(
        y.positional("services", {
          type: "string",
          array: true,
          demandOption: true,
          describe: "what the image must have",
        }),
      ).example("bake-ami hello-web --local", "bake on this computer"),
    async (argv) => {
      const [{ runSession }, { planAndBundle, readParameters }, { readBakeSettings }] = await Promise.all([
        import("./session.ts"),
        import("./project.ts"),
        import("./bake-settings.ts"),
      ]);
      const settings = readBakeSettings(argv);
      const { plan, bundle } = await planAndBundle(argv.project, argv.services, readParameters(argv.set));
      const [{ bakeRequest }, { bake }, { withBakeLog }] = await Promise.all([
        import("./bake-request.ts"),
        import("../bake/bake.ts"),
        import("./log-bake.ts"),
      ]);
      await runSession(
        argv,
        context,
        async (session) => {
          await warnOfOldBase(argv, context, session.listener);
          const request = await bakeRequest(argv, context, session, settings, { plan, bundle });
          const result = await withBakeLog(request, settings.log, bake);
          return { text: result.imageId, value: result };
        },
        { timings: true },
      );
    },
  );

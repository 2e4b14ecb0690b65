import type { Verb } from "./context.ts";
import { withHostOptions, withSetOption } from "./on-machine.ts";

export const applyVerb: Verb = (parser, context) =>
  parser.command(
    "apply <services..>",
    "init and update on a machine that exists already; no image",
    (y) =>
      withHostOptions(
        withSetOption(y).positional("services", {
          type: "string",
          array: true,
          demandOption: true,
          describe: "what it must have",
        }),
      )
        .option("machine", {
          type: "string",
          describe: "a machine of yours: its id, its beginning, or latest",
        })
        .option("verify", { type: "boolean", default: false, describe: "run their verify steps after that" })
        .example("bake-ami apply web --machine latest", "what has changed, onto the newest machine")
        .example("bake-ami apply web --host admin@192.0.2.10", "onto a machine from anywhere"),
    async (argv) => {
      const [{ runSession }, { planAndBundle, readParameters }, { targetOf }, { applyToMachine }] =
        await Promise.all([
          import("./session.ts"),
          import("./project.ts"),
          import("./on-machine.ts"),
          import("../launch/apply.ts"),
        ]);
      const { plan, bundle } = await planAndBundle(
        argv.project,
        argv.services,
        readParameters(argv.set),
        "all",
      );
      const target = await targetOf(
        argv,
        context,
        `bake-ami apply ${argv.services.join(" ")} --machine latest`,
      );
      await runSession(
        argv,
        context,
        async ({ run, listener, signal }) => {
          const { verify } = argv;
          await applyToMachine({ target, plan, bundle, verify, run, listener, signal });
          const { host } = target;
          return { text: "", value: { host, services: plan.requested, planDigest: plan.digest, run } };
        },
        { timings: true },
      );
    },
  );

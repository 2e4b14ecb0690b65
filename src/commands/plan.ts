import type { Verb } from "./context.ts";
import { withSetOption } from "./on-machine.ts";

export const planVerb: Verb = (parser, context) =>
  parser.command(
    "plan <services..>",
    "show what a bake would do, and why; nothing is started",
    (y) =>
      withSetOption(y).positional("services", {
        type: "string",
        array: true,
        demandOption: true,
        describe: "what to plan",
      }),
    async (argv) => {
      const [{ loadCatalog, readParameters }, { makePlan, planText, planValue }] = await Promise.all([
        import("./project.ts"),
        import("../plan/index.ts"),
      ]);
      const catalog = await loadCatalog(argv.project);
      const plan = makePlan(catalog, { services: argv.services, parameters: readParameters(argv.set) });
      // The plan itself is the value here, not a report of a run.
      context.stdout.write(argv.json ? `${JSON.stringify(planValue(plan))}\n` : `${planText(plan)}\n`);
    },
  );

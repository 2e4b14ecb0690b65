import type { Verb } from "./context.ts";

export const planVerb: Verb = (parser, context) =>
  parser.command(
    "plan <services..>",
    "show what a bake would do, and why; nothing is started",
    (y) =>
      y
        .positional("services", { type: "string", array: true, demandOption: true, describe: "what to plan" })
        .option("set", {
          type: "string",
          array: true,
          default: [],
          describe: "value of a parameter: service.parameter=value",
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

import type { Verb } from "./context.ts";

export const applyVerb: Verb = (parser, context) =>
  parser.command(
    "apply <services..>",
    "init and update on a machine that exists already; no image, no cloud",
    (y) =>
      y
        .positional("services", {
          type: "string",
          array: true,
          demandOption: true,
          describe: "what it must have",
        })
        .option("host", { type: "string", demandOption: true, describe: "user@address or user@address:port" })
        .option("identity", {
          type: "string",
          describe: "private key to log in with (default: ssh-agent, or ~/.ssh)",
        })
        .option("host-key", {
          type: "string",
          array: true,
          default: [],
          describe: '"type base64" (default: known_hosts)',
        })
        .option("ssh-proxy-command", { type: "string", describe: "reach the machine through this; %h %p %r" })
        .option("param", { type: "string", array: true, default: [], describe: "service.parameter=value" }),
    async (argv) => {
      const [{ runSession }, { planAndBundle, readParameters }, { readTarget }, { applyToMachine }] =
        await Promise.all([
          import("./session.ts"),
          import("./project.ts"),
          import("./ssh-target.ts"),
          import("../launch/apply.ts"),
        ]);
      const { plan, bundle } = await planAndBundle(argv.project, argv.services, readParameters(argv.param));
      const target = await readTarget(argv, context);
      await runSession(
        argv,
        context,
        async ({ run, listener, signal }) => {
          await applyToMachine({ target, plan, bundle, run, listener, signal });
          return {
            text: "",
            value: { host: argv.host, services: plan.requested, planDigest: plan.digest, run },
          };
        },
        { timings: true },
      );
    },
  );

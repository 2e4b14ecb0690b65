import type { Verb } from "./context.ts";

export const rolloutVerb: Verb = (parser, context) =>
  parser.command(
    "rollout [services..]",
    "replace the machines of an Auto Scaling group by those of a launch template",
    (y) =>
      y
        .positional("services", {
          type: "string",
          array: true,
          describe: "what the template was made for",
        })
        .option("asg", { type: "string", demandOption: true, describe: "the Auto Scaling group" })
        .option("name", {
          type: "string",
          describe: "the launch template (default: bake-ami- and the services)",
        })
        .option("to", { type: "string", describe: "this version of it (default: its default)" })
        .option("min-healthy", {
          type: "string",
          default: "90",
          describe: "percent of the group in service all the time",
        })
        .option("max-healthy", {
          type: "string",
          describe: "percent that it may grow to meanwhile, 100 to 200",
        })
        .option("warmup", {
          type: "string",
          describe: "how long until a new machine counts (default: the group's)",
        })
        .option("skip-matching", {
          type: "boolean",
          default: false,
          describe: "leave machines alone that have this version",
        })
        .option("auto-rollback", {
          type: "boolean",
          default: true,
          describe: "undo it when it fails (--no-auto-rollback: stop)",
        })
        .option("follow", { type: "boolean", default: false, describe: "follow the one that is under way" })
        .option("cancel", { type: "boolean", default: false, describe: "stop the one under way where it is" })
        .option("rollback", { type: "boolean", default: false, describe: "undo the one under way" })
        .option("timeout", { type: "string", default: "2h", describe: "how long to follow it" })
        .example("bake-ami rollout web --asg web-servers", "the template's default version")
        .example("bake-ami rollout --asg web-servers --follow", "after Ctrl-C, which leaves it at work"),
    async (argv) => {
      const [{ runSession }, { rolloutSettings }, { refuseLocal }] = await Promise.all([
        import("./session.ts"),
        import("./rollout-settings.ts"),
        import("./fleet-names.ts"),
      ]);
      refuseLocal(argv, "Auto Scaling");
      const settings = rolloutSettings(argv);
      await runSession(argv, context, async ({ listener, signal }) => {
        const [{ openEndpoint }, { rollout }, { intervene, refreshError }, { existingTemplate }] =
          await Promise.all([
            import("./endpoint.ts"),
            import("../fleet/rollout.ts"),
            import("../fleet/rollout-follow.ts"),
            import("../fleet/template-versions.ts"),
          ]);
        const { cloud, ownerOf } = await openEndpoint(argv, context, listener);
        const { intervention, followSeconds } = settings;
        const follow = { cloud, followSeconds, listener, signal };
        const end =
          intervention === undefined
            ? await rollout({
                ...settings,
                ...follow,
                template: await existingTemplate(cloud, settings.name, await ownerOf(signal), signal),
                group: argv.asg,
              })
            : await intervene(follow, argv.asg, intervention);
        const { state } = end;
        const error = refreshError(end, intervention);
        const version = state.template?.version;
        return {
          text: `${argv.asg} ${version ?? "-"} ${state.status}`,
          value: {
            group: argv.asg,
            refresh: state.id,
            status: state.status,
            reason: state.reason,
            percentage: state.percentage,
            instancesLeft: state.instancesLeft,
            template: state.template?.id,
            version: version === undefined ? undefined : Number(version),
            failures: end.failures,
          },
          ...(error === undefined ? {} : { error }),
        };
      });
    },
  );

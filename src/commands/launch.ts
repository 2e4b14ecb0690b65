import { warnOfOldBase } from "./base-image.ts";
import type { Verb } from "./context.ts";
import { withLaunchOptions } from "./launch-options.ts";

export const launchVerb: Verb = (parser, context) =>
  parser.command(
    "launch [image-or-services..]",
    "start machines from the newest image that has these services",
    (y) =>
      withLaunchOptions(
        y.positional("image-or-services", {
          type: "string",
          array: true,
          describe: "ami-..., or names of services",
        }),
      )
        .option("wait", {
          group: "Waiting:",
          type: "boolean",
          default: false,
          describe: "wait until the first update is over",
        })
        .option("tail", {
          group: "Waiting:",
          type: "boolean",
          default: false,
          describe: "wait, and show what the machines do meanwhile",
        })
        .option("timeout", {
          group: "Waiting:",
          type: "string",
          default: "20m",
          describe: "how long to wait for the update",
        })
        .example("bake-ami launch hello-web --local --wait", "on this computer")
        .example("bake-ami launch web --cpu 8 --memory 16GiB --spot", "shows the types that fit"),
    async (argv) => {
      const [{ runSession }, { launchSettings }, { readDuration }] = await Promise.all([
        import("./session.ts"),
        import("./launch-settings.ts"),
        import("./options.ts"),
      ]);
      const settings = launchSettings(argv);
      const timeoutSeconds = readDuration(argv.timeout, "--timeout");
      const [{ launchRequest }, { launch }, { launchedResult }, { keepHostKeys }] = await Promise.all([
        import("./launch-request.ts"),
        import("../launch/launch.ts"),
        import("./machine-lines.ts"),
        import("./launch-host-keys.ts"),
      ]);
      await runSession(
        argv,
        context,
        async (session) => {
          await warnOfOldBase(argv, context, session.listener);
          const purpose = {
            waitSeconds: argv.wait || argv.tail ? timeoutSeconds : undefined,
            logs: ["update.log"],
          } as const;
          const { options } = await launchRequest(argv, context, session, settings, purpose);
          const watch = argv.tail
            ? { watch: (await import("./reach-tail.ts")).tailOf(argv, context, options) }
            : {};
          const launched = await launch({ ...options, ...watch });
          const result = launchedResult(launched);
          if (argv.knownHosts === undefined) return result;
          return await keepHostKeys(argv.knownHosts, launched, result, options, context);
        },
        { output: argv.tail },
      );
    },
  );

import type { Instance } from "../aws/instances.ts";
import { warnOfOldBase } from "./base-image.ts";
import type { Verb } from "./context.ts";
import { withLaunchOptions } from "./launch-options.ts";
import { wordsAfter } from "./run-settings.ts";

export const runVerb: Verb = (parser, context) =>
  parser.command(
    "run [image-or-services..]",
    "run one command on a machine of its own: run <image-or-services..> -- command",
    (y) =>
      withLaunchOptions(
        y.positional("image-or-services", {
          type: "string",
          array: true,
          describe: "ami-..., or names of services",
        }),
      )
        .option("upload", {
          group: "Job:",
          type: "string",
          array: true,
          default: [],
          describe: "file or directory that the command needs, besides its own",
        })
        .option("env", {
          group: "Job:",
          type: "string",
          array: true,
          default: [],
          describe: "KEY=VALUE in the command's environment",
        })
        .option("output", { group: "Job:", type: "string", describe: "file for the output, besides stdout" })
        .option("max-time", {
          group: "Job:",
          type: "string",
          default: "24h",
          describe: "how long the command may take",
        })
        .option("timeout", {
          group: "Job:",
          type: "string",
          default: "20m",
          describe: "how long the machine's update may take",
        })
        .option("detach", {
          group: "Job:",
          type: "boolean",
          default: false,
          describe: "only start it; `bake-ami attach` follows it",
        })
        .option("keep", {
          group: "Job:",
          type: "boolean",
          default: false,
          describe: "keep the machine when the command is over",
        })
        .option("ssh-proxy-command", {
          group: "Job:",
          type: "string",
          describe: "reach the machine through this; %h %p %r %i",
        })
        .example("bake-ami run base --type c7i.2xlarge --log s3://b/p/ -- ./bench.sh -n 5", "")
        .example("bake-ami run base --local -- nproc", "on this computer"),
    async (argv) => {
      const [{ runSession }, { launchSettings }, { jobSettings }] = await Promise.all([
        import("./session.ts"),
        import("./launch-settings.ts"),
        import("./run-settings.ts"),
      ]);
      const settings = launchSettings(argv);
      const wanted = await jobSettings({ ...argv, command: wordsAfter(argv["--"]) }, settings, context);
      const [{ launchRequest }, { runJob, startJob }, { reachInstance }, { openSinks }] = await Promise.all([
        import("./launch-request.ts"),
        import("../jobs/run-job.ts"),

        import("./reach.ts"),
        import("./run-output.ts"),
      ]);
      await runSession(argv, context, async (session) => {
        await warnOfOldBase(argv, context, session.listener);
        await using sinks = await openSinks(argv, context, session.listener);
        const purpose = {
          waitSeconds: wanted.updateSeconds,
          logs: ["update.log", "job.log", "job.json"],
        } as const;
        const { options: launch } = await launchRequest(argv, context, session, settings, purpose);
        const job = {
          ...wanted,
          launch,
          reach: (instance: Instance, signal: AbortSignal) =>
            reachInstance(instance, argv, context, { cloud: launch.cloud, owner: launch.owner, signal }),
        };
        if (argv.detach) {
          const { run, instance } = await startJob(job);
          return { text: instance.id, value: { run, instanceId: instance.id } };
        }
        const result = await runJob({ ...job, sink: sinks.sink });
        return { text: "", value: result, status: result.status };
      });
    },
  );

import { warnOfOldBase } from "./base-image.ts";
import type { Verb } from "./context.ts";

export const bakeVerb: Verb = (parser, context) =>
  parser.command(
    ["bake <services..>", "$0 <services..>"],
    "bake an image; prints its id",
    (y) =>
      y
        .positional("services", {
          type: "string",
          array: true,
          demandOption: true,
          describe: "what the image must have",
        })
        .option("type", { type: "string", describe: "instance type of the builder" })
        .option("source-ami", {
          type: "string",
          describe: "image to start from (default: newest Amazon Linux 2023)",
        })
        .option("login", { type: "string", describe: "user that the source image lets in" })
        .option("param", { type: "string", array: true, default: [], describe: "service.parameter=value" })
        .option("allow-cidr", {
          type: "string",
          describe: "who may reach the builder's SSH port (default: you alone)",
        })
        .option("ssh-proxy-command", {
          type: "string",
          describe: "reach the builder through this; %h %p %r %i",
        })
        .option("max-bake-time", {
          type: "string",
          default: "2h",
          describe: "after this anyone's cleanup may take it",
        })
        .example("bake-ami hello-web --local", "bake on this computer"),
    async (argv) => {
      const [{ runSession }, { planAndBundle, programVersion, readParameters }, { readDuration, sourceOf }] =
        await Promise.all([import("./session.ts"), import("./project.ts"), import("./options.ts")]);
      const maxBakeSeconds = readDuration(argv.maxBakeTime, "--max-bake-time");
      const { plan, bundle } = await planAndBundle(argv.project, argv.services, readParameters(argv.param));
      const [{ openEndpoint }, { bake }] = await Promise.all([
        import("./endpoint.ts"),
        import("../bake/bake.ts"),
      ]);
      await runSession(
        argv,
        context,
        async ({ run, listener, signal }) => {
          await warnOfOldBase(argv, context, listener);
          const endpoint = await openEndpoint(argv, context);
          const result = await bake({
            cloud: endpoint.cloud,
            plan,
            bundle,
            run,
            owner: await endpoint.ownerOf(signal),
            source: sourceOf(endpoint, argv.sourceAmi, argv.login),
            instanceType: argv.type ?? endpoint.instanceType,
            allowCidr: argv.allowCidr ?? (await endpoint.callerCidr(signal)),
            sshProxyCommand: argv.sshProxyCommand,
            maxBakeSeconds,
            version: await programVersion(),
            listener,
            signal,
          });
          return { text: result.imageId, value: result };
        },
        { timings: true },
      );
    },
  );

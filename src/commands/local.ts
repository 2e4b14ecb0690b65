import type { Verb } from "./context.ts";

export const localVerb: Verb = (parser, context) =>
  parser.command("local", "the cloud on this computer: set up, serve, reset", (local) =>
    local
      .command(
        "setup [image]",
        "make a base image for local machines",
        (y) =>
          y
            .positional("image", { choices: ["debian-12", "al2023"] as const, default: "debian-12" as const })
            .option("force", {
              type: "boolean",
              default: false,
              describe: "make it anew when it is there already",
            }),
        async (argv) => {
          const [{ runSession }, { setupBaseImage }, { localCloudDirectory }, { checkWritable }] =
            await Promise.all([
              import("./session.ts"),
              import("../local/index.ts"),
              import("./data-directory.ts"),
              import("./writable.ts"),
            ]);
          const directory = localCloudDirectory(context.environment);
          await checkWritable(directory, context.environment, ["state.json"]);
          await runSession(argv, context, async ({ listener, signal }) => {
            const id = await setupBaseImage({
              directory,
              name: argv.image,
              force: argv.force,
              signal,
              onProgress: (message) => {
                listener({ type: "note", at: Date.now(), message });
              },
            });
            return { text: id, value: { imageId: id } };
          });
        },
      )
      .command(
        "serve",
        "offer the local cloud to any EC2 client, on a loopback port",
        (y) =>
          y
            .option("port", { type: "string", default: "4599", describe: "0 for any free one" })
            .option("policy", {
              type: "string",
              describe: "an IAM policy (JSON file) that every caller is under",
            })
            .option("faults", {
              type: "string",
              describe: "a plan of how to misbehave (JSON or YAML file), for tests",
            }),
        async (argv) => {
          const { readWholeNumber } = await import("./options.ts");
          const port = readWholeNumber(argv.port, "--port", { least: 0, most: 65535 });
          const [
            { openLocalCloud, readFaultPlan, readPolicy, serveLocalCloud },
            { localCloudDirectory },
            { checkWritable },
          ] = await Promise.all([
            import("../local/index.ts"),
            import("./data-directory.ts"),
            import("./writable.ts"),
          ]);
          const directory = localCloudDirectory(context.environment);
          await checkWritable(directory, context.environment, ["state.json"]);
          const policy = argv.policy === undefined ? undefined : await readPolicy(argv.policy);
          const faults = argv.faults === undefined ? undefined : await readFaultPlan(argv.faults);
          await serveLocalCloud({
            cloud: openLocalCloud({
              directory,
              ...(policy === undefined ? {} : { policy }),
              ...(faults === undefined ? {} : { faults }),
            }),
            port,
            signal: context.signal,
            onListening: (url) => {
              context.stdout.write(
                argv.json ? `${JSON.stringify({ type: "result", value: { url } })}\n` : `${url}\n`,
              );
              if (!argv.quiet && !argv.json) {
                // The endpoint as an option: the aws of Debian 12 does not know AWS_ENDPOINT_URL.
                context.stderr.write(
                  "try: AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local " +
                    `aws ec2 describe-instances --endpoint-url ${url} --region local\n`,
                );
              }
            },
          });
        },
      )
      .command(
        "reset",
        "end every local machine and forget every image baked here",
        (y) =>
          y.option("base-images", {
            type: "boolean",
            default: false,
            describe: "delete the base images as well",
          }),
        async (argv) => {
          const [{ runSession }, { resetLocalCloud }, { localCloudDirectory }, { forgetLocalHostKeys }] =
            await Promise.all([
              import("./session.ts"),
              import("../local/index.ts"),
              import("./data-directory.ts"),
              import("./host-keys.ts"),
            ]);
          await runSession(argv, context, async ({ signal }) => {
            await resetLocalCloud({
              directory: localCloudDirectory(context.environment),
              baseImages: argv.baseImages,
              signal,
            });
            await forgetLocalHostKeys(context.environment);
            return { text: "", value: {} };
          });
        },
      )
      .demandCommand(1, "say what to do: setup, serve or reset"),
  );

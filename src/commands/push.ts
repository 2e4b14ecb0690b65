import { BakeError } from "../base/errors.ts";
import type { Context, GlobalOptions, Verb } from "./context.ts";

export const pushVerb: Verb = (parser, context) =>
  parser.command(
    "push <where>",
    "put the signed bundle of all services into a channel in S3, for the machines that follow it",
    (y) =>
      y
        .positional("where", { type: "string", demandOption: true, describe: "s3://bucket/prefix" })
        .option("channel", { type: "string", describe: "the channel, a name: its machines take the bundle" })
        .option("signing-key", {
          type: "string",
          describe: "ed25519 private key to sign with (default: one made for you)",
        })
        .option("set", { type: "string", array: true, default: [], describe: "service.parameter=value" })
        .option("list", { type: "boolean", default: false, describe: "show the channels that are there" })
        .option("dry-run", { type: "boolean", default: false, describe: "say what would be pushed" })
        .option("force", { type: "boolean", default: false, describe: "push even what is there already" })
        .example(
          "bake-ami push --channel test s3://my-bucket/bake-ami",
          "new code for the machines of `test`",
        ),
    async (argv) => {
      if (!argv.list) await pushBundle(argv, context);
      else if (argv.channel === undefined) await listAll(argv, context);
      else throw new BakeError("usage", "--list and --channel exclude each other");
    },
  );

interface PushArguments extends GlobalOptions {
  readonly where: string;
  readonly channel: string | undefined;
  readonly signingKey: string | undefined;
  readonly set: readonly string[];
  readonly dryRun: boolean;
  readonly force: boolean;
}

async function listAll(argv: PushArguments, context: Context): Promise<void> {
  const [{ runSession }, { openEndpoint }, { readS3Url }, { listChannels }, { channelLine }] =
    await Promise.all([
      import("./session.ts"),
      import("./endpoint.ts"),
      import("../aws/s3-url.ts"),
      import("../fleet/channel.ts"),
      import("./push-lines.ts"),
    ]);
  const place = readS3Url(argv.where, "push --list");
  await runSession(argv, context, async ({ signal }) => {
    const { cloud } = await openEndpoint(argv, context);
    const channels = await listChannels(cloud, place, signal);
    return { text: channels.map(channelLine).join("\n"), value: channels };
  });
}

async function pushBundle(argv: PushArguments, context: Context): Promise<void> {
  const { channel, where, force, dryRun } = argv;
  if (channel === undefined) {
    throw new BakeError("usage", "push needs the name of a channel", {
      hint: `\`bake-ami push --channel test ${where}\`; or \`bake-ami push --list ${where}\` shows those that are there`,
    });
  }
  const [{ runSession }, { openEndpoint }, { readS3Url }, { checkChannelName }, { push }] = await Promise.all(
    [
      import("./session.ts"),
      import("./endpoint.ts"),
      import("../aws/s3-url.ts"),
      import("../fleet/channel.ts"),
      import("../fleet/push.ts"),
    ],
  );
  const place = readS3Url(where, "push");
  checkChannelName(channel);
  const [{ catalogBundle, readParameters }, { signingKey }, { pushNote, trustNote }] = await Promise.all([
    import("./project.ts"),
    import("./signing-key.ts"),
    import("./push-lines.ts"),
  ]);
  const bundle = await catalogBundle(argv.project, readParameters(argv.set));
  const signer = await signingKey(context.environment, argv.signingKey);
  await runSession(argv, context, async ({ listener, signal }) => {
    const { cloud, ownerOf } = await openEndpoint(argv, context, listener);
    const pushed = await push({ cloud, place, channel, bundle, signer, force, dryRun, signal });
    const note = (message: string): void => {
      listener({ type: "note", at: Date.now(), message });
    };
    note(pushNote(pushed));
    const trust = await trustNote(cloud, ownerOf, pushed.signer, signal);
    if (trust !== undefined) note(trust);
    const text = pushed.result === "would-push" ? "" : `${pushed.url} ${pushed.digest} ${pushed.serial}`;
    return { text, value: pushed };
  });
}

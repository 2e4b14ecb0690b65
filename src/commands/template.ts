import { warnOfOldBase } from "./base-image.ts";
import type { Context, GlobalOptions, Verb } from "./context.ts";
import { withLaunchOptions } from "./launch-options.ts";
import type { LaunchArguments } from "./launch-settings.ts";
import type { Result, Session } from "./session.ts";
import type { TemplateArguments, TemplateSettings } from "./template-settings.ts";

const group = "Template:";

export const templateVerb: Verb = (parser, context) =>
  parser.command(
    "template [image-or-services..]",
    "make or update the launch template that Auto Scaling starts machines from",
    (y) =>
      withLaunchOptions(
        y.positional("image-or-services", {
          type: "string",
          array: true,
          describe: "ami-..., or names of services",
        }),
      )
        .option("name", { group, type: "string", describe: "its name (default: bake-ami- and the services)" })
        .option("verify", {
          group,
          coerce: (value: unknown) => value,
          describe:
            "what a machine of a new version must show: steps (default) or update; --no-verify: nothing",
        })
        .option("default", {
          group,
          coerce: (value: unknown) => value,
          describe: "make this version the default, as to go back; --no-default: leave it",
        })
        .option("keep-versions", {
          group,
          type: "string",
          default: "10",
          describe: "how many of the newest versions stay",
        })
        .option("delete", {
          group,
          type: "boolean",
          default: false,
          describe: "delete it, with its versions, keys and groups",
        })
        .option("timeout", {
          group,
          type: "string",
          default: "20m",
          describe: "how long the update of the machine that is tried may take",
        })
        .example(
          "bake-ami template web --open 80,443 --instance-profile web",
          "a version, tried and made the default",
        )
        .example("bake-ami template web --default 7", "back to version 7"),
    async (argv) => {
      const [{ runSession }, { templateSettings, textOrNo, readVerify }] = await Promise.all([
        import("./session.ts"),
        import("./template-settings.ts"),
      ]);
      const own = { ...argv, default: textOrNo(argv.default), verify: readVerify(argv.verify) };
      const settings = templateSettings(own);
      await runSession(argv, context, (session) => {
        if (argv.delete) return remove(argv, settings, context, session);
        return settings.switchTo === undefined
          ? make(own, settings, context, session)
          : goTo(argv, settings, settings.switchTo, context, session);
      });
    },
  );

type Arguments = GlobalOptions & LaunchArguments & TemplateArguments;

async function make(
  argv: Arguments,
  settings: TemplateSettings,
  context: Context,
  session: Session,
): Promise<Result> {
  const [{ launchSettings }, { launchRequest }, { makeTemplate }, { reachInstance }] = await Promise.all([
    import("./launch-settings.ts"),
    import("./launch-request.ts"),
    import("../fleet/template.ts"),
    import("./reach.ts"),
  ]);
  const ofLaunch = launchSettings(argv);
  await warnOfOldBase(argv, context, session.listener);
  const purpose = { waitSeconds: undefined, logs: [] };
  const { options } = await launchRequest(argv, context, session, ofLaunch, purpose);
  const { cloud, owner } = options;
  const { identity, login } = argv;
  const { verify, waitSeconds } = settings;
  const made = await makeTemplate({
    launch: options,
    name: settings.name,
    makeDefault: settings.makeDefault,
    keepVersions: settings.keepVersions,
    trial:
      verify === undefined
        ? undefined
        : {
            waitSeconds,
            reach:
              verify === "update"
                ? undefined
                : (instance, signal) =>
                    reachInstance(instance, { identity, login, sshProxyCommand: undefined }, context, {
                      cloud,
                      owner,
                      signal,
                    }),
          },
  });
  return {
    text: `${made.template.id} ${made.version}`,
    value: {
      id: made.template.id,
      name: made.template.name,
      version: made.version,
      isNew: made.isNew,
      isDefault: made.isDefault,
      imageId: made.imageId,
      deleted: made.deleted,
    },
  };
}

async function goTo(
  argv: GlobalOptions,
  { name }: TemplateSettings,
  version: number,
  context: Context,
  { listener, signal }: Session,
): Promise<Result> {
  const [{ openEndpoint }, { existingTemplate, switchDefault }] = await Promise.all([
    import("./endpoint.ts"),
    import("../fleet/template-versions.ts"),
  ]);
  const { cloud, ownerOf } = await openEndpoint(argv, context, listener);
  const template = await existingTemplate(cloud, name, await ownerOf(signal), signal);
  const { imageId } = await switchDefault(cloud, template, version, signal);
  listener({
    type: "note",
    at: Date.now(),
    message: `version ${version} of ${name} is the default; \`bake-ami rollout\` brings it to machines that run`,
  });
  return {
    text: `${template.id} ${version}`,
    value: { id: template.id, name, version, isNew: false, isDefault: true, imageId, deleted: [] },
  };
}

async function remove(
  argv: GlobalOptions,
  { name }: TemplateSettings,
  context: Context,
  { listener, signal }: Session,
): Promise<Result> {
  const [{ openEndpoint }, { existingTemplate }, { deleteTemplate }] = await Promise.all([
    import("./endpoint.ts"),
    import("../fleet/template-versions.ts"),
    import("../fleet/template-delete.ts"),
  ]);
  const { cloud, ownerOf } = await openEndpoint(argv, context, listener);
  const template = await existingTemplate(cloud, name, await ownerOf(signal), signal);
  await deleteTemplate({ cloud, listener, signal }, template);
  return { text: template.id, value: { id: template.id, name, deleted: true } };
}

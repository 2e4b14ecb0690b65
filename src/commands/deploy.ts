import type { Context, GlobalOptions, Verb } from "./context.ts";
import { withReachOptions, withSetOption } from "./on-machine.ts";
import type { DeployArguments, DeploySettings } from "./deploy-settings.ts";
import type { Result, Session } from "./session.ts";
import { table } from "./table.ts";

export const deployVerb: Verb = (parser, context) =>
  parser.command(
    "deploy <services..>",
    "bring services as they are now to machines that run",
    (y) =>
      withReachOptions(withSetOption(y))
        .positional("services", {
          type: "string",
          array: true,
          demandOption: true,
          describe: "services; machines that have none of them are left alone",
        })
        .option("via", {
          choices: ["ssh", "ssm", "sns"] as const,
          default: "ssh" as const,
          describe:
            "over SSH with the bundle made here; or Run Command or a topic, with that of their channel",
        })
        .option("max", { type: "string", default: "10", describe: "how many machines at once" })
        .option("max-errors", {
          type: "string",
          default: "1",
          describe: "after so many failures begin no further machine",
        })
        .option("tag", { type: "string", array: true, default: [], describe: "only machines with key=value" })
        .option("machine", {
          type: "string",
          array: true,
          default: [],
          describe: "only these: ids, or latest",
        })
        .option("verify", { type: "boolean", default: false, describe: "run their verify steps after that" })
        .option("topic", { type: "string", describe: "ARN of the topic for --via sns" })
        .option("timeout", { type: "string", describe: "how long one machine may take (default: 1h)" })
        .example("bake-ami deploy web --tag stage=test", "over SSH, ten machines at a time")
        .example("bake-ami deploy web --via ssm --max 50 --max-errors 3", "any number of machines"),
    async (argv) => {
      const [{ runSession }, { deploySettings }, { refuseLocal }] = await Promise.all([
        import("./session.ts"),
        import("./deploy-settings.ts"),
        import("./fleet-names.ts"),
      ]);
      const settings = deploySettings(argv);
      if (settings.via === "ssm") refuseLocal(argv, "Run Command");
      if (settings.via === "sns") refuseLocal(argv, "SNS");
      const ways = { ssh: overSsh, ssm: byCommand, sns: byMessage };
      await runSession(argv, context, (session) => ways[settings.via](argv, settings, context, session));
    },
  );

type Arguments = GlobalOptions & DeployArguments;

type Way = (argv: Arguments, settings: DeploySettings, context: Context, session: Session) => Promise<Result>;

const overSsh: Way = async (argv, settings, context, { run, listener, signal }) => {
  const [{ planAndBundle, readParameters }, { deploy, deployError }, { reachInstance }] = await Promise.all([
    import("./project.ts"),
    import("../fleet/deploy.ts"),
    import("./reach.ts"),
  ]);
  const { plan, bundle } = await planAndBundle(argv.project, settings.services, readParameters(argv.set));
  const { cloud, owner, machines } = await find(argv, settings, context, { listener, signal });
  const { identity, login, sshProxyCommand } = argv;
  const ways = { identity, login, sshProxyCommand };
  const deployed = await deploy({
    machines,
    reach: ({ instance }, inner) => reachInstance(instance, ways, context, { cloud, owner, signal: inner }),
    plan,
    bundle,
    verify: argv.verify,
    max: settings.max,
    maxErrors: settings.maxErrors,
    secondsEach: settings.runSeconds,
    run,
    listener,
    signal,
  });
  const first = deployed.find(({ result }) => result === "failed")?.instanceId ?? "latest";
  const error = deployError(deployed, `look with \`bake-ami logs ${first}\``);
  const rows = deployed.map((each) => [
    each.instanceId,
    each.result,
    each.seconds === undefined ? "-" : `${each.seconds.toFixed(1)} s`,
    each.services.join(" "),
    each.result === "failed" ? (each.error?.message ?? "") : "",
  ]);
  return {
    text: table([["MACHINE", "RESULT", "TIME", "SERVICES", "WHY"], ...rows]),
    value: {
      run,
      digest: bundle.digest,
      machines: deployed.map(({ error: why, ...each }) => ({
        ...each,
        ...(why === undefined ? {} : { error: why.message, details: why.details }),
      })),
    },
    ...(error === undefined ? {} : { error }),
  };
};

const byCommand: Way = async (argv, settings, context, { run, listener, signal }) => {
  const { deployByCommand, commandError } = await import("../fleet/deploy-ssm.ts");
  const { cloud, owner, machines } = await find(argv, settings, context, { listener, signal });
  const deployed = await deployByCommand({
    cloud,
    owner,
    services: settings.services,
    tags: settings.tags,
    machines,
    byId: settings.machines.length > 0,
    verify: argv.verify,
    max: settings.max,
    maxErrors: settings.maxErrors,
    runSeconds: settings.runSeconds,
    run,
    listener,
    signal,
  });
  const error = commandError(deployed);
  const { commandId, state, invocations } = deployed;
  const rows = invocations.map(({ instanceId, details, exitStatus }) => [
    instanceId,
    details,
    exitStatus === undefined || exitStatus < 0 ? "-" : String(exitStatus),
  ]);
  return {
    text: table([["MACHINE", "RESULT", "STATUS"], ...rows]),
    value: { run, commandId, status: state.status, targets: state.targets, machines: invocations },
    ...(error === undefined ? {} : { error }),
  };
};

const byMessage: Way = async (argv, settings, context, { run, listener, signal }) => {
  const { checkTopic, deployByMessage } = await import("../fleet/deploy-sns.ts");
  const { cloud, machines } = await find(argv, settings, context, { listener, signal });
  const { topic, services } = settings;
  await checkTopic(cloud, topic);
  const published = await deployByMessage({ cloud, topic, services, machines, run, listener, signal });
  return {
    text: published.map(({ messageId }) => messageId).join("\n"),
    value: { run, topic, messages: published },
  };
};

/** The machines that it is for, in the cloud that was chosen. */
async function find(
  argv: Arguments,
  selection: DeploySettings,
  context: Context,
  { listener, signal }: Pick<Session, "listener" | "signal">,
) {
  const [{ openEndpoint }, { ownMachines }, { selectMachines }] = await Promise.all([
    import("./endpoint.ts"),
    import("../launch/machines.ts"),
    import("../fleet/deploy-machines.ts"),
  ]);
  const { cloud, ownerOf } = await openEndpoint(argv, context, listener);
  const owner = await ownerOf(signal);
  const machines = selectMachines(await ownMachines(cloud, owner, signal), selection);
  return { cloud, owner, machines };
}

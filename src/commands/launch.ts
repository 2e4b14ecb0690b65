import { warnOfOldBase } from "./base-image.ts";
import type { Verb } from "./context.ts";

/** More by one command is a slip of the finger. */
const mostMachines = 1000;

export const launchVerb: Verb = (parser, context) =>
  parser.command(
    "launch <image-or-services..>",
    "start machines from the newest image that has these services",
    (y) =>
      y
        .positional("image-or-services", {
          type: "string",
          array: true,
          demandOption: true,
          describe: "ami-..., or names of services",
        })
        .option("with", {
          type: "string",
          array: true,
          default: [],
          describe: "services to add on the first boot",
        })
        .option("type", {
          type: "string",
          describe: "instance type (default: t3.small, or t4g.small on arm64)",
        })
        .option("count", { type: "string", default: "1", describe: "how many machines" })
        .option("open", {
          type: "string",
          array: true,
          default: [],
          describe: "ports to open besides 22: 80,443",
        })
        .option("allow-cidr", {
          type: "string",
          array: true,
          default: [],
          describe: "who may reach the ports (default: you alone)",
        })
        .option("login", { type: "string", describe: "user that the image lets in, where it does not say" })
        .option("identity", {
          type: "string",
          describe: "private key to log in with (default: one made for you)",
        })
        .option("wait", { type: "boolean", default: false, describe: "wait until the first update is over" })
        .option("timeout", { type: "string", default: "20m", describe: "how long to wait for the update" }),
    async (argv) => {
      const [{ runSession }, options] = await Promise.all([import("./session.ts"), import("./options.ts")]);
      const ports = [22, ...options.readPorts(argv.open).filter((port) => port !== 22)];
      const timeoutSeconds = options.readDuration(argv.timeout, "--timeout");
      const count = options.readWholeNumber(argv.count, "--count", { least: 1, most: mostMachines });
      const allowed = options.readCidrs(argv.allowCidr);
      const [{ openEndpoint }, { findImage }, { checkLate }, { checkInstanceType }, { launch }] =
        await Promise.all([
          import("./endpoint.ts"),
          import("../launch/choose-image.ts"),
          import("../launch/known-services.ts"),
          import("../launch/instance-type.ts"),
          import("../launch/launch.ts"),
        ]);
      const [{ loginKey }, { launchedResult }, { localServices }, { tellChoice }] = await Promise.all([
        import("./login-key.ts"),
        import("./machine-lines.ts"),
        import("./project.ts"),
        import("./launch-notes.ts"),
      ]);
      const local = await localServices(argv.project);
      await runSession(argv, context, async ({ run, listener, signal }) => {
        await warnOfOldBase(argv, context, listener);
        const endpoint = await openEndpoint(argv, context);
        const { cloud } = endpoint;
        const owner = await endpoint.ownerOf(signal);
        const wanted = { owner, names: argv.imageOrServices, extra: argv.with, local };
        const choice = await findImage(cloud, wanted, signal);
        checkLate(choice, local);
        if (argv.type !== undefined) await checkInstanceType(cloud, argv.type, choice.image, signal);
        tellChoice(choice, local, listener);
        const key = await loginKey(context.environment, argv.identity);
        const way = { sshInterface: "public-ip", proxied: false } as const;
        const cidrs = allowed.length > 0 ? allowed : await endpoint.callerCidrs(way, signal);
        const launched = await launch({
          cloud,
          choice,
          run,
          owner,
          instanceType:
            argv.type ?? endpoint.defaultTypes[choice.image.architecture === "arm64" ? "arm64" : "x86_64"],
          count,
          ports: ports.flatMap((port) => cidrs.map((cidr) => ({ port, cidr }))),
          loginKey: key.publicKey,
          ...(argv.login === undefined ? {} : { login: argv.login }),
          waitSeconds: argv.wait ? timeoutSeconds : undefined,
          listener,
          signal,
        });
        return launchedResult(launched);
      });
    },
  );

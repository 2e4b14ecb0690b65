import { warnOfOldBase } from "./base-image.ts";
import type { Verb } from "./context.ts";

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
        .option("type", { type: "string", describe: "instance type" })
        .option("count", { type: "number", default: 1, describe: "how many machines" })
        .option("open", {
          type: "string",
          array: true,
          default: [],
          describe: "ports to open besides 22: 80,443",
        })
        .option("allow-cidr", { type: "string", describe: "who may reach the ports (default: you alone)" })
        .option("identity", {
          type: "string",
          describe: "private key to log in with (default: one made for you)",
        })
        .option("wait", { type: "boolean", default: false, describe: "wait until the update succeeded" })
        .option("timeout", { type: "string", default: "20m", describe: "how long to wait for the update" }),
    async (argv) => {
      const [{ runSession }, options, { BakeError }] = await Promise.all([
        import("./session.ts"),
        import("./options.ts"),
        import("../base/errors.ts"),
      ]);
      const ports = [22, ...options.readPorts(argv.open).filter((port) => port !== 22)];
      const timeoutSeconds = options.readDuration(argv.timeout, "--timeout");
      if (!Number.isInteger(argv.count) || argv.count < 1) {
        throw new BakeError("usage", `--count ${argv.count} is no number of machines`);
      }
      const [
        { openEndpoint },
        { findImage },
        { launch },
        { loginKey },
        { launchedResult },
        { openRunRecords },
      ] = await Promise.all([
        import("./endpoint.ts"),
        import("../launch/choose-image.ts"),
        import("../launch/launch.ts"),
        import("./login-key.ts"),
        import("./machine-lines.ts"),
        import("./run-records.ts"),
      ]);
      await runSession(argv, context, async ({ run, listener, signal }) => {
        await warnOfOldBase(argv, context, listener);
        const endpoint = await openEndpoint(argv, context);
        const owner = await endpoint.ownerOf(signal);
        const choice = await findImage(
          endpoint.cloud,
          { owner, names: argv.imageOrServices, extra: argv.with },
          signal,
        );
        const at = Date.now();
        listener({ type: "note", at, message: `image ${choice.image.id} (${choice.image.name})` });
        if (choice.late.length > 0) {
          const names = choice.late.join(", ");
          listener({
            type: "note",
            at,
            message: `${names}: not in the image, so initialised on the first boot`,
          });
        }
        const key = await loginKey(context.environment, argv.identity);
        const way = { sshInterface: "public-ip", proxied: false } as const;
        const cidrs =
          argv.allowCidr === undefined ? await endpoint.callerCidrs(way, signal) : [argv.allowCidr];
        const records = openRunRecords(context.environment, listener);
        // So that a cleanup meanwhile does not take its key and its group for leftovers.
        await records.claim(run);
        try {
          const launched = await launch({
            cloud: endpoint.cloud,
            choice,
            run,
            owner,
            instanceType:
              argv.type ?? endpoint.defaultTypes[choice.image.architecture === "arm64" ? "arm64" : "x86_64"],
            count: argv.count,
            ports: ports.flatMap((port) => cidrs.map((cidr) => ({ port, cidr }))),
            loginKey: key.publicKey,
            waitSeconds: argv.wait ? timeoutSeconds : undefined,
            listener,
            signal,
          });
          return launchedResult(launched);
        } finally {
          await records.remove(run);
        }
      });
    },
  );

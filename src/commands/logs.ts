import type { Verb } from "./context.ts";

export const logsVerb: Verb = (parser, context) =>
  parser.command(
    "logs <machine>",
    "show what the phases of a machine printed",
    (y) =>
      y
        .positional("machine", {
          type: "string",
          demandOption: true,
          describe: "instance id, its beginning, or latest",
        })
        .option("follow", { alias: "f", type: "boolean", default: false, describe: "go on with what comes" })
        .option("identity", { type: "string", describe: "private key to log in with" })
        .option("login", { type: "string", describe: "user to log in as (default: the image's)" })
        .option("ssh-proxy-command", {
          type: "string",
          describe: "reach the machine through this; %h %p %r %i",
        }),
    async (argv) => {
      const [{ reachMachine }, { Machine }, { logsCommand }, { BakeError }] = await Promise.all([
        import("./reach.ts"),
        import("../machine/machine.ts"),
        import("../machine/remote.ts"),
        import("../base/errors.ts"),
      ]);
      const { target } = await reachMachine(argv, context, argv.machine, context.signal);
      await using machine = new Machine(target, { deadlineSeconds: 60 });
      const result = await machine.exec(logsCommand(target.user, argv.follow), {
        signal: context.signal,
        onStdout: (chunk) => context.stdout.write(chunk),
      });
      if (result.status !== 0)
        throw new BakeError("failed", `the machine did not show its logs: ${result.stderr.trim()}`);
    },
  );

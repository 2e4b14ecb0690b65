import type { Verb } from "./context.ts";
import { withHostOptions } from "./on-machine.ts";

export const verifyVerb: Verb = (parser, context) =>
  parser.command(
    "verify [machine-or-services..]",
    "run the verify steps of a machine: verify <machine> [service...], or [service...] --host",
    (y) =>
      withHostOptions(
        y.positional("machine-or-services", {
          type: "string",
          array: true,
          default: [],
          describe: "instance id, its beginning, or latest; then services (default: all that it has)",
        }),
      )
        .example("bake-ami verify latest web", "the service web on the newest machine")
        .example("bake-ami verify --host admin@192.0.2.10", "all services of a machine from anywhere"),
    async (argv) => {
      const [{ runSession }, { targetOf }, { verifyMachine }] = await Promise.all([
        import("./session.ts"),
        import("./on-machine.ts"),
        import("../launch/apply.ts"),
      ]);
      const [first, ...rest] = argv.machineOrServices;
      const [machine, services] =
        argv.host === undefined ? [first, rest] : [undefined, argv.machineOrServices];
      const target = await targetOf({ ...argv, machine }, context, "bake-ami verify latest");
      await runSession(argv, context, async ({ run, listener, signal }) => {
        const verified = await verifyMachine({ target, services, run, listener, signal });
        if (verified.length === 0) {
          const message = `no verify steps: ${services.length === 0 ? "its services have none" : services.join(", ")}`;
          listener({ type: "warning", at: Date.now(), message });
        }
        return {
          text: verified.map((service) => `${service} ok`).join("\n"),
          value: { host: target.host, instanceId: target.instanceId, verified, run },
        };
      });
    },
  );

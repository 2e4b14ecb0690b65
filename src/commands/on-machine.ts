import type { Argv } from "yargs";
import { BakeError } from "../base/errors.ts";
import type { SshTarget } from "../machine/target.ts";
import type { Context, GlobalOptions } from "./context.ts";

/** How a machine is named and reached by the verbs that work on one, whether bake-ami launched it or not. */
export interface MachineArguments {
  readonly host: string | undefined;
  readonly machine: string | undefined;
  readonly identity: string | undefined;
  readonly login: string | undefined;
  readonly hostKey: readonly string[];
  readonly sshProxyCommand: string | undefined;
}

/** Adds how to log in to a machine that bake-ami has launched. */
export function withReachOptions<T>(parser: Argv<T>) {
  return parser
    .option("identity", {
      type: "string",
      describe: "private key to log in with (default: bake-ami's own)",
    })
    .option("login", { type: "string", describe: "user to log in as (default: the image's)" })
    .option("ssh-proxy-command", { type: "string", describe: "reach the machine through this; %h %p %r %i" });
}

/** Adds the values of parameters that a plan is made with. */
export function withSetOption<T>(parser: Argv<T>) {
  return parser.option("set", {
    type: "string",
    array: true,
    default: [],
    describe: "value of a parameter: service.parameter=value",
  });
}

/** Adds the options of {@link MachineArguments} but `--machine`. */
export function withHostOptions<T>(parser: Argv<T>) {
  return parser
    .option("host", { type: "string", describe: "any machine: user@address or user@address:port" })
    .option("identity", {
      type: "string",
      describe: "private key to log in with (default: ssh-agent, ~/.ssh, and bake-ami's own)",
    })
    .option("login", {
      type: "string",
      describe: "user to log in as on a machine of yours (default: the image's)",
    })
    .option("host-key", {
      type: "string",
      array: true,
      default: [],
      describe: '"type base64" of --host (default: known_hosts)',
    })
    .option("ssh-proxy-command", { type: "string", describe: "reach the machine through this; %h %p %r %i" });
}

/**
 * The target that was named: an address, or a machine that bake-ami has launched.
 * @throws BakeError `usage` for neither or both, or as {@link readTarget} and {@link reachMachine} do.
 */
export async function targetOf(
  argv: GlobalOptions & MachineArguments,
  context: Context,
  example: string,
): Promise<SshTarget> {
  const { host, machine, hostKey, login } = argv;
  if (host !== undefined && machine !== undefined) {
    throw new BakeError("usage", "--host names any machine, and an id one of yours: give one of them");
  }
  if (host !== undefined) {
    if (login !== undefined) {
      throw new BakeError("usage", "--login goes with a machine of yours", {
        hint: `with --host the user stands before the address: --host ${login}@${host.replace(/^.*@/, "")}`,
      });
    }
    const { readTarget } = await import("./ssh-target.ts");
    return await readTarget({ ...argv, host }, context);
  }
  if (machine !== undefined) {
    if (hostKey.length > 0) {
      throw new BakeError("usage", "--host-key goes with --host", {
        hint: "the host key of a machine of yours is taken from its console",
      });
    }
    const { reachMachine } = await import("./reach.ts");
    return (await reachMachine(argv, context, machine, context.signal)).target;
  }
  throw new BakeError("usage", "say on which machine", { hint: `for example \`${example}\`` });
}

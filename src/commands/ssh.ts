import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Verb } from "./context.ts";
import { withReachOptions } from "./on-machine.ts";

export const sshVerb: Verb = (parser, context) =>
  parser.command(
    "ssh <machine>",
    "log in to a machine, or run a command on it: ssh <machine> -- command",
    (y) =>
      withReachOptions(y).positional("machine", {
        type: "string",
        demandOption: true,
        describe: "instance id, its beginning, or latest",
      }),
    async (argv) => {
      const [{ reachMachine }, { runInteractive }, { expandProxyCommand }, fs] = await Promise.all([
        import("./reach.ts"),
        import("../base/process.ts"),
        import("../machine/target.ts"),
        import("node:fs/promises"),
      ]);
      const { target } = await reachMachine(argv, context, argv.machine, context.signal);
      const directory = await fs.mkdtemp(join(tmpdir(), "bake-ami-ssh-"));
      try {
        const knownHosts = join(directory, "known_hosts");
        const identity = join(directory, "identity");
        await fs.writeFile(identity, target.privateKey?.reveal() ?? "", { mode: 0o600 });
        const alias = target.instanceId ?? target.host;
        await fs.writeFile(knownHosts, target.hostKeys.map((line) => `${alias} ${line}\n`).join(""));
        const proxy = target.proxyCommand;
        const command: unknown = argv["--"];
        const status = await runInteractive(
          [
            "ssh",
            ...["-o", `UserKnownHostsFile=${knownHosts}`, "-o", "StrictHostKeyChecking=yes"],
            ...["-o", `HostKeyAlias=${alias}`, "-o", "IdentitiesOnly=yes", "-i", identity],
            ...(proxy === undefined
              ? []
              : ["-o", `ProxyCommand=${expandProxyCommand(proxy, target).replaceAll("%", "%%")}`]),
            ...["-p", String(target.port), "-l", target.user, target.host],
            ...(Array.isArray(command) ? command.map(String) : []),
          ],
          { signal: context.signal, hint: "install the OpenSSH client: apt-get install openssh-client" },
        );
        context.setStatus(status);
      } finally {
        await fs.rm(directory, { recursive: true, force: true });
      }
    },
  );

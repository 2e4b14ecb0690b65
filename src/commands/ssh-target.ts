import { access, readFile } from "node:fs/promises";
import { homedir, userInfo } from "node:os";
import { join } from "node:path";
import { BakeError } from "../base/errors.ts";
import { Secret } from "../base/ids.ts";
import { publicKeyBody, publicKeyOf } from "../machine/keys.ts";
import { knownHostKeys } from "../machine/known-hosts.ts";
import type { SshTarget } from "../machine/target.ts";
import type { Context } from "./context.ts";

export interface TargetOptions {
  readonly host: string;
  readonly identity: string | undefined;
  readonly hostKey: readonly string[];
  readonly sshProxyCommand: string | undefined;
}

/**
 * The target that `--host` and its companions name.
 * @throws BakeError `usage` for a malformed one, `host-key` when no host key is known.
 */
export async function readTarget(options: TargetOptions, context: Context): Promise<SshTarget> {
  const { user, host, port } = readAddress(options.host);
  const home = context.environment["HOME"] ?? homedir();
  const hostKeys =
    options.hostKey.length > 0
      ? options.hostKey.map(publicKeyBody)
      : await knownHostKeys(
          host,
          port,
          [join(home, ".ssh", "known_hosts"), "/etc/ssh/ssh_known_hosts"],
          context.signal,
        );
  const privateKey = await findLoginKey(options.identity, home, context);
  return {
    host,
    port,
    user,
    privateKey,
    hostKeys,
    proxyCommand: options.sshProxyCommand,
    instanceId: undefined,
  };
}

/**
 * Takes `user@address`, `user@address:port` or `user@[address]:port` apart.
 * @throws BakeError `usage`.
 */
export function readAddress(text: string): { user: string; host: string; port: number } {
  const match = /^(?:([^@\s]+)@)?(?:\[([^\]\s]+)\]|([^@:\s]+))(?::(\d+))?$/.exec(text);
  const host = match?.[2] ?? match?.[3];
  const port = Number(match?.[4] ?? "22");
  if (host === undefined || port < 1 || port > 65535) {
    throw new BakeError("usage", `--host ${text} is no address`, {
      hint: "write it like admin@192.0.2.10 or admin@192.0.2.10:2222",
    });
  }
  return { user: match?.[1] ?? userInfo().username, host, port };
}

/** The key that was given; else the agent when there is one; else the user's first usual key. */
async function findLoginKey(
  identity: string | undefined,
  home: string,
  context: Context,
): Promise<Secret | undefined> {
  if (identity !== undefined) return await readKey(identity.replace(/^~(?=\/)/, home));
  if ((context.environment["SSH_AUTH_SOCK"] ?? "") !== "") return undefined;
  for (const name of ["id_ed25519", "id_ecdsa", "id_rsa"]) {
    const file = join(home, ".ssh", name);
    const exists = await access(file).then(
      () => true,
      () => false,
    );
    if (exists) return await readKey(file);
  }
  throw new BakeError("usage", "there is no key to log in with", {
    hint: "give a private key with --identity, or start ssh-agent and add your key to it",
  });
}

async function readKey(file: string): Promise<Secret> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    throw new BakeError("usage", `cannot read the key file ${file}`, { cause: error });
  }
  const key = new Secret(text);
  publicKeyOf(key, file);
  return key;
}

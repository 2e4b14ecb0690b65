import { access, readFile } from "node:fs/promises";
import { homedir, userInfo } from "node:os";
import { join } from "node:path";
import { BakeError } from "../base/errors.ts";
import { Secret } from "../base/ids.ts";
import { publicKeyBody, publicKeyOf } from "../machine/keys.ts";
import { knownHostKeys } from "../machine/known-hosts.ts";
import type { SshTarget } from "../machine/target.ts";
import type { Context } from "./context.ts";
import { loginKeyFile } from "./login-key.ts";

export interface TargetOptions {
  readonly host: string;
  readonly identity: string | undefined;
  readonly hostKey: readonly string[];
  readonly sshProxyCommand: string | undefined;
}

/**
 * The target that `--host` and its companions name.
 * @throws BakeError `usage` for a malformed one, or when no host key is known.
 */
export async function readTarget(options: TargetOptions, context: Context): Promise<SshTarget> {
  const { user, host, port } = readAddress(options.host);
  const home = context.environment["HOME"] ?? homedir();
  const hostKeys =
    options.hostKey.length > 0
      ? options.hostKey.map(publicKeyBody)
      : await knownKeys({ host, port, user }, options.host, home, context);
  const keys = await findLoginKeys(options.identity, home, context);
  return {
    host,
    port,
    user,
    ...keys,
    hostKeys,
    proxyCommand: options.sshProxyCommand,
    instanceId: undefined,
  };
}

const addressForm = "write it like admin@192.0.2.10 or admin@192.0.2.10:2222";

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
      hint: addressForm,
    });
  }
  return { user: match?.[1] ?? userInfo().username, host, port };
}

async function knownKeys(
  { host, port, user }: { readonly host: string; readonly port: number; readonly user: string },
  written: string,
  home: string,
  context: Context,
): Promise<string[]> {
  const files = [join(home, ".ssh", "known_hosts"), "/etc/ssh/ssh_known_hosts"];
  try {
    return await knownHostKeys(host, port, files, context.signal);
  } catch (error) {
    if (written.includes("@") || !(error instanceof BakeError) || error.kind !== "usage") throw error;
    // A word alone may be meant as the user.
    throw new BakeError("usage", error.message, {
      hint: `${written} is taken for the address, and ${user} for the user: ${addressForm}; ${error.hint ?? ""}`,
    });
  }
}

/**
 * The key that was given; else the agent when there is one, else the user's first usual key. Machines that bake-ami has
 * launched let in the key that it has made for them, so that one is tried as well.
 */
async function findLoginKeys(
  identity: string | undefined,
  home: string,
  context: Context,
): Promise<Pick<SshTarget, "privateKey" | "otherKeys">> {
  if (identity !== undefined) return { privateKey: await readKey(identity.replace(/^~(?=\/)/, home)) };
  const own = loginKeyFile(context.environment);
  const otherKeys = (await exists(own)) ? [await readKey(own)] : [];
  if ((context.environment["SSH_AUTH_SOCK"] ?? "") !== "") return { privateKey: undefined, otherKeys };
  for (const name of ["id_ed25519", "id_ecdsa", "id_rsa"]) {
    const file = join(home, ".ssh", name);
    if (await exists(file)) return { privateKey: await readKey(file), otherKeys };
  }
  if (otherKeys.length > 0) return { privateKey: otherKeys[0] };
  throw new BakeError("usage", "there is no key to log in with", {
    hint: "give a private key with --identity, or start ssh-agent and add your key to it",
  });
}

async function exists(file: string): Promise<boolean> {
  return await access(file).then(
    () => true,
    () => false,
  );
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

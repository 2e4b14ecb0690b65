import { join } from "node:path";
import { publicKeyOf } from "../machine/keys.ts";
import { dataDirectory } from "./data-directory.ts";
import { keyFile, type KeyFile } from "./key-file.ts";

export interface LoginKey extends KeyFile {
  readonly publicKey: string;
}

/** Where the key is that bake-ami makes for this user's machines. */
export function loginKeyFile(environment: Readonly<Record<string, string | undefined>>): string {
  return join(dataDirectory(environment), "login", "id_ed25519");
}

/**
 * The key that logs in to launched machines: the user's own with `--identity`, else one that bake-ami made for this
 * user the first time it needed one.
 * @throws BakeError `usage` when the file cannot be used.
 */
export async function loginKey(
  environment: Readonly<Record<string, string | undefined>>,
  identity: string | undefined,
): Promise<LoginKey> {
  const key = await keyFile(environment, identity, loginKeyFile(environment));
  return { ...key, publicKey: publicKeyOf(key.privateKey, key.file) };
}

import { link, mkdir, readFile, unlink, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { BakeError, messageOf, systemCodeOf } from "../base/errors.ts";
import { randomId, Secret } from "../base/ids.ts";
import { newKeyPair, publicKeyOf } from "../machine/keys.ts";
import { dataDirectory } from "./data-directory.ts";
import { remedyFor } from "./system-errors.ts";
import { checkWritable } from "./writable.ts";

export interface LoginKey {
  readonly file: string;
  readonly privateKey: Secret;
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
  const file = identity?.replace(/^~(?=\/)/, homedir()) ?? loginKeyFile(environment);
  try {
    return await readKey(file);
  } catch (error) {
    if (error instanceof BakeError) throw error;
    const absent = systemCodeOf(error) === "ENOENT";
    if (identity !== undefined && absent) {
      throw new BakeError("usage", `there is no key file ${file}`, { cause: error });
    }
    if (!absent) {
      throw new BakeError("usage", `cannot read the key file ${file}: ${messageOf(error)}`, {
        cause: error,
        hint: identity === undefined ? remedyFor(file, "", environment) : "make it readable for you",
      });
    }
  }
  await checkWritable(dirname(file), environment);
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  const temporary = `${file}.${randomId(6)}`;
  await writeFile(temporary, newKeyPair("bake-ami").privateKey.reveal(), { mode: 0o600, flag: "wx" });
  try {
    // Of two commands at once, one makes the key and both use it.
    await link(temporary, file);
  } catch (error) {
    if (systemCodeOf(error) !== "EEXIST") throw error;
  } finally {
    await unlink(temporary);
  }
  return await readKey(file);
}

async function readKey(file: string): Promise<LoginKey> {
  const privateKey = new Secret(await readFile(file, "utf8"));
  return { file, privateKey, publicKey: publicKeyOf(privateKey, file) };
}

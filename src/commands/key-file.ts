import { link, mkdir, readFile, unlink, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname } from "node:path";
import { BakeError, messageOf, systemCodeOf } from "../base/errors.ts";
import { randomId, Secret } from "../base/ids.ts";
import { newKeyPair } from "../machine/keys.ts";
import { remedyFor } from "./system-errors.ts";
import { checkWritable } from "./writable.ts";

export interface KeyFile {
  readonly file: string;
  readonly privateKey: Secret;
}

/**
 * A private key: of the file that the user named, else of one in the data directory, which is made when somebody needs it
 * for the first time.
 * @param own where the key is that bake-ami makes
 * @throws BakeError `usage` when the file cannot be used.
 */
export async function keyFile(
  environment: Readonly<Record<string, string | undefined>>,
  named: string | undefined,
  own: string,
): Promise<KeyFile> {
  const file = named?.replace(/^~(?=\/)/, homedir()) ?? own;
  try {
    return await readKey(file);
  } catch (error) {
    const absent = systemCodeOf(error) === "ENOENT";
    if (named !== undefined && absent) {
      throw new BakeError("usage", `there is no key file ${file}`, { cause: error });
    }
    if (!absent) {
      throw new BakeError("usage", `cannot read the key file ${file}: ${messageOf(error)}`, {
        cause: error,
        hint: named === undefined ? remedyFor(file, "", environment) : "make it readable for you",
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

async function readKey(file: string): Promise<KeyFile> {
  return { file, privateKey: new Secret(await readFile(file, "utf8")) };
}

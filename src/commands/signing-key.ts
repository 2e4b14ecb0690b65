import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { BakeError, messageOf } from "../base/errors.ts";
import { Secret } from "../base/ids.ts";
import type { TrustedKey } from "../bake/options.ts";
import { openSigner, readSignerKey, type Signer } from "../fleet/sign.ts";
import { dataDirectory } from "./data-directory.ts";
import { keyFile } from "./key-file.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * What signs bundles: the user's own key with `--signing-key`, else one that bake-ami made for this user the first time it
 * needed one.
 * @throws BakeError `usage` when the file cannot be used.
 */
export async function signingKey(
  environment: Environment,
  named: string | undefined,
): Promise<Signer & { readonly file: string }> {
  const own = join(dataDirectory(environment), "signing", "id_ed25519");
  const { file, privateKey } = await keyFile(environment, named, own);
  return { file, ...openSigner(privateKey, file) };
}

/**
 * The keys of those who may sign bundles for the machines of an image: those that were named, else this user's own.
 * @param signer what `--signer` was given: public keys, or files of them; `false` in it is `--no-signer`
 * @throws BakeError `usage` for what is no such key and no file of them.
 */
export async function trustedSigners(
  environment: Environment,
  signer: readonly unknown[],
): Promise<readonly TrustedKey[]> {
  const named = signer.filter((each) => typeof each === "string");
  if (signer.includes(false)) {
    if (named.length === 0) return [];
    throw new BakeError("usage", "--signer and --no-signer exclude each other");
  }
  if (named.length === 0) return [trusted(await signingKey(environment, undefined))];
  const keys = (await Promise.all(named.map(keysIn))).flat();
  return [...new Map(keys.map((key) => [key.publicKey, key])).values()];
}

/** A key as it is, or those of a file, a line each; of a private key its public half. */
async function keysIn(named: string): Promise<readonly TrustedKey[]> {
  if (/^ssh-\S+\s/.test(named)) return [readSignerKey(named)];
  const file = named.replace(/^~(?=\/)/, homedir());
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    throw new BakeError("usage", `cannot read --signer ${named}: ${messageOf(error)}`, {
      cause: error,
      hint: 'give a file that ssh-keygen wrote, or the key itself: --signer "ssh-ed25519 AAAA..."',
    });
  }
  if (text.includes("PRIVATE KEY-----")) return [trusted(openSigner(new Secret(text), file))];
  const lines = text.split("\n").filter((line) => line.trim() !== "" && !line.startsWith("#"));
  if (lines.length === 0) throw new BakeError("usage", `--signer ${named} has no key in it`);
  return lines.map(readSignerKey);
}

function trusted({ publicKey, fingerprint }: TrustedKey): TrustedKey {
  return { publicKey, fingerprint };
}

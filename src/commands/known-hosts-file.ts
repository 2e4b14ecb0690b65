import { readFile, rename, writeFile } from "node:fs/promises";
import { BakeError, messageOf, systemCodeOf } from "../base/errors.ts";
import { randomId } from "../base/ids.ts";

/** A machine and the host keys that its console showed. */
export interface KnownHost {
  readonly address: string;
  readonly port: number;
  /** `type base64` */
  readonly keys: readonly string[];
}

/**
 * Writes host keys into a known_hosts file, in place of those that it had for the same addresses: another machine may have had
 * one of them before.
 * @throws BakeError `failed` when the file cannot be written
 */
export async function writeKnownHosts(file: string, hosts: readonly KnownHost[]): Promise<void> {
  try {
    const old = await readFile(file, "utf8").catch((error: unknown) => {
      if (systemCodeOf(error) === "ENOENT") return "";
      throw error;
    });
    const temporary = `${file}.${randomId(6)}`;
    await writeFile(temporary, withHosts(old, hosts), { mode: 0o600 });
    await rename(temporary, file);
  } catch (error) {
    throw new BakeError("failed", `cannot write ${file}: ${messageOf(error)}`, { cause: error });
  }
}

/** The text of a known_hosts file with these hosts; all else stays as it is. Pure. */
export function withHosts(text: string, hosts: readonly KnownHost[]): string {
  const names = new Set(hosts.map(nameOf));
  const kept = text
    .split("\n")
    .filter((line) => line !== "" && !(line.split(/\s/)[0] ?? "").split(",").some((name) => names.has(name)));
  const added = hosts.flatMap((host) => host.keys.map((key) => `${nameOf(host)} ${key}`));
  return [...kept, ...added].map((line) => `${line}\n`).join("");
}

function nameOf({ address, port }: KnownHost): string {
  return port === 22 ? address : `[${address}]:${port}`;
}

import { runProgram } from "../base/process.ts";
import { BakeError } from "../base/errors.ts";

/**
 * The host keys that the user's own known_hosts files have for an address; ssh-keygen reads them, because their host
 * names may be hashed.
 * @returns `type base64` lines
 * @throws BakeError `usage` when the address is not known there.
 */
export async function knownHostKeys(
  host: string,
  port: number,
  files: readonly string[],
  signal: AbortSignal,
): Promise<string[]> {
  const name = port === 22 ? host : `[${host}]:${port}`;
  const keys: string[] = [];
  for (const file of files) {
    const result = await runProgram(["ssh-keygen", "-F", name, "-f", file], {
      signal,
      hint: "install the OpenSSH client: apt-get install openssh-client",
    });
    if (result.status === 0) keys.push(...readKnownHosts(result.stdout));
  }
  if (keys.length > 0) return keys;
  throw new BakeError("usage", `no host key of ${name} is known, and none is trusted blindly`, {
    hint: `connect once with ssh and check the key that it shows, or give it with --host-key "ssh-ed25519 AAAA..."`,
  });
}

/** The keys in known_hosts lines; revoked keys and certificate authorities are none. */
export function readKnownHosts(text: string): string[] {
  return text.split("\n").flatMap((line) => {
    if (line.startsWith("#") || line.startsWith("@")) return [];
    const [, type, key] = line.trim().split(/\s+/);
    return type === undefined || key === undefined ? [] : [`${type} ${key}`];
  });
}

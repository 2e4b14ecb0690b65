import type { KeyPair } from "../machine/keys.ts";

/**
 * User data that gives the builder a host key which we know before the first connection. Any process on the machine
 * can read it, so it is for builders alone, and the seal throws the key away.
 * (cloud-init, module "SSH": `ssh_keys`)
 */
export function builderUserData(hostKey: KeyPair): string {
  const indented = hostKey.privateKey
    .reveal()
    .trimEnd()
    .split("\n")
    .map((line) => `    ${line}`);
  return [
    "#cloud-config",
    "ssh_deletekeys: true",
    "ssh_keys:",
    "  ed25519_private: |",
    ...indented,
    `  ed25519_public: ${hostKey.publicKey}`,
    "",
  ].join("\n");
}

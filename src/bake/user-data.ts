import { bootCommands, deadlineCommand, literalBlock } from "../machine/boot-commands.ts";
import type { KeyPair } from "../machine/keys.ts";

/** The controller gives up first, and says why; in seconds. */
const graceSeconds = 30;

/**
 * User data for a builder. It gives the machine a host key which we know before the first connection, and a timer that
 * powers it off some seconds after `expires`, so that a builder whose controller died ends itself. Any process on the
 * machine can read it, so it is for builders alone: the seal throws the key away, and the timer is armed anew at each
 * boot from what is here, which the seal throws away too.
 * (cloud-init, modules "SSH": `ssh_keys`, and "Bootcmd", which runs at every boot, before the network's services)
 */
export function builderUserData(hostKey: KeyPair, expires: Date): string {
  const deadline = Math.ceil(expires.getTime() / 1000) + graceSeconds;
  return [
    "#cloud-config",
    ...bootCommands([deadlineCommand(deadline)]),
    "ssh_deletekeys: true",
    "ssh_keys:",
    "  ed25519_private: |",
    ...literalBlock(hostKey.privateKey.reveal()),
    `  ed25519_public: ${hostKey.publicKey}`,
    "",
  ].join("\n");
}

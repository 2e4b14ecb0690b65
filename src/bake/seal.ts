import { BakeError } from "../base/errors.ts";
import type { Machine } from "../machine/machine.ts";
import { sealCommand } from "../machine/remote.ts";

/**
 * Scrubs the machine: keys, ids, logs, caches. It can be reached over the open connection alone afterwards.
 * @param signers public keys of those whose bundles the machines of the image take
 * @throws BakeError `failed` with everything that was still there.
 */
export async function sealMachine(
  machine: Machine,
  signers: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  const result = await machine.exec(sealCommand(machine.target.user, signers), { signal });
  if (result.status === 0) return;
  throw new BakeError("failed", "the machine could not be sealed, so no image was made of it", {
    details: (result.stderr || result.stdout).trimEnd().split("\n").slice(-40),
  });
}

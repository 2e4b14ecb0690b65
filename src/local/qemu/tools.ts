import { constants } from "node:fs";
import { access } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { BakeError } from "../../base/errors.ts";

/** Where a program is, by the PATH of this process; undefined when it is not installed. */
export async function findProgram(name: string): Promise<string | undefined> {
  for (const directory of (process.env["PATH"] ?? "").split(delimiter)) {
    const path = join(directory, name);
    try {
      await access(path, constants.X_OK);
      return path;
    } catch {
      // Not here; the next one may have it.
    }
  }
  return undefined;
}

export const qemuHint =
  "install it: `sudo apt-get install qemu-system-x86 qemu-utils`, `sudo dnf install qemu-kvm qemu-img`, or `brew install qemu`";

/**
 * Where a program is.
 * @throws BakeError `missing-tool` with the hint
 */
export async function mustFindProgram(name: string, hint: string): Promise<string> {
  const path = await findProgram(name);
  if (path === undefined) throw new BakeError("missing-tool", `${name} is not installed`, { hint });
  return path;
}

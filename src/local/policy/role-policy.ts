import { existsSync } from "node:fs";
import { join } from "node:path";
import { readPolicy, type PolicyDocument } from "./document.ts";

/**
 * The policy of a role: `profiles/<role>.json` in the cloud's directory, read anew for each call.
 * @returns undefined when there is none: then the role may do everything
 * @throws BakeError `usage` when it cannot be read or enforced
 */
export async function rolePolicy(directory: string, role: string): Promise<PolicyDocument | undefined> {
  const file = join(directory, "profiles", `${role}.json`);
  return existsSync(file) ? await readPolicy(file) : undefined;
}

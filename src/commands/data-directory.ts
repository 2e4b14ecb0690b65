import { homedir } from "node:os";
import { join } from "node:path";

type Environment = Readonly<Record<string, string | undefined>>;

/** Where bake-ami keeps what is this user's: login key, logs, the local cloud. Follows the XDG base directories. */
export function dataDirectory(environment: Environment): string {
  const own = environment["BAKE_AMI_DATA_DIR"];
  if (own !== undefined && own !== "") return own;
  const xdg = environment["XDG_DATA_HOME"];
  return join(
    xdg !== undefined && xdg.startsWith("/") ? xdg : join(homedir(), ".local", "share"),
    "bake-ami",
  );
}

/** Where the local cloud keeps its machines, disks and state. */
export function localCloudDirectory(environment: Environment): string {
  const own = environment["BAKE_AMI_LOCAL_DIR"];
  return own !== undefined && own !== "" ? own : join(dataDirectory(environment), "local");
}

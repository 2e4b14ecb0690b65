import { BakeError } from "../../base/errors.ts";
import type { Machine } from "../machine.ts";
import { RemoteSide } from "./remote-side.ts";

/** How long cleaning up after an interruption may take on the machine before the connection is cut, in milliseconds. */
const graceMs = 5000;

/** The files of a machine, for as long as it is not disposed of. */
export interface MachineFiles extends Disposable {
  readonly side: RemoteSide;
}

/**
 * Opens the files of a machine.
 * @param name what messages call it
 * @throws BakeError as {@link Machine.connect} does, `connection` where it has no SFTP server
 */
export async function openFiles(machine: Machine, name: string, signal: AbortSignal): Promise<MachineFiles> {
  const connection = await machine.connect(signal);
  const sftp = await connection.sftp(signal);
  let timer: NodeJS.Timeout | undefined;
  // A message that is under way is not taken back, and one that never comes back must not hold anybody up.
  const onAbort = (): void => {
    timer = setTimeout(() => void connection[Symbol.asyncDispose](), graceMs);
  };
  signal.addEventListener("abort", onAbort, { once: true });
  return {
    side: new RemoteSide(sftp, connection.closed, name, machine.target.user),
    [Symbol.dispose]: () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", onAbort);
      sftp.end();
    },
  };
}

/** A place as `cp` takes it. */
export interface NamedPlace {
  /** The machine's name, or undefined for this computer. */
  readonly machine: string | undefined;
  readonly path: string;
}

/**
 * Reads `machine:path`, or a path of this computer. As with scp, a colon counts only before the first slash, so that
 * `./a:b` is a file here. On a machine a path is relative to the home directory, and `~` is that.
 * @throws BakeError `usage` for another user's home directory, which SFTP does not know
 */
export function readPlace(text: string): NamedPlace {
  const [, machine, path] = /^([^/:]+):(.*)$/s.exec(text) ?? [];
  if (machine === undefined || path === undefined) {
    if (text === "") throw new BakeError("usage", "an empty word is no path");
    return { machine: undefined, path: text };
  }
  return { machine, path: remotePath(path) };
}

/** A path on a machine as its SFTP server takes it. */
export function remotePath(path: string): string {
  if (path === "" || /^~\/*$/.test(path)) return ".";
  if (path.startsWith("~/")) return path.replace(/^~\/+/, "");
  if (!path.startsWith("~")) return path;
  const [user = ""] = path.split("/");
  throw new BakeError("usage", `${user} is not known here: only ~ alone, the home of the user who logs in`, {
    hint: `give the whole path, or ./${path} for a file of that name`,
  });
}

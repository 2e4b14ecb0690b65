import { BakeError, systemCodeOf } from "../base/errors.ts";
import { dataDirectory, localCloudDirectory } from "./data-directory.ts";

/** What the system says, in words. */
const meanings: Readonly<Record<string, string>> = {
  EACCES: "permission denied",
  EPERM: "permission denied",
  EROFS: "it is on a file system that is read-only",
  ENOSPC: "the disk is full",
  EDQUOT: "the disk quota is used up",
  ENOTDIR: "a part of its path is no directory",
  ELOOP: "its path leads in a circle",
  ENAMETOOLONG: "its path is too long",
  EMFILE: "too many files are open",
  ENFILE: "too many files are open",
};

/** The system's word for it, or undefined for what is no trouble with a file. */
export function troubleWithFile(error: unknown): string | undefined {
  return meanings[systemCodeOf(error) ?? ""];
}

/** An error of the system about a file as one that names the file and the remedy; any other error as it is. */
export function explainSystemError(
  error: unknown,
  environment: Readonly<Record<string, string | undefined>>,
): unknown {
  const trouble = troubleWithFile(error);
  if (trouble === undefined || !(error instanceof Error)) return error;
  const path = "path" in error && typeof error.path === "string" ? error.path : undefined;
  return new BakeError("failed", `cannot use ${path ?? "a file"}: ${trouble}`, {
    cause: error,
    hint: remedyFor(path, systemCodeOf(error) ?? "", environment),
  });
}

/** What to do about a file that cannot be used. */
export function remedyFor(
  path: string | undefined,
  code: string,
  environment: Readonly<Record<string, string | undefined>>,
): string {
  const act =
    code === "ENOSPC" || code === "EDQUOT"
      ? "make room there"
      : "make it a directory or file that you may write to";
  if (path === undefined) return act;
  if (isWithin(path, dataDirectory(environment)))
    return `${act}, or choose another place with BAKE_AMI_DATA_DIR`;
  if (isWithin(path, localCloudDirectory(environment))) {
    return `${act}, or choose another place with BAKE_AMI_LOCAL_DIR`;
  }
  return act;
}

function isWithin(path: string, directory: string): boolean {
  return path === directory || path.startsWith(`${directory}/`) || directory.startsWith(`${path}/`);
}

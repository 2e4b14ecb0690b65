import { BakeError, systemCodeOf } from "../base/errors.ts";
import { troubleWithFile } from "../base/file-trouble.ts";
import { dataDirectory, localCloudDirectory } from "./data-directory.ts";

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

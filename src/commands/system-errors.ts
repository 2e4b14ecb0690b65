import { BakeError, systemCodeOf } from "../base/errors.ts";
import { troubleWithFile } from "../base/file-trouble.ts";
import { dataDirectory, localCloudDirectory } from "./data-directory.ts";

/**
 * An error of the system about a file as one that names the file and the remedy; any other error as it is.
 * @param started whether anything was started or changed before it; if not, the command was given a place that will not do
 */
export function explainSystemError(
  error: unknown,
  environment: Readonly<Record<string, string | undefined>>,
  started = true,
): unknown {
  const failure = systemErrorIn(error);
  const trouble = troubleWithFile(failure);
  if (trouble === undefined || failure === undefined) return error;
  const path = "path" in failure && typeof failure.path === "string" ? failure.path : undefined;
  return new BakeError(started ? "failed" : "usage", `cannot use ${path ?? "a file"}: ${trouble}`, {
    cause: failure,
    hint: remedyFor(path, systemCodeOf(failure) ?? "", environment),
  });
}

/** The error itself, or what is behind one that says no more than that a part of the program failed. */
function systemErrorIn(error: unknown): Error | undefined {
  if (!(error instanceof BakeError)) return error instanceof Error ? error : undefined;
  return error.kind === "failed" && error.hint === undefined && error.cause instanceof Error
    ? systemErrorIn(error.cause)
    : undefined;
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

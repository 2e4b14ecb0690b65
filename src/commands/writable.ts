import { constants } from "node:fs";
import { access, stat, statfs } from "node:fs/promises";
import { dirname, join } from "node:path";
import { BakeError, systemCodeOf } from "../base/errors.ts";
import { troubleWithFile } from "../base/file-trouble.ts";
import { remedyFor } from "./system-errors.ts";

/** procfs and sysfs (linux/magic.h): Node tries for ever to make a directory in them. */
const kernelFilesystems: ReadonlySet<number> = new Set([0x9fa0, 0x62656572]);

/**
 * Checks that a directory can be written to, or made, and files in it that are there already, before anything else is
 * done.
 * @throws BakeError `usage` that names the directory and the remedy
 */
export async function checkWritable(
  directory: string,
  environment: Readonly<Record<string, string | undefined>>,
  files: readonly string[] = [],
): Promise<void> {
  const all = constants.R_OK | constants.W_OK | constants.X_OK;
  let path = directory;
  let trouble = await tryPath(path, all);
  while (trouble === "absent" && dirname(path) !== path) {
    path = dirname(path);
    trouble = await tryPath(path, all);
  }
  // A file without its run bits is "permission denied" too, which names the wrong cause.
  if (trouble !== "absent" && (await isOther(path))) {
    throw cannotUse(directory, "ENOTDIR", `${path === directory ? "it" : path} is no directory`, environment);
  }
  if (trouble !== undefined && trouble !== "absent") {
    throw cannotUse(directory, trouble.code, trouble.text, environment);
  }
  if (path !== directory && kernelFilesystems.has((await statfs(path)).type)) {
    throw cannotUse(directory, "EROFS", `nothing can be made in ${path}`, environment);
  }
  for (const name of files) {
    const file = join(directory, name);
    const found = await tryPath(file, constants.R_OK | constants.W_OK);
    if (found !== undefined && found !== "absent") throw cannotUse(file, found.code, found.text, environment);
  }
}

async function isOther(path: string): Promise<boolean> {
  return await stat(path).then(
    (found) => !found.isDirectory(),
    () => false,
  );
}

async function tryPath(
  path: string,
  mode: number,
): Promise<"absent" | undefined | { readonly code: string; readonly text: string }> {
  try {
    await access(path, mode);
    return undefined;
  } catch (error) {
    const code = systemCodeOf(error) ?? "";
    if (code === "ENOENT") return "absent";
    return { code, text: troubleWithFile(error) ?? code };
  }
}

function cannotUse(
  path: string,
  code: string,
  trouble: string,
  environment: Readonly<Record<string, string | undefined>>,
): BakeError {
  return new BakeError("usage", `cannot write to ${path}: ${trouble}`, {
    hint: remedyFor(path, code, environment),
  });
}

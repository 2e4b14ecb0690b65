import { BakeError } from "../base/errors.ts";
import { troubleWithFile } from "../base/file-trouble.ts";
import type { Listener } from "../report/events.ts";
import type { Context, GlobalOptions } from "./context.ts";
import { localCloudDirectory } from "./data-directory.ts";

const message = "the base image was made by an older bake-ami";
const hint = "bake-ami local setup --force";

/** Tells of a base image on this computer that may not work with this bake-ami; on AWS there is none. */
export async function warnOfOldBase(
  options: GlobalOptions,
  context: Context,
  listener: Listener,
): Promise<void> {
  if (!options.local) return;
  const outdated = await isOutdated(context).catch((error: unknown) => {
    // Whoever needs the directory says so better.
    if (troubleWithFile(error) === undefined) throw error;
    return false;
  });
  if (outdated) {
    listener({ type: "warning", at: Date.now(), message, hint: `make it anew: \`${hint}\`` });
  }
}

/**
 * For a list of checks.
 * @throws BakeError `failed` when a base image is outdated.
 */
export async function checkBase(context: Context): Promise<string> {
  if (await isOutdated(context)) throw new BakeError("failed", message, { hint });
  return "made by this bake-ami, or not made yet";
}

async function isOutdated(context: Context): Promise<boolean> {
  const { outdatedBaseImages } = await import("../local/index.ts");
  return (await outdatedBaseImages(localCloudDirectory(context.environment))).length > 0;
}

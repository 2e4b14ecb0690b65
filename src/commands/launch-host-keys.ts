import { BakeError, messageOf } from "../base/errors.ts";
import type { LaunchOptions } from "../launch/launch.ts";
import type { Launched } from "../launch/wait.ts";
import type { Context } from "./context.ts";
import { HostKeys } from "./host-keys.ts";
import { writeKnownHosts } from "./known-hosts-file.ts";
import type { Result } from "./session.ts";

/**
 * Waits until the consoles of launched machines show their host keys, and writes them to a known_hosts file.
 * @returns the launch's result; with an error when that did not work, for the machines run all the same
 * @throws BakeError `interrupted`
 */
export async function keepHostKeys(
  file: string,
  launched: readonly Launched[],
  result: Result,
  { cloud, owner, signal }: LaunchOptions,
  context: Context,
): Promise<Result> {
  try {
    const keys = await HostKeys.open(cloud, owner, context.environment);
    const hosts = await Promise.all(
      launched.map(async ({ instance }) => ({
        address: instance.publicAddress ?? instance.privateAddress ?? instance.id,
        port: instance.sshPort,
        keys: await keys.of(instance.id, signal),
      })),
    );
    await writeKnownHosts(file, hosts);
    return result;
  } catch (error) {
    if (signal.aborted) throw error;
    if (result.error !== undefined) return result;
    const what =
      error instanceof BakeError ? error : new BakeError("failed", messageOf(error), { cause: error });
    const hint = `the machines run; \`bake-ami ssh\` learns their host keys itself`;
    return { ...result, error: new BakeError(what.kind, what.message, { cause: error, hint }) };
  }
}

import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Cloud } from "../aws/cloud.ts";
import { consoleOutput, type Instance } from "../aws/instances.ts";
import { poll } from "../aws/poll.ts";
import { tagKeys } from "../aws/tags.ts";
import { BakeError } from "../base/errors.ts";
import type { Secret } from "../base/ids.ts";
import { ownMachines, pickMachine } from "../launch/machines.ts";
import { readHostKeys } from "../launch/outcome.ts";
import type { SshTarget } from "../machine/target.ts";
import type { Context, GlobalOptions } from "./context.ts";
import { dataDirectory } from "./data-directory.ts";
import { openEndpoint } from "./endpoint.ts";
import { loginKey } from "./login-key.ts";
import { openRunRecords } from "./run-records.ts";

export interface Reachable {
  readonly cloud: Cloud;
  readonly instance: Instance;
  readonly target: SshTarget;
}

export interface ReachOptions extends GlobalOptions {
  readonly identity: string | undefined;
  readonly sshProxyCommand: string | undefined;
}

/** How long a console may take to show the host keys; EC2 fills it in within some minutes. In seconds. */
const consoleDeadlineSeconds = 300;

/**
 * Finds a machine and what is needed to log in to it: its address, its host keys, and a login key.
 * @throws BakeError `not-found`, `usage`, or `timeout` when the console shows no host keys.
 */
export async function reachMachine(
  options: ReachOptions,
  context: Context,
  wanted: string,
  signal: AbortSignal,
): Promise<Reachable> {
  const { cloud, ownerOf } = await openEndpoint(options, context);
  const instance = pickMachine(await ownMachines(cloud, await ownerOf(signal), signal), wanted);
  const host = instance.publicAddress ?? instance.privateAddress;
  if (instance.state !== "running" || host === undefined) {
    throw new BakeError("failed", `${instance.id} is ${instance.state}, so there is nothing to log in to`);
  }
  const { privateKey, hostKeys } = await keysOf(instance, options, context, { cloud, signal });
  return {
    cloud,
    instance,
    target: {
      host,
      port: instance.sshPort,
      user: instance.tags.get(tagKeys.login) ?? "ec2-user",
      privateKey,
      hostKeys,
      proxyCommand: options.sshProxyCommand,
      instanceId: instance.id,
    },
  };
}

/** A builder's keys are on the computer that started it; a machine lets in the user's key, and shows its own host keys. */
async function keysOf(
  instance: Instance,
  options: ReachOptions,
  context: Context,
  { cloud, signal }: { readonly cloud: Cloud; readonly signal: AbortSignal },
): Promise<{ readonly privateKey: Secret; readonly hostKeys: readonly string[] }> {
  if (instance.tags.get(tagKeys.role) !== "builder") {
    const key = await loginKey(context.environment, options.identity);
    return { privateKey: key.privateKey, hostKeys: await knownHostKeys(cloud, instance.id, context, signal) };
  }
  const run = instance.tags.get(tagKeys.run) ?? "";
  const record = await openRunRecords(context.environment, () => undefined).load(run);
  if (record !== undefined) return { privateKey: record.loginKey, hostKeys: [record.hostKey] };
  throw new BakeError("usage", `${instance.id} is a builder, and its keys are not on this computer`, {
    hint: "its bake was started elsewhere; `bake-ami cleanup` ends it",
  });
}

/** The host keys from the machine's console; remembered, because a console keeps its newest output alone. */
async function knownHostKeys(
  cloud: Cloud,
  id: string,
  context: Context,
  signal: AbortSignal,
): Promise<string[]> {
  const directory = join(dataDirectory(context.environment), "host-keys");
  const file = join(directory, id);
  try {
    return (await readFile(file, "utf8")).split("\n").filter((line) => line !== "");
  } catch {
    // Not seen yet.
  }
  const keys = await poll(
    `the host keys of ${id} on its console`,
    consoleDeadlineSeconds,
    signal,
    async (inner) => {
      const found = readHostKeys(await consoleOutput(cloud, id, inner));
      return found.length > 0 ? found : undefined;
    },
  );
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await writeFile(file, `${keys.join("\n")}\n`, { mode: 0o600 });
  return keys;
}

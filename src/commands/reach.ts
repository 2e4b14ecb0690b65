import type { Cloud } from "../aws/cloud.ts";
import type { Instance } from "../aws/instances.ts";
import { tagKeys } from "../aws/tags.ts";
import { BakeError } from "../base/errors.ts";
import type { Secret } from "../base/ids.ts";
import { ownMachines, pickMachine } from "../launch/machines.ts";
import type { SshTarget } from "../machine/target.ts";
import type { Context, GlobalOptions } from "./context.ts";
import { openEndpoint } from "./endpoint.ts";
import { HostKeys } from "./host-keys.ts";
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
  /** The user to log in as, where the machine's image does not say or is wrong. */
  readonly login: string | undefined;
}

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
  const owner = await ownerOf(signal);
  const instance = pickMachine(await ownMachines(cloud, owner, signal), wanted);
  return {
    cloud,
    instance,
    target: await reachInstance(instance, options, context, { cloud, owner, signal }),
  };
}

/** Whose machine it is, and in which cloud. */
export interface Whose {
  readonly cloud: Cloud;
  readonly owner: string;
  readonly signal: AbortSignal;
}

/**
 * What is needed to log in to a machine: its address, its host keys, and a login key.
 * @throws BakeError `usage` when it does not run, or `timeout` when the console shows no host keys.
 */
export async function reachInstance(
  instance: Instance,
  options: Omit<ReachOptions, keyof GlobalOptions>,
  context: Context,
  whose: Whose,
): Promise<SshTarget> {
  const host = instance.publicAddress ?? instance.privateAddress;
  if (instance.state !== "running" || host === undefined) {
    throw new BakeError("usage", `${instance.id} is ${instance.state}, so there is nothing to log in to`);
  }
  const { privateKey, hostKeys } = await keysOf(instance, options, context, whose);
  return {
    host,
    port: instance.sshPort,
    user: options.login ?? instance.tags.get(tagKeys.login) ?? "ec2-user",
    privateKey,
    hostKeys,
    proxyCommand: options.sshProxyCommand,
    instanceId: instance.id,
  };
}

/** A builder's keys are on the computer that started it; a machine lets in the user's key, and shows its own host keys. */
async function keysOf(
  instance: Instance,
  options: Pick<ReachOptions, "identity">,
  context: Context,
  { cloud, owner, signal }: Whose,
): Promise<{ readonly privateKey: Secret; readonly hostKeys: readonly string[] }> {
  if (instance.tags.get(tagKeys.role) !== "builder") {
    const key = await loginKey(context.environment, options.identity);
    const known = await HostKeys.open(cloud, owner, context.environment);
    return { privateKey: key.privateKey, hostKeys: await known.of(instance.id, signal) };
  }
  const run = instance.tags.get(tagKeys.run) ?? "";
  const record = await openRunRecords(context.environment, () => undefined).load(run);
  if (record !== undefined) return { privateKey: record.loginKey, hostKeys: [record.hostKey] };
  throw new BakeError("usage", `${instance.id} is a builder, and its keys are not on this computer`, {
    hint: "its bake was started elsewhere; `bake-ami cleanup` ends it",
  });
}

import type { Cloud } from "../aws/cloud.ts";
import type { Instance } from "../aws/instances.ts";
import { tagKeys } from "../aws/tags.ts";
import { BakeError } from "../base/errors.ts";
import { newRunId } from "../base/ids.ts";
import { bootCommands, deadlineCommand } from "../machine/boot-commands.ts";
import { newKeyPair } from "../machine/keys.ts";
import type { Listener } from "../report/events.ts";
import { findImage } from "./choose-image.ts";
import { MachineHandle } from "./handle-machine.ts";
import { checkInstanceType } from "./instance-type.ts";
import { launch } from "./launch.ts";
import { terminateMachines } from "./machines.ts";
import type { InstanceSettings } from "./options.ts";
import type { RequestLine } from "./request-lines.ts";
import type { Launched } from "./wait.ts";
import { waitForHostKeys } from "./wait-host-keys.ts";

export { MachineHandle, type RunOptions, type RunResult } from "./handle-machine.ts";

/** What the machine is to be. */
export interface MachineOptions {
  readonly cloud: Cloud;
  /** Services that it must have, or the id of an image; as `bake-ami launch` takes them. */
  readonly from: readonly string[];
  /** Services to add, which its image may lack. */
  readonly with?: readonly string[];
  /** Who may reach it over SSH, such as `203.0.113.7/32`. */
  readonly allow: readonly string[];
  /** More ports to open for them. */
  readonly ports?: readonly number[];
  /** Default: `t3.small`, or `t4g.small` on arm64. */
  readonly instanceType?: string;
  readonly instance?: InstanceSettings;
  /** Parameters and the like; see `RequestLine`. */
  readonly request?: readonly RequestLine[];
  /** Whose it is. Default: who calls, by STS. */
  readonly owner?: string;
  /** The user to log in as, where the image does not say. */
  readonly login?: string;
  /** Reach it through this command; %h, %p, %r and %i are replaced. */
  readonly sshProxyCommand?: string;
  /** How long its first update may take. Default: 1200. */
  readonly updateSeconds?: number;
  /** After this it ends itself, whatever has become of the caller. Default: a day. */
  readonly maxSeconds?: number;
  readonly listener?: Listener;
  readonly signal?: AbortSignal;
}

const defaultTypes: Readonly<Record<string, string>> = { arm64: "t4g.small" };
const endDeadlineSeconds = 600;

/**
 * Starts a machine, waits until its first update has succeeded, and gives a handle to work on it; disposing of that ends it:
 *
 *     await using machine = await launchMachine({ cloud, from: ["web"], allow: ["203.0.113.7/32"] });
 *     const { stdout } = await machine.run("uname -r");
 *
 * Its login key is made for it and never leaves this process. A machine whose process is killed ends itself after
 * `maxSeconds`, and `bake-ami cleanup` ends it then too.
 * @throws BakeError `usage` before anything is started; `phase-failed` when the update failed, after the machine was ended;
 *   others as {@link launch} does.
 */
export async function launchMachine(options: MachineOptions): Promise<MachineHandle> {
  const { cloud, listener = (): void => undefined, updateSeconds = 1200, maxSeconds = 86_400 } = options;
  const { signal = new AbortController().signal } = options;
  const owner = options.owner ?? (await cloud.callerArn(signal));
  const request = { owner, names: options.from, extra: options.with ?? [], local: undefined };
  const choice = await findImage(cloud, request, signal);
  const instanceType = options.instanceType ?? defaultTypes[choice.image.architecture] ?? "t3.small";
  if (options.instanceType !== undefined) await checkInstanceType(cloud, instanceType, choice.image, signal);
  const deadline = cloud.clock.now() + maxSeconds * 1000;
  const key = newKeyPair("bake-ami");
  const [launched] = await launch({
    cloud,
    choice,
    run: newRunId(new Date(cloud.clock.now())),
    owner,
    role: "job",
    expires: new Date(deadline),
    bootcmd: bootCommands([deadlineCommand(deadline / 1000)]).join("\n"),
    shutdownBehavior: "terminate",
    instanceType,
    count: 1,
    ports: [22, ...(options.ports ?? [])].flatMap((port) => options.allow.map((cidr) => ({ port, cidr }))),
    loginKey: key.publicKey,
    waitSeconds: updateSeconds,
    listener,
    signal,
    ...(options.instance === undefined ? {} : { instance: options.instance }),
    ...(options.request === undefined ? {} : { request: options.request }),
    ...(options.login === undefined ? {} : { login: options.login }),
  });
  if (launched === undefined) throw new BakeError("cloud", "EC2 started no machine");
  const { instance } = launched;
  const terminate = async (): Promise<void> => {
    const own = AbortSignal.timeout(endDeadlineSeconds * 1000);
    await terminateMachines(cloud, [instance], listener, own);
  };
  try {
    checkUpdate(launched);
    const hostKeys = await waitForHostKeys(cloud, instance.id, signal);
    return new MachineHandle({
      launched,
      target: {
        host: addressOf(instance),
        port: instance.sshPort,
        user: options.login ?? instance.tags.get(tagKeys.login) ?? "ec2-user",
        privateKey: key.privateKey,
        hostKeys,
        proxyCommand: options.sshProxyCommand,
        instanceId: instance.id,
      },
      terminate,
      listener,
      signal,
    });
  } catch (error) {
    await terminate();
    throw error;
  }
}

function addressOf({ id, publicAddress, privateAddress }: Instance): string {
  const address = publicAddress ?? privateAddress;
  if (address === undefined) throw new BakeError("cloud", `${id} has no address`);
  return address;
}

/** @throws BakeError `phase-failed`, or why the update was not seen to end */
function checkUpdate({ instance, outcome, trouble }: Launched): void {
  if (trouble !== undefined) throw trouble;
  if (outcome?.result !== "failed") return;
  const names = [...outcome.failed, ...outcome.notStarted].join(", ");
  throw new BakeError("phase-failed", `the update of ${instance.id} failed: ${names}`, {
    details: outcome.reasons,
  });
}

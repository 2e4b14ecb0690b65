import { endedEarly, findInstance, type Instance } from "../aws/instances.ts";
import type { Creation } from "../aws/temporary.ts";
import { BakeError } from "../base/errors.ts";
import type { Secret } from "../base/ids.ts";
import type { Scope } from "../base/scope.ts";
import { beginStage } from "../report/stage.ts";
import type { BuilderMachine, OpenMachine } from "./builder-machine.ts";
import { addressOf, type SshInterface } from "../aws/placement.ts";

/** What making a builder needs beside everything that any creation needs. */
export interface BuilderCreation extends Creation {
  /** Holds the open connections, which end whether the builder stays or not. */
  readonly connections: Scope;
}

/** By which way builders are reached. */
export interface Reach {
  readonly sshInterface: SshInterface;
  readonly sshProxyCommand: string | undefined;
  readonly openMachine: OpenMachine;
}

export interface Login {
  readonly reach: Reach;
  readonly login: string;
  readonly loginKey: Secret;
  /** Of the host, public half. */
  readonly hostKey: string;
  /** Told when the machine's SSH server speaks for the first time. */
  readonly onAnswer: () => void;
}

/** How long the machine may take to let us in, in seconds. */
const loginDeadlineSeconds = 600;

/**
 * Connects to a running builder; the connection ends with the scope.
 * @throws BakeError `failed` when the instance ends, `timeout` when it never answers, `host-key`, `login`.
 */
export async function connectTo(
  creation: BuilderCreation,
  instance: Instance,
  login: Login,
): Promise<BuilderMachine> {
  const { cloud, connections, listener, signal } = creation;
  const { reach } = login;
  const host =
    addressOf(instance, reach.sshInterface) ??
    (reach.sshProxyCommand === undefined ? undefined : instance.id);
  if (host === undefined) {
    throw new BakeError("cloud", `instance ${instance.id} has no ${reach.sshInterface} address`, {
      hint: "choose another way to reach it with --ssh-interface, or another subnet with --subnet",
    });
  }
  let connected: (() => void) | undefined;
  const machine = reach.openMachine(
    {
      host,
      port: instance.sshPort,
      user: login.login,
      privateKey: login.loginKey,
      hostKeys: [login.hostKey],
      proxyCommand: reach.sshProxyCommand,
      instanceId: instance.id,
    },
    {
      deadlineSeconds: loginDeadlineSeconds,
      hint: `\`aws ec2 get-console-output --instance-id ${instance.id}\` shows how far it booted`,
      checkAlive: async (inner) => {
        const now = await findInstance(cloud, instance.id, inner);
        if (now !== undefined && now.state !== "running" && now.state !== "pending") throw endedEarly(now);
      },
      onAnswer: () => {
        if (connected !== undefined) return;
        login.onAnswer();
        connected = beginStage(listener, "connect", host);
      },
    },
    listener,
  );
  connections.defer("connection", async () => {
    await machine[Symbol.asyncDispose]();
  });
  await machine.connect(signal);
  connected?.();
  return machine;
}

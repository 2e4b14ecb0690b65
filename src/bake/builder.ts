import { endedEarly, findInstance, runInstances, waitForState } from "../aws/instances.ts";
import { runTags } from "../aws/tags.ts";
import { temporaryGroup, temporaryInstances, temporaryKeyPair, type Creation } from "../aws/temporary.ts";
import { BakeError } from "../base/errors.ts";
import { newKeyPair } from "../machine/keys.ts";
import { Machine } from "../machine/machine.ts";
import { inStage } from "../report/stage.ts";
import type { Source } from "./source.ts";
import { builderUserData } from "./user-data.ts";

export interface BuilderRequest {
  readonly run: string;
  readonly owner: string;
  readonly expires: Date;
  readonly source: Source;
  readonly instanceType: string;
  readonly allowCidr: string;
  readonly sshProxyCommand: string | undefined;
}

export interface Builder {
  readonly instanceId: string;
  /** Connected. */
  readonly machine: Machine;
}

/** How long EC2 may take to call the instance running, and the machine to let us in, in seconds. */
const runningDeadlineSeconds = 600;
const loginDeadlineSeconds = 600;

/**
 * Starts a temporary machine with a login key and a host key of its own, and connects to it. All of it is undone by
 * the scope.
 * @throws BakeError `failed` when the instance ends, `timeout` when it never answers.
 */
export async function startBuilder(creation: Creation, request: BuilderRequest): Promise<Builder> {
  const { cloud, scope, listener, signal } = creation;
  const tags = (role: "builder" | "builder-key" | "builder-group"): Map<string, string> =>
    runTags({ run: request.run, owner: request.owner, role, expires: request.expires });
  const loginKey = newKeyPair(`bake-ami ${request.run}`);
  const hostKey = newKeyPair("");
  const name = `bake-ami-${request.run}`;

  const group = await inStage(listener, "prepare", async () => {
    await temporaryKeyPair(creation, name, loginKey.publicKey, tags("builder-key"));
    return await temporaryGroup(creation, {
      name,
      description: "SSH to a bake-ami builder",
      tags: tags("builder-group"),
      ports: [{ port: 22, cidr: request.allowCidr }],
    });
  });

  const bootStarted = Date.now();
  listener({ type: "stage-started", at: bootStarted, stage: "boot", detail: request.source.image.id });
  const [started] = await runInstances(
    cloud,
    {
      imageId: request.source.image.id,
      type: request.instanceType,
      count: 1,
      keyName: name,
      groupIds: [group.id],
      subnetId: undefined,
      userData: builderUserData(hostKey, request.expires),
      clientToken: name,
      tags: tags("builder"),
      shutdownBehavior: "terminate",
    },
    signal,
  );
  if (started === undefined) throw new BakeError("cloud", "RunInstances started nothing");
  temporaryInstances(creation, [started.id]);
  const running = await waitForState(cloud, started.id, "running", runningDeadlineSeconds, signal);
  const host = running?.publicAddress ?? running?.privateAddress;
  if (running === undefined || host === undefined) {
    throw new BakeError("cloud", `instance ${started.id} has no address`);
  }
  let answeredAt: number | undefined;
  const machine = new Machine(
    {
      host,
      port: running.sshPort,
      user: request.source.login,
      privateKey: loginKey.privateKey,
      hostKeys: [hostKey.publicKey],
      proxyCommand: request.sshProxyCommand,
      instanceId: started.id,
    },
    {
      deadlineSeconds: loginDeadlineSeconds,
      hint: `\`aws ec2 get-console-output --instance-id ${started.id}\` shows how far it booted`,
      checkAlive: async (inner) => {
        const now = await findInstance(cloud, started.id, inner);
        if (now !== undefined && now.state !== "running" && now.state !== "pending") throw endedEarly(now);
      },
      onAnswer: () => {
        if (answeredAt !== undefined) return;
        answeredAt = Date.now();
        listener({
          type: "stage-finished",
          at: answeredAt,
          stage: "boot",
          durationMs: answeredAt - bootStarted,
        });
        listener({ type: "stage-started", at: answeredAt, stage: "connect", detail: host });
      },
    },
  );
  scope.defer("connection", () => machine[Symbol.asyncDispose]());
  await machine.connect(signal);
  const connectedAt = Date.now();
  listener({
    type: "stage-finished",
    at: connectedAt,
    stage: "connect",
    durationMs: connectedAt - (answeredAt ?? connectedAt),
  });
  return { instanceId: started.id, machine };
}

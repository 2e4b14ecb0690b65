import type { OpenPort } from "../aws/access.ts";
import type { Cloud } from "../aws/cloud.ts";
import { runInstances, waitForStates, type Instance } from "../aws/instances.ts";
import { imageTags, initOf, namesIn, runTags, tagKeys } from "../aws/tags.ts";
import {
  temporaryGroup,
  temporaryInstances,
  temporaryKeyPair,
  warnOfLeftover,
  type Creation,
} from "../aws/temporary.ts";
import { BakeError } from "../base/errors.ts";
import { Scope } from "../base/scope.ts";
import { throwIfAborted } from "../base/wait.ts";
import type { Listener } from "../report/events.ts";
import { inStage } from "../report/stage.ts";
import type { Choice } from "./choose-image.ts";
import { isBaked } from "./known-services.ts";
import { waitForUpdates, type Launched } from "./wait.ts";

export interface LaunchOptions {
  readonly cloud: Cloud;
  readonly choice: Choice;
  readonly run: string;
  readonly owner: string;
  readonly instanceType: string;
  readonly count: number;
  /** Ports to open, SSH's included where it is wanted. */
  readonly ports: readonly OpenPort[];
  /** The public key that may log in. */
  readonly loginKey: string;
  /** The user that it logs in as, where the image does not say or is wrong. */
  readonly login?: string;
  /** Whether to wait for the update of every machine, and how long, in seconds. */
  readonly waitSeconds: number | undefined;
  readonly listener: Listener;
  readonly signal: AbortSignal;
}

const runningDeadlineSeconds = 600;
const undoDeadlineSeconds = 600;

/**
 * Starts machines from an image. Until they run everything is undone when something goes wrong, and on an interruption
 * until their update was waited for; a machine whose update failed or was not seen stays, so that one can look at it.
 * @throws BakeError as the rooms below throw them.
 */
export async function launch(options: LaunchOptions): Promise<Launched[]> {
  const { cloud, choice, listener, signal } = options;
  const withTag = choice.late.join(" ");
  if (withTag.length > 256) {
    throw new BakeError(
      "usage",
      `the names of the added services take ${withTag.length} characters, and a tag 256`,
      {
        hint: "make one service that requires them all",
      },
    );
  }
  const tagsFor = (role: "machine" | "machine-key" | "machine-group"): Map<string, string> =>
    runTags({ run: options.run, owner: options.owner, role });
  await using scope = new Scope(undoDeadlineSeconds, warnOfLeftover(listener));
  const creation: Creation = { cloud, scope, listener, signal };
  const name = `bake-ami-${options.run}`;

  const running = await inStage(listener, "launch", async () => {
    // EC2 copies the public key at the launch; the key pair itself goes again when this is over.
    await temporaryKeyPair(creation, name, options.loginKey, tagsFor("machine-key"));
    const group = await temporaryGroup(creation, {
      name,
      description: "machines of bake-ami",
      tags: tagsFor("machine-group"),
      ports: options.ports,
    });
    const started = await runInstances(
      cloud,
      {
        imageId: choice.image.id,
        type: options.instanceType,
        count: options.count,
        keyName: name,
        groupIds: [group.id],
        subnetId: undefined,
        userData: undefined,
        clientToken: name,
        tags: machineTags(tagsFor("machine"), options),
        shutdownBehavior: "stop",
      },
      signal,
    );
    const ids = started.map((instance) => instance.id);
    const keepInstances = temporaryInstances(creation, ids);
    const ready = await waitForStates(cloud, ids, "running", runningDeadlineSeconds, signal);
    return {
      instances: ready.flatMap((instance) => (instance === undefined ? [] : [instance])),
      keep: (): void => {
        keepInstances();
        group.keep();
      },
    };
  });
  const launched = await waitFor(options, running.instances);
  throwIfAborted(signal);
  running.keep();
  return launched;
}

/** What the machine and `ls` need to know: the image's services, and the ones to add. */
function machineTags(tags: Map<string, string>, { choice, ...options }: LaunchOptions): Map<string, string> {
  const image = choice.image.tags;
  const copied = imageTags(namesIn(image, tagKeys.services), initOf(image));
  for (const [key, value] of copied) tags.set(key, value);
  const login = options.login ?? image.get(tagKeys.login);
  if (login !== undefined) tags.set(tagKeys.login, login);
  if (choice.late.length > 0) tags.set(tagKeys.with, choice.late.join(" "));
  return tags;
}

async function waitFor(options: LaunchOptions, instances: readonly Instance[]): Promise<Launched[]> {
  const { cloud, choice, waitSeconds, listener, signal } = options;
  if (waitSeconds !== undefined && isBaked(choice.image)) {
    return await waitForUpdates(cloud, instances, waitSeconds, listener, signal);
  }
  if (waitSeconds !== undefined) {
    const message = `${choice.image.id} was not baked by bake-ami: its machines have no update to wait for`;
    listener({ type: "note", at: Date.now(), message });
  }
  return instances.map((instance) => ({ instance, outcome: undefined }));
}

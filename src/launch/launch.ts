import { runInstances, waitForStates, type Instance } from "../aws/instances.ts";
import { imageTags, initOf, namesIn, runTags, tagKeys, type Role } from "../aws/tags.ts";
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
import { inStage } from "../report/stage.ts";
import { isBaked } from "./known-services.ts";
import type { LaunchOptions } from "./options.ts";
import { launchUserData } from "./user-data.ts";
import { waitForUpdates, type Launched } from "./wait.ts";

export type { LaunchOptions } from "./options.ts";

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
  const { run, owner, expires } = options;
  const userData = launchUserData({
    lines: options.request ?? [],
    ...(options.userData === undefined ? {} : { own: options.userData }),
    ...(options.bootcmd === undefined ? {} : { bootcmd: options.bootcmd }),
  });
  const tagsFor = (role: Role): Map<string, string> =>
    new Map([
      ...(options.extraTags ?? []),
      ...runTags({ run, owner, role, ...(expires === undefined ? {} : { expires }) }),
    ]);
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
        userData,
        clientToken: name,
        tags: machineTags(tagsFor(options.role ?? "machine"), options),
        shutdownBehavior: options.shutdownBehavior ?? "stop",
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

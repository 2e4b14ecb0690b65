import type { Instance } from "../aws/instances.ts";
import { tagKeys } from "../aws/tags.ts";
import { temporaryGroup, temporaryKeyPair, warnOfLeftover, type Creation } from "../aws/temporary.ts";
import { Scope } from "../base/scope.ts";
import { throwIfAborted } from "../base/wait.ts";
import { inStage } from "../report/stage.ts";
import { bindAddress, newAddress } from "./elastic-ip.ts";
import { isBaked } from "./known-services.ts";
import type { LaunchOptions } from "./options.ts";
import { prepareLaunch, type PreparedLaunch } from "./prepare-launch.ts";
import { startMachines, type Access, type Started } from "./start-machines.ts";
import { waitForUpdates, type Launched } from "./wait.ts";

export type { InstanceSettings, LaunchOptions } from "./options.ts";

const undoDeadlineSeconds = 600;

/**
 * Starts machines from an image. Until they run everything is undone when something goes wrong, and on an interruption
 * until their update was waited for; a machine whose update failed or was not seen stays, so that one can look at it.
 * @throws BakeError as the rooms below throw them.
 */
export async function launch(options: LaunchOptions): Promise<Launched[]> {
  const { cloud, listener, signal } = options;
  const prepared = await prepareLaunch(options);
  await using scope = new Scope(undoDeadlineSeconds, warnOfLeftover(listener));
  const creation: Creation = { cloud, scope, listener, signal };
  const running = await inStage(listener, "launch", () => start(creation, options, prepared));
  const launched = await waitFor(options, running.instances);
  throwIfAborted(signal);
  running.keep();
  return launched;
}

async function start(creation: Creation, options: LaunchOptions, prepared: PreparedLaunch): Promise<Started> {
  const keeps: (() => void)[] = [];
  const access = await giveAccess(creation, options, prepared, keeps);
  let { address, machineTags } = prepared;
  if (options.instance?.elasticIp?.kind === "new") {
    const allocated = await newAddress(creation, prepared.tagsFor("machine-address"));
    keeps.push(allocated.keep);
    address = allocated;
    machineTags = new Map([...machineTags, [tagKeys.address, allocated.id]]);
  }
  const started = await startMachines(creation, options, { ...prepared, machineTags }, access);
  keeps.push(started.keep);
  const instances = [];
  for (const instance of started.instances) {
    if (address !== undefined) keeps.push(await bindAddress(creation, address, instance.id));
    instances.push(address === undefined ? instance : { ...instance, publicAddress: address.address });
  }
  return {
    instances,
    keep: () => {
      for (const keep of keeps) keep();
    },
  };
}

/** The login key and the group of the launch, unless the user has some. */
async function giveAccess(
  creation: Creation,
  options: LaunchOptions,
  { place, tagsFor }: PreparedLaunch,
  keeps: (() => void)[],
): Promise<Access> {
  const name = `bake-ami-${options.run}`;
  const { keyName, groupIds } = options.instance ?? {};
  // EC2 copies the public key at the launch; the key pair itself goes again when this is over.
  if (keyName === undefined) {
    await temporaryKeyPair(creation, name, options.loginKey, tagsFor("machine-key"));
  }
  if (groupIds !== undefined && groupIds.length > 0) return { name, keyName: keyName ?? name, groupIds };
  const group = await temporaryGroup(creation, {
    name,
    description: "machines of bake-ami",
    tags: tagsFor("machine-group"),
    vpcId: place.vpcId,
    ports: options.ports,
  });
  keeps.push(group.keep);
  return { name, keyName: keyName ?? name, groupIds: [group.id] };
}

async function waitFor(options: LaunchOptions, instances: readonly Instance[]): Promise<Launched[]> {
  const { cloud, choice, waitSeconds, listener, signal, watch } = options;
  if (waitSeconds !== undefined && isBaked(choice.image)) {
    return await waitForUpdates(cloud, instances, waitSeconds, listener, signal, watch);
  }
  if (waitSeconds !== undefined) {
    const message = `${choice.image.id} was not baked by bake-ami: its machines have no update to wait for`;
    listener({ type: "note", at: Date.now(), message });
  }
  return instances.map((instance) => ({ instance, outcome: undefined }));
}

import { defaultGroup, deleteKeyPair, deleteSecurityGroup } from "../aws/access.ts";
import { problemOf } from "../aws/cloud-error.ts";
import {
  endedEarly,
  runInstances,
  setGroups,
  waitForState,
  type Instance,
  type RootVolume,
} from "../aws/instances.ts";
import { runTags, tagKeys, type Role } from "../aws/tags.ts";
import {
  temporaryGroup,
  temporaryInstances,
  temporaryKeyPair,
  type Created,
  type Creation,
} from "../aws/temporary.ts";
import { BakeError, messageOf } from "../base/errors.ts";
import { throwIfAborted } from "../base/wait.ts";
import { newKeyPair } from "../machine/keys.ts";
import { beginStage, inStage } from "../report/stage.ts";
import { connectTo, type BuilderCreation, type Reach } from "./connect.ts";
import type { BuilderMachine } from "./builder-machine.ts";
import { attempts, describeAttempt, type Attempt, type Place } from "../aws/placement.ts";
import type { BuilderRecords } from "./records.ts";
import type { Source } from "./source.ts";
import { builderUserData } from "./user-data.ts";

export interface BuilderRequest {
  readonly run: string;
  readonly owner: string;
  readonly expires: Date;
  /** Of what is being baked, so that another command can join. */
  readonly digest: string;
  readonly services: readonly string[];
  readonly source: Source;
  /** Tried in turn. */
  readonly types: readonly string[];
  readonly place: Place;
  readonly spot: boolean;
  readonly rootVolume: Omit<RootVolume, "deviceName"> | undefined;
  readonly instanceProfile: string | undefined;
  readonly extraTags: ReadonlyMap<string, string>;
  /** Who may reach the SSH port; empty for nobody, as with Session Manager. */
  readonly allowCidrs: readonly string[];
  readonly reach: Reach;
  readonly records: BuilderRecords;
  /** Told the id of an instance as soon as there is one. */
  readonly onStarted: (instanceId: string) => void;
}

/** A temporary machine that becomes an image. */
export interface Builder {
  readonly instanceId: string;
  /** The run that it carries in its tags, which may be of an earlier command. */
  readonly run: string;
  readonly spot: boolean;
  /** Connected; undefined when the builder is stopped, which it is only when it is sealed. */
  readonly machine: BuilderMachine | undefined;
  /** Deletes its key pair and its group, when nobody needs to reach it any more. What fails here is done at the end. */
  readonly releaseAccess: () => Promise<void>;
}

/** How long EC2 may take to call the instance running, in seconds. */
const runningDeadlineSeconds = 600;

/**
 * Starts a temporary machine with a login key and a host key of its own, and connects to it. All of it is undone by
 * the scope.
 * @throws BakeError `failed` when the instance ends or nothing has capacity, `timeout` when it never answers.
 */
export async function startBuilder(creation: BuilderCreation, request: BuilderRequest): Promise<Builder> {
  const { listener } = creation;
  const tags = (role: Role): Map<string, string> =>
    new Map([
      ...request.extraTags,
      ...runTags({ run: request.run, owner: request.owner, role, expires: request.expires }),
    ]);
  const loginKey = newKeyPair(`bake-ami ${request.run}`);
  const hostKey = newKeyPair("");
  const name = `bake-ami-${request.run}`;
  const { run, services, place } = request;

  const { key, group } = await inStage(listener, "prepare", async () => {
    await request.records.save({
      run,
      services,
      loginKey: loginKey.privateKey,
      hostKey: hostKey.publicKey,
    });
    creation.scope.defer("the builder's keys on this computer", () => request.records.remove(run));
    return {
      key: await temporaryKeyPair(creation, name, loginKey.publicKey, tags("builder-key")),
      group: await temporaryGroup(creation, {
        name,
        description: "SSH to a bake-ami builder",
        tags: tags("builder-group"),
        vpcId: place.vpcId,
        ports: request.allowCidrs.map((cidr) => ({ port: 22, cidr })),
      }),
    };
  });

  const booted = beginStage(listener, "boot", request.source.image.id);
  const userData = builderUserData(hostKey, request.expires);
  const builderTags = tags("builder")
    .set(tagKeys.digest, request.digest)
    .set(tagKeys.services, services.join(" "))
    .set(tagKeys.login, request.source.login);
  const started = await startSomewhere(creation, request, { name, groupId: group.id, userData, builderTags });
  const machine = await connectTo(creation, started.instance, {
    reach: request.reach,
    login: request.source.login,
    loginKey: loginKey.privateKey,
    hostKey: hostKey.publicKey,
    onAnswer: booted,
  });
  return {
    instanceId: started.instance.id,
    run,
    spot: started.attempt.spot,
    machine,
    releaseAccess: () => releaseAccess(creation, { key, group, vpcId: place.vpcId }, started.instance.id),
  };
}

interface Launch {
  readonly name: string;
  readonly groupId: string;
  readonly userData: string;
  readonly builderTags: ReadonlyMap<string, string>;
}

/** Tries one way after the other for as long as EC2 has no capacity; any other refusal ends it. */
async function startSomewhere(
  creation: Creation,
  request: BuilderRequest,
  launch: Launch,
): Promise<{ instance: Instance; attempt: Attempt }> {
  const { listener, signal } = creation;
  const refusals: string[] = [];
  const ways = attempts(request.types, request.place.subnets, request.spot);
  for (const [index, attempt] of ways.entries()) {
    throwIfAborted(signal);
    try {
      return { instance: await startOne(creation, request, launch, attempt, index), attempt };
    } catch (error) {
      if (problemOf(error) !== "capacity") throw error;
      refusals.push(`${describeAttempt(attempt)}: ${messageOf(error)}`);
      const next = ways[index + 1];
      if (next === undefined) break;
      const message = `no capacity for ${describeAttempt(attempt)}; trying ${describeAttempt(next)}`;
      listener({ type: "note", at: Date.now(), message });
    }
  }
  throw new BakeError("cloud", "EC2 has no capacity for the builder", {
    details: refusals,
    hint: "give more types with --type, more subnets with --subnet, or try again later",
  });
}

async function startOne(
  creation: Creation,
  request: BuilderRequest,
  launch: Launch,
  attempt: Attempt,
  index: number,
): Promise<Instance> {
  const { cloud, signal } = creation;
  const { image } = request.source;
  const wantsPublic =
    request.reach.sshInterface === "public-ip" || request.reach.sshInterface === "public-dns";
  const [started] = await runInstances(
    cloud,
    {
      imageId: image.id,
      type: attempt.type,
      count: 1,
      keyName: launch.name,
      groupIds: [launch.groupId],
      subnetId: attempt.subnet.id,
      userData: launch.userData,
      clientToken: `${launch.name}-${index}`,
      tags: launch.builderTags,
      shutdownBehavior: "terminate",
      spot: attempt.spot,
      ...(wantsPublic && !attempt.subnet.givesPublicAddress ? { publicAddress: true } : {}),
      ...(request.reach.sshInterface === "ipv6" ? { ipv6: true } : {}),
      ...(request.instanceProfile === undefined ? {} : { instanceProfile: request.instanceProfile }),
      ...(request.rootVolume === undefined
        ? {}
        : { rootVolume: { ...request.rootVolume, deviceName: image.rootDeviceName } }),
    },
    signal,
  );
  if (started === undefined) throw new BakeError("cloud", "RunInstances started nothing");
  temporaryInstances(creation, [started.id]);
  request.onStarted(started.id);
  const running = await waitForState(cloud, started.id, "running", runningDeadlineSeconds, signal);
  if (running === undefined) throw endedEarly(started);
  return running;
}

/**
 * A group that an instance uses cannot be deleted. The builder is moved to the VPC's default group, which lets nothing
 * in, so that nobody has to wait for its termination.
 */
async function releaseAccess(
  { cloud, listener, signal }: Creation,
  access: { readonly key: Created; readonly group: Created; readonly vpcId: string },
  instanceId: string,
): Promise<void> {
  const deleted = (what: string, created: Created): void => {
    created.keep();
    listener({ type: "deleted", at: Date.now(), what, id: created.id });
  };
  const attempt = async (work: () => Promise<void>): Promise<void> => {
    try {
      await work();
    } catch {
      // It is tried again when the builder is gone, and told then.
    }
  };
  await attempt(async () => {
    await deleteKeyPair(cloud, access.key.id, signal);
    deleted("key pair", access.key);
  });
  await attempt(async () => {
    await setGroups(cloud, instanceId, [await defaultGroup(cloud, access.vpcId, signal)], signal);
    await deleteSecurityGroup(cloud, access.group.id, 30, signal);
    deleted("security group", access.group);
  });
}

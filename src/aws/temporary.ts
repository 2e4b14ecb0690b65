import type { Scope } from "../base/scope.ts";
import type { Listener } from "../report/events.ts";
import {
  createSecurityGroup,
  defaultVpc,
  deleteKeyPair,
  deleteSecurityGroup,
  importKeyPair,
  openPorts,
  type OpenPort,
} from "./access.ts";
import type { Cloud } from "./cloud.ts";
import { terminateInstances } from "./instances.ts";
import type { Tags } from "./tags.ts";

/** What every creation needs: the cloud, where undos go, and who is told. */
export interface Creation {
  readonly cloud: Cloud;
  readonly scope: Scope;
  readonly listener: Listener;
  readonly signal: AbortSignal;
}

/** How long a security group may wait for its last network interface to go, in seconds. */
const groupDeadlineSeconds = 300;

/** What was created, and the way to keep it past its scope. */
export interface Created {
  readonly id: string;
  /** Hands the thing over: its undo will not run. */
  readonly keep: () => void;
}

/** Imports a login key that lives as long as the scope. */
export async function temporaryKeyPair(
  c: Creation,
  name: string,
  publicKey: string,
  tags: Tags,
): Promise<Created> {
  const id = await importKeyPair(c.cloud, name, publicKey, tags, c.signal);
  return registered(c, "key pair", id, (signal) => deleteKeyPair(c.cloud, id, signal));
}

/** Makes a security group in the default VPC that opens these ports and lives as long as the scope. */
export async function temporaryGroup(
  c: Creation,
  request: { name: string; description: string; tags: Tags; vpcId?: string; ports: readonly OpenPort[] },
): Promise<Created> {
  const vpcId = request.vpcId ?? (await defaultVpc(c.cloud, c.signal));
  const id = await createSecurityGroup(c.cloud, { ...request, vpcId }, c.signal);
  const created = registered(c, "security group", id, (signal) =>
    deleteSecurityGroup(c.cloud, id, groupDeadlineSeconds, signal),
  );
  await openPorts(c.cloud, id, request.ports, c.signal);
  return created;
}

/** Registers the termination of instances that were just started. */
export function temporaryInstances(c: Creation, ids: readonly string[]): () => void {
  const keeps = ids.map((id) =>
    registered(c, "instance", id, (signal) => terminateInstances(c.cloud, [id], signal)),
  );
  return () => {
    for (const { keep } of keeps) keep();
  };
}

/** Registers the undo of something that was just created, and tells of both. */
export function registered(
  c: Pick<Creation, "scope" | "listener">,
  what: string,
  id: string,
  undo: (signal: AbortSignal) => Promise<void>,
): Created {
  c.listener({ type: "created", at: Date.now(), what, id });
  const keep = c.scope.defer(`${what} ${id}`, async (signal) => {
    await undo(signal);
    c.listener({ type: "deleted", at: Date.now(), what, id });
  });
  return { id, keep };
}

/** The scope's complaint about an undo that failed, with the way out. */
export function warnOfLeftover(listener: Listener): (failure: { what: string; message: string }) => void {
  return ({ what, message }) => {
    listener({
      type: "warning",
      at: Date.now(),
      message: `could not delete ${what}: ${message}`,
      hint: "`bake-ami cleanup` tries again",
    });
  };
}

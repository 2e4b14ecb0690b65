import {
  allocateAddress,
  associateAddress,
  describeAddresses,
  disassociateAddress,
  releaseAddress,
} from "../aws/addresses.ts";
import type { Cloud } from "../aws/cloud.ts";
import type { Tags } from "../aws/tags.ts";
import { registered, type Creation } from "../aws/temporary.ts";
import { BakeError } from "../base/errors.ts";

/** Which Elastic IP a machine gets: a new one, which goes with it, or one that exists. */
export type ElasticIp =
  | { readonly kind: "new" }
  | { readonly kind: "allocation"; readonly id: string }
  | { readonly kind: "address"; readonly address: string };

/** An Elastic IP that is at hand for a machine. */
export interface FreeAddress {
  readonly id: string;
  readonly address: string;
}

/** How long an address may stay bound after its machine was told to end, in seconds. */
const releaseDeadlineSeconds = 300;

/**
 * The existing address that was asked for.
 * @returns undefined when a new one was
 * @throws BakeError `usage` when there is none such, or when something has it.
 */
export async function findAddress(
  cloud: Cloud,
  wanted: ElasticIp,
  signal: AbortSignal,
): Promise<FreeAddress | undefined> {
  if (wanted.kind === "new") return undefined;
  const [name, value] =
    wanted.kind === "allocation" ? ["allocation-id", wanted.id] : ["public-ip", wanted.address];
  const [found] = await describeAddresses(cloud, [{ Name: name, Values: [value] }], signal);
  if (found === undefined) {
    throw new BakeError("usage", `there is no Elastic IP ${value} here`, {
      hint: "`aws ec2 describe-addresses` lists yours; check the Region and the account",
    });
  }
  if (found.associationId === undefined) return { id: found.id, address: found.address };
  throw new BakeError("usage", `Elastic IP ${value} is bound to ${found.instanceId ?? "something else"}`, {
    hint: `free it first: \`aws ec2 disassociate-address --association-id ${found.associationId}\``,
  });
}

/** Allocates an address that lives as long as the scope, or until it is kept. */
export async function newAddress(
  creation: Creation,
  tags: Tags,
): Promise<FreeAddress & { readonly keep: () => void }> {
  const { cloud, signal } = creation;
  const { id, address } = await allocateAddress(cloud, tags, signal);
  const { keep } = registered(creation, "elastic IP", id, (inner) =>
    releaseAddress(cloud, id, releaseDeadlineSeconds, inner),
  );
  return { id, address, keep };
}

/**
 * Binds an address to a running machine for as long as the scope lives, or for good when it is kept.
 * @returns the way to keep it
 */
export async function bindAddress(
  creation: Creation,
  { id, address }: FreeAddress,
  instanceId: string,
): Promise<() => void> {
  const { cloud, signal } = creation;
  const association = await associateAddress(cloud, id, instanceId, signal);
  return creation.scope.defer(`the binding of ${address} to ${instanceId}`, (inner) =>
    disassociateAddress(cloud, association, inner),
  );
}

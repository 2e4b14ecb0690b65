import {
  AllocateAddressCommand,
  AssociateAddressCommand,
  DescribeAddressesCommand,
  DisassociateAddressCommand,
  ReleaseAddressCommand,
  type Filter,
} from "@aws-sdk/client-ec2";
import { present, type Cloud } from "./cloud.ts";
import { isInUse, unlessGone } from "./cloud-error.ts";
import { poll } from "./poll.ts";
import { ofSameRun, readTags, tagKeys, writeTags, type TaggedResource, type Tags } from "./tags.ts";
import { deletionVisibleSeconds, newVisibleSeconds } from "./visibility.ts";

/** An Elastic IP address of this account. */
export interface Address extends TaggedResource {
  /** Its allocation: `eipalloc-...`. */
  readonly id: string;
  readonly address: string;
  /** What it is bound to, if anything: `eipassoc-...`. */
  readonly associationId: string | undefined;
  readonly instanceId: string | undefined;
}

/** The Elastic IP addresses that match all filters; EC2 does not page them. */
export async function describeAddresses(
  cloud: Cloud,
  filters: Filter[],
  signal: AbortSignal,
): Promise<Address[]> {
  const reply = await cloud.ask("DescribeAddresses", signal, (o) =>
    cloud.ec2.send(new DescribeAddressesCommand({ Filters: filters }), o),
  );
  const text = (value: string | undefined): string | undefined => (value === "" ? undefined : value);
  return (reply.Addresses ?? []).flatMap((raw) =>
    raw.AllocationId === undefined
      ? []
      : [
          {
            id: raw.AllocationId,
            address: raw.PublicIp ?? "",
            associationId: text(raw.AssociationId),
            instanceId: text(raw.InstanceId),
            tags: readTags(raw.Tags),
          },
        ],
  );
}

/** Takes a new Elastic IP address from EC2, which costs money until it is released. */
export async function allocateAddress(
  cloud: Cloud,
  tags: Tags,
  signal: AbortSignal,
): Promise<{ readonly id: string; readonly address: string }> {
  const ofRun = [{ Name: `tag:${tagKeys.run}`, Values: [tags.get(tagKeys.run) ?? ""] }];
  return await cloud.create(
    "AllocateAddress",
    signal,
    async (o) => {
      const command = new AllocateAddressCommand({
        Domain: "vpc",
        TagSpecifications: [{ ResourceType: "elastic-ip", Tags: writeTags(tags) }],
      });
      const reply = await cloud.ec2.send(command, o);
      return {
        id: present(reply.AllocationId, "allocation id"),
        address: present(reply.PublicIp, "address"),
      };
    },
    {
      // It has no client token, and a run allocates one address at most.
      recover: async (inner) => ofSameRun(await describeAddresses(cloud, ofRun, inner), tags),
    },
  );
}

/**
 * Binds an address to a running instance; never takes it away from another one.
 * @returns the id of the association
 * @throws BakeError `cloud` when the address is in use.
 */
export async function associateAddress(
  cloud: Cloud,
  allocationId: string,
  instanceId: string,
  signal: AbortSignal,
): Promise<string> {
  return await cloud.create(
    "AssociateAddress",
    signal,
    async (o) => {
      const command = new AssociateAddressCommand({
        AllocationId: allocationId,
        InstanceId: instanceId,
        AllowReassociation: false,
      });
      return present((await cloud.ec2.send(command, o)).AssociationId, "association id");
    },
    {
      resource: `${allocationId} with ${instanceId}`,
      appears: {
        codes: ["InvalidAllocationID.NotFound", "InvalidInstanceID.NotFound"],
        withinSeconds: newVisibleSeconds,
      },
      recover: async (inner) => {
        const filters = [{ Name: "allocation-id", Values: [allocationId] }];
        const found = await describeAddresses(cloud, filters, inner);
        return found.find((each) => each.instanceId === instanceId)?.associationId;
      },
    },
  );
}

/** Takes an address off whatever it is bound to; one that is bound to nothing is fine. */
export async function disassociateAddress(
  cloud: Cloud,
  associationId: string,
  signal: AbortSignal,
): Promise<void> {
  await unlessGone(
    cloud.ask(
      "DisassociateAddress",
      signal,
      (o) => cloud.ec2.send(new DisassociateAddressCommand({ AssociationId: associationId }), o),
      { resource: associationId },
    ),
  );
}

/**
 * Gives an address back as soon as nothing is bound to it; one that is gone is as good as released.
 * @throws BakeError `timeout` when something keeps it.
 */
export async function releaseAddress(
  cloud: Cloud,
  id: string,
  deadlineSeconds: number,
  signal: AbortSignal,
): Promise<void> {
  const look = async (inner: AbortSignal): Promise<true | undefined> => {
    try {
      await unlessGone(
        cloud.ask(
          "ReleaseAddress",
          inner,
          (o) => cloud.ec2.send(new ReleaseAddressCommand({ AllocationId: id }), o),
          {
            resource: id,
            appears: {
              codes: ["InvalidAllocationID.NotFound"],
              withinSeconds: deletionVisibleSeconds,
            },
          },
        ),
      );
      return true;
    } catch (error) {
      if (isInUse(error)) return undefined;
      throw error;
    }
  };
  await poll(`address ${id} to be free`, deadlineSeconds, signal, look, {
    clock: cloud.clock,
    schedule: "stop",
  });
}

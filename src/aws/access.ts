import {
  AuthorizeSecurityGroupIngressCommand,
  CreateSecurityGroupCommand,
  DeleteKeyPairCommand,
  DeleteSecurityGroupCommand,
  DescribeKeyPairsCommand,
  DescribeSecurityGroupsCommand,
  DescribeVpcsCommand,
  ImportKeyPairCommand,
  type Filter,
} from "@aws-sdk/client-ec2";
import { BakeError } from "../base/errors.ts";
import { allPages, present, type Cloud } from "./cloud.ts";
import { cloudCodeOf, isInUse, isNotFound, unlessGone } from "./cloud-error.ts";
import { poll } from "./poll.ts";
import { ofSameRun, readTagged, writeTags, type TaggedResource, type Tags } from "./tags.ts";
import { deletionVisibleSeconds, newVisibleSeconds } from "./visibility.ts";

/** A port that a security group opens, and for whom. */
export interface OpenPort {
  readonly port: number;
  /** Such as `203.0.113.7/32`, or an IPv6 block. */
  readonly cidr: string;
}

/**
 * Gives EC2 a public key under a name.
 * @returns the key pair's id
 */
export async function importKeyPair(
  cloud: Cloud,
  name: string,
  publicKey: string,
  tags: Tags,
  signal: AbortSignal,
): Promise<string> {
  return await cloud.create(
    "ImportKeyPair",
    signal,
    async (o) => {
      const command = new ImportKeyPairCommand({
        KeyName: name,
        PublicKeyMaterial: Buffer.from(publicKey, "utf8"),
        TagSpecifications: [{ ResourceType: "key-pair", Tags: writeTags(tags) }],
      });
      return present((await cloud.ec2.send(command, o)).KeyPairId, "key pair id");
    },
    {
      resource: name,
      duplicate: "InvalidKeyPair.Duplicate",
      recover: async (inner) => {
        const filters = [{ Name: "key-name", Values: [name] }];
        return ofSameRun(await describeKeyPairs(cloud, filters, inner), tags)?.id;
      },
    },
  );
}

/** Deletes a key pair; one that is gone is as good as deleted. */
export async function deleteKeyPair(cloud: Cloud, id: string, signal: AbortSignal): Promise<void> {
  await unlessGone(
    cloud.ask(
      "DeleteKeyPair",
      signal,
      (o) => cloud.ec2.send(new DeleteKeyPairCommand({ KeyPairId: id }), o),
      {
        resource: id,
        appears: { codes: ["InvalidKeyPair.NotFound"], withinSeconds: deletionVisibleSeconds },
      },
    ),
  );
}

/** The key pairs that match all filters. */
export async function describeKeyPairs(
  cloud: Cloud,
  filters: Filter[],
  signal: AbortSignal,
): Promise<(TaggedResource & { readonly name: string })[]> {
  const reply = await cloud.ask("DescribeKeyPairs", signal, (o) =>
    cloud.ec2.send(new DescribeKeyPairsCommand({ Filters: filters }), o),
  );
  return (reply.KeyPairs ?? []).flatMap((raw) =>
    readTagged([raw], ({ KeyPairId }) => KeyPairId).map((key) => ({ ...key, name: raw.KeyName ?? "" })),
  );
}

/**
 * The account's default VPC.
 * @throws BakeError `cloud` when there is none.
 */
export async function defaultVpc(cloud: Cloud, signal: AbortSignal): Promise<string> {
  const reply = await cloud.ask("DescribeVpcs", signal, (o) =>
    cloud.ec2.send(new DescribeVpcsCommand({ Filters: [{ Name: "is-default", Values: ["true"] }] }), o),
  );
  const id = reply.Vpcs?.[0]?.VpcId;
  if (id === undefined) {
    throw new BakeError("cloud", "this Region has no default VPC", {
      hint: "make one with `aws ec2 create-default-vpc`, or use another Region",
    });
  }
  return id;
}

/**
 * The default security group of a VPC.
 * @throws BakeError `not-found`.
 */
export async function defaultGroup(cloud: Cloud, vpcId: string, signal: AbortSignal): Promise<string> {
  const filters = [
    { Name: "vpc-id", Values: [vpcId] },
    { Name: "group-name", Values: ["default"] },
  ];
  const [group] = await describeSecurityGroups(cloud, filters, signal);
  if (group === undefined) throw new BakeError("not-found", `VPC ${vpcId} shows no default security group`);
  return group.id;
}

/**
 * Makes an empty security group.
 * @returns its id
 */
export async function createSecurityGroup(
  cloud: Cloud,
  request: { name: string; description: string; vpcId: string; tags: Tags },
  signal: AbortSignal,
): Promise<string> {
  return await cloud.create(
    "CreateSecurityGroup",
    signal,
    async (o) => {
      const command = new CreateSecurityGroupCommand({
        GroupName: request.name,
        Description: request.description,
        VpcId: request.vpcId,
        TagSpecifications: [{ ResourceType: "security-group", Tags: writeTags(request.tags) }],
      });
      return present((await cloud.ec2.send(command, o)).GroupId, "security group id");
    },
    {
      resource: request.name,
      duplicate: "InvalidGroup.Duplicate",
      recover: async (inner) => {
        const filters = [
          { Name: "group-name", Values: [request.name] },
          { Name: "vpc-id", Values: [request.vpcId] },
        ];
        return ofSameRun(await describeSecurityGroups(cloud, filters, inner), request.tags)?.id;
      },
    },
  );
}

/** Opens TCP ports in a security group. */
export async function openPorts(
  cloud: Cloud,
  groupId: string,
  ports: readonly OpenPort[],
  signal: AbortSignal,
): Promise<void> {
  if (ports.length === 0) return;
  const command = new AuthorizeSecurityGroupIngressCommand({
    GroupId: groupId,
    IpPermissions: ports.map(({ port, cidr }) => ({
      IpProtocol: "tcp",
      FromPort: port,
      ToPort: port,
      ...(cidr.includes(":") ? { Ipv6Ranges: [{ CidrIpv6: cidr }] } : { IpRanges: [{ CidrIp: cidr }] }),
    })),
  });
  try {
    await cloud.ask("AuthorizeSecurityGroupIngress", signal, (o) => cloud.ec2.send(command, o), {
      resource: groupId,
      appears: { codes: ["InvalidGroup.NotFound"], withinSeconds: newVisibleSeconds },
    });
  } catch (error) {
    // An earlier attempt, whose answer was lost, opened them: the group is ours alone.
    if (cloudCodeOf(error) !== "InvalidPermission.Duplicate") throw error;
  }
}

/**
 * Deletes a security group as soon as no network interface uses it, which is only after its instances are gone.
 * @throws BakeError `timeout` when something keeps using it.
 */
export async function deleteSecurityGroup(
  cloud: Cloud,
  id: string,
  deadlineSeconds: number,
  signal: AbortSignal,
): Promise<void> {
  await poll(
    `security group ${id} to be free`,
    deadlineSeconds,
    signal,
    async (inner) => {
      try {
        await cloud.ask(
          "DeleteSecurityGroup",
          inner,
          (o) => cloud.ec2.send(new DeleteSecurityGroupCommand({ GroupId: id }), o),
          {
            resource: id,
            appears: { codes: ["InvalidGroup.NotFound"], withinSeconds: deletionVisibleSeconds },
          },
        );
        return true;
      } catch (error) {
        if (isNotFound(error)) return true;
        if (isInUse(error)) return undefined;
        throw error;
      }
    },
    { clock: cloud.clock, schedule: "stop" },
  );
}

export async function describeSecurityGroups(
  cloud: Cloud,
  filters: Filter[],
  signal: AbortSignal,
): Promise<TaggedResource[]> {
  const pages = await allPages((next) =>
    cloud.ask("DescribeSecurityGroups", signal, (o) =>
      cloud.ec2.send(new DescribeSecurityGroupsCommand({ Filters: filters, ...next }), o),
    ),
  );
  return pages.flatMap((page) => readTagged(page.SecurityGroups, (raw) => raw.GroupId));
}

/**
 * The VPC of each of these security groups.
 * @throws BakeError `usage` for one that there is not here.
 */
export async function groupVpcs(
  cloud: Cloud,
  ids: readonly string[],
  signal: AbortSignal,
): Promise<Map<string, string>> {
  const filters = [{ Name: "group-id", Values: [...ids] }];
  const pages = await allPages((next) =>
    cloud.ask("DescribeSecurityGroups", signal, (o) =>
      cloud.ec2.send(new DescribeSecurityGroupsCommand({ Filters: filters, ...next }), o),
    ),
  );
  const all = pages.flatMap((page) => page.SecurityGroups ?? []);
  return new Map(
    ids.map((id) => {
      const vpcId = all.find(({ GroupId }) => GroupId === id)?.VpcId;
      if (vpcId !== undefined) return [id, vpcId];
      throw new BakeError("usage", `there is no security group ${id} here`, {
        hint: "check the Region and the account; --security-group takes ids such as sg-0123456789abcdef0",
      });
    }),
  );
}

import { credentialsOf, currentSession } from "../identity/role-credentials.ts";
import { instanceProfileId } from "../state/ids.ts";
import type { InstanceView } from "./instance-view.ts";

/** Where machines of the local cloud find S3, Systems Manager, STS and EC2. */
const guestEndpoint = "http://169.254.169.252";

/** A document, or a directory of them. */
export type Node = string | Buffer | ReadonlyMap<string, Node>;

type Entries = readonly (readonly [name: string, node: Node | undefined])[];

/** Everything that the metadata service has to show of an instance at this time, below the version. */
export function metadataTree(it: InstanceView, now: number): ReadonlyMap<string, Node> {
  return directory([
    ["dynamic", directory([["instance-identity", directory([["document", identityDocument(it)]])]])],
    ["meta-data", metaData(it, now)],
    ["user-data", it.userData === undefined ? undefined : Buffer.from(it.userData, "base64")],
  ]);
}

function metaData(it: InstanceView, now: number): Node {
  const host = `ip-${it.privateAddress.replaceAll(".", "-")}.${it.region}.compute.internal`;
  const groups = it.groups.map(({ name }) => name).join("\n");
  return directory([
    ["ami-id", it.imageId],
    ["ami-launch-index", String(it.launchIndex)],
    ["ami-manifest-path", "(unknown)"],
    [
      "block-device-mapping",
      directory([
        ["ami", it.rootDevice],
        ["root", it.rootDevice],
      ]),
    ],
    ["hostname", host],
    ["iam", it.profileArn === undefined ? undefined : profile(it.profileArn, it, now)],
    ["instance-action", "none"],
    ["instance-id", it.id],
    ["instance-life-cycle", it.spot ? "spot" : "on-demand"],
    ["instance-type", it.type],
    ["local-hostname", host],
    ["local-ipv4", it.privateAddress],
    ["mac", it.mac],
    ["network", directory([["interfaces", directory([["macs", networkInterface(it, host)]])]])],
    [
      "placement",
      directory([
        ["availability-zone", it.zone],
        ["group-name", it.placement?.group],
        ["partition-number", it.placement?.partition?.toString()],
        ["region", it.region],
      ]),
    ],
    ["profile", "default-hvm"],
    ["public-hostname", it.publicAddress],
    ["public-ipv4", it.publicAddress],
    ["public-keys", it.key === undefined ? undefined : publicKeys(it.key)],
    ["reservation-id", it.reservationId],
    ["security-groups", groups],
    [
      "services",
      directory([
        ["domain", "amazonaws.com"],
        // Not on EC2: where this machine finds the services, for systems that have no AWS_ENDPOINT_URL in their environment.
        ["endpoint", guestEndpoint],
        ["partition", "aws"],
      ]),
    ],
    ["spot", spotNotice(it, now)],
    ["tags", it.metadata.tags ? directory([["instance", directory(Object.entries(it.tags))]]) : undefined],
  ]);
}

/**
 * What the instance has by its profile, whose role has the same name.
 * (Amazon EC2 User Guide, "Retrieve security credentials from instance metadata")
 */
function profile(arn: string, it: InstanceView, now: number): Node {
  const session = currentSession({ id: it.id, launchedAt: it.launchedAt, profileArn: arn }, now);
  const { issuedAt, expiresAt, ...credentials } = credentialsOf(session, it.metadata.key);
  const info = {
    Code: "Success",
    LastUpdated: timestamp(issuedAt),
    InstanceProfileArn: arn,
    InstanceProfileId: instanceProfileId(arn),
  };
  const keys = {
    Code: "Success",
    LastUpdated: timestamp(issuedAt),
    Type: "AWS-HMAC",
    AccessKeyId: credentials.accessKeyId,
    SecretAccessKey: credentials.secretAccessKey,
    Token: credentials.token,
    Expiration: timestamp(expiresAt),
  };
  return directory([
    ["info", shown(info)],
    ["security-credentials", directory([[session.role, shown(keys)]])],
  ]);
}

/** One member a line, with the blanks that EC2 puts in: shell programs read it by them. */
function shown(members: Readonly<Record<string, string>>): string {
  return JSON.stringify(members, undefined, 2).replaceAll(/^( +"\w+"):/gm, "$1 :");
}

/** To the second, as this service tells times. */
function timestamp(at: number): string {
  return new Date(at).toISOString().replace(/\.\d+Z$/, "Z");
}

/**
 * Two minutes before a spot instance is taken back it is told; until then there is nothing at `spot`.
 * https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-instance-termination-notices.html
 */
function spotNotice({ interruption, interruptedBy }: InstanceView, now: number): Node | undefined {
  if (interruption === undefined || now < interruption.noticeAt) return undefined;
  const time = timestamp(interruption.at);
  return directory([
    ["instance-action", JSON.stringify({ action: interruptedBy ?? "terminate", time })],
    ["termination-time", interruptedBy === undefined ? time : undefined],
  ]);
}

/** The listing names each key, but the way to it is its number. */
function publicKeys(key: NonNullable<InstanceView["key"]>): Node {
  return new Map([[`0=${key.name}`, directory([["openssh-key", `${key.publicKey} ${key.name}`]])]]);
}

function networkInterface(it: InstanceView, host: string): Node {
  const documents: Entries = [
    ["device-number", "0"],
    ["interface-id", it.id.replace(/^i-/, "eni-")],
    ["local-hostname", host],
    ["local-ipv4s", it.privateAddress],
    ["mac", it.mac],
    ["owner-id", "000000000000"],
    ["public-hostname", it.publicAddress],
    ["public-ipv4s", it.publicAddress],
    ["security-group-ids", it.groups.map(({ id }) => id).join("\n")],
    ["security-groups", it.groups.map(({ name }) => name).join("\n")],
    ["subnet-id", it.subnetId],
    ["subnet-ipv4-cidr-block", "169.254.0.0/16"],
    ["vpc-ipv4-cidr-block", "169.254.0.0/16"],
  ];
  return directory([[it.mac, directory(documents)]]);
}

function identityDocument(it: InstanceView): string {
  return JSON.stringify(
    {
      accountId: "000000000000",
      architecture: it.architecture,
      availabilityZone: it.zone,
      imageId: it.imageId,
      instanceId: it.id,
      instanceType: it.type,
      pendingTime: timestamp(it.launchedAt),
      privateIp: it.privateAddress,
      region: it.region,
      version: "2017-09-30",
    },
    undefined,
    2,
  );
}

function directory(entries: Entries): ReadonlyMap<string, Node> {
  const present = entries.flatMap(([name, node]) => (node === undefined ? [] : [[name, node] as const]));
  return new Map(present);
}

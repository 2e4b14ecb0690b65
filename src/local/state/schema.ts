import { z } from "zod";
import { elasticAddress, launchTemplate, placementGroup, spotRequest } from "./launch-schema.ts";
import { parameter } from "./parameter-schema.ts";

/*
 * Everything that the local cloud remembers, as one JSON value. What can be seen (a process, a file) is not in
 * here: it is looked at anew for every request. Times are milliseconds since the epoch.
 */

const tags = z.record(z.string(), z.string());
const processIdentity = z.object({ pid: z.number(), startedAt: z.string() });
const reason = z.object({ code: z.string(), message: z.string() });
const architecture = z.enum(["x86_64", "arm64"]);

/* What a fault plan has drawn for a resource; see ../faults/fates.ts. Absent where there is no plan. */

/** Until then calls do not see it. */
const visibleAt = z.number().optional();
/** When the change that it is in ends: from pending, stopping or shutting-down to what follows. */
const settlesAt = z.number().optional();
/** Why what is pending will end as terminated or failed. */
const failsWith = reason.optional();

const rule = z.object({
  id: z.string(),
  protocol: z.string(),
  fromPort: z.number(),
  toPort: z.number(),
  /** An IPv4 or IPv6 block, or the id of a group. */
  source: z.string(),
  description: z.string().optional(),
});

const securityGroup = z.object({
  id: z.string(),
  name: z.string(),
  description: z.string(),
  vpcId: z.string(),
  rules: z.array(rule),
  /** Absent in a state that was written before it was kept. */
  createdAt: z.number().optional(),
  visibleAt,
  tags,
});

const keyPair = z.object({
  id: z.string(),
  name: z.string(),
  type: z.enum(["rsa", "ed25519"]),
  fingerprint: z.string(),
  publicKey: z.string(),
  createdAt: z.number(),
  visibleAt,
  tags,
});

/** How a machine with this image starts. */
const boot = z.discriminatedUnion("kind", [
  /** By the image's own boot loader. */
  z.object({ kind: z.literal("disk") }),
  /** By a kernel and an initrd in `boot/<id>/`. */
  z.object({ kind: z.literal("kernel"), id: z.string(), commandLine: z.string() }),
]);

const snapshot = z.object({
  id: z.string(),
  ownerId: z.string(),
  volumeId: z.string(),
  description: z.string(),
  sizeGiB: z.number(),
  /** The frozen disk that holds its content. */
  disk: z.string(),
  startedAt: z.number(),
  visibleAt,
  /** The KMS key, when encrypted. */
  kmsKeyId: z.string().optional(),
  tags,
});

const imageState = z.enum(["pending", "available", "failed"]);

const image = z.object({
  id: z.string(),
  name: z.string(),
  description: z.string(),
  ownerId: z.string(),
  ownerAlias: z.string().optional(),
  public: z.boolean(),
  architecture,
  state: imageState,
  stateReason: reason.optional(),
  createdAt: z.number(),
  snapshotId: z.string(),
  sizeGiB: z.number(),
  boot,
  imdsSupport: z.literal("v2.0").optional(),
  deprecatedAt: z.number().optional(),
  sourceInstanceId: z.string().optional(),
  /** While pending: the process that makes it. */
  maker: processIdentity.optional(),
  visibleAt,
  settlesAt,
  failsWith,
  /** What is shown instead of its state until then. */
  earlier: z.object({ state: imageState, until: z.number() }).optional(),
  tags,
});

/** A disk file `disks/<id>.qcow2`; written to while it belongs to an instance, frozen once something backs on it. */
const disk = z.object({ id: z.string(), backing: z.string().optional() });

const volume = z.object({
  id: z.string(),
  sizeGiB: z.number(),
  disk: z.string(),
  /** A disk that is about to replace `disk` in a running machine. */
  nextDisk: z.string().optional(),
  snapshotId: z.string(),
  type: z.string(),
  iops: z.number().optional(),
  /** In MiB/s. */
  throughput: z.number().optional(),
  /** In MiB/s: how quickly it is filled from its snapshot. Told as asked for; here all is there at once. */
  initializationRate: z.number().optional(),
  /** The KMS key, when encrypted: told as asked for; the disk file here is as it is. */
  kmsKeyId: z.string().optional(),
  deviceName: z.string(),
  deleteOnTermination: z.boolean(),
  createdAt: z.number(),
  tags,
});

const metadataOptions = z.object({
  enabled: z.boolean(),
  tokensRequired: z.boolean(),
  hopLimit: z.number(),
  tags: z.boolean(),
  /** Signs the tokens of this instance. */
  key: z.string(),
});

/** Where it was asked to be; the zone is the instance's. */
const placement = z.object({
  groupId: z.string().optional(),
  partition: z.number().optional(),
  tenancy: z.literal("dedicated").optional(),
});

/** A TCP port of the machine, and the port of this computer at which it answers. */
const forward = z.object({ port: z.number(), hostPort: z.number() });

const instanceState = z.enum(["pending", "running", "stopping", "stopped", "shutting-down", "terminated"]);

const instance = z.object({
  id: z.string(),
  engine: z.enum(["qemu", "state-only"]),
  reservationId: z.string(),
  launchIndex: z.number(),
  clientToken: z.string().optional(),
  /** Of the parameters it was asked for with: a client token may only be repeated with the same. */
  requestDigest: z.string(),
  imageId: z.string(),
  boot,
  type: z.string(),
  architecture,
  key: z.object({ name: z.string(), publicKey: z.string() }).optional(),
  groupIds: z.array(z.string()),
  region: z.string(),
  zone: z.string(),
  subnetId: z.string(),
  privateAddress: z.string(),
  publicAddress: z.string().optional(),
  mac: z.string(),
  /** Where its open ports answer on the public address. */
  forwards: z.array(forward),
  /** Base64. */
  userData: z.string().optional(),
  metadata: metadataOptions,
  shutdownBehavior: z.enum(["stop", "terminate"]),
  /** Whether it was asked for on the spot market, where there is always capacity at the usual price. */
  spot: z.boolean().optional(),
  /** Absent in a state that was written before there were requests. */
  spotRequestId: z.string().optional(),
  /** What is done with a spot instance that is taken back: it is terminated when absent. */
  interruptedBy: z.enum(["stop", "hibernate"]).optional(),
  /** The ARN of its instance profile; there is no IAM here that could tell whether it exists. */
  profileArn: z.string().optional(),
  placement: placement.optional(),
  ebsOptimized: z.boolean().optional(),
  /** Whether TerminateInstances is refused. */
  isProtected: z.boolean().optional(),
  state: instanceState,
  stateReason: reason.optional(),
  transitionReason: z.string(),
  changedAt: z.number(),
  launchedAt: z.number(),
  /** While pending: the process that starts the machine. */
  starter: processIdentity.optional(),
  /** Whether it ever ran: a first start that fails ends the instance, a later one leaves it stopped. */
  started: z.boolean(),
  /** While stopping: when the power button was last pressed, and when the plug is pulled. */
  powerButtonAt: z.number().optional(),
  killAt: z.number().optional(),
  /** The process that makes an image of the running instance: until it is done, the machine is its business. */
  imagedBy: processIdentity.optional(),
  visibleAt,
  settlesAt,
  failsWith,
  /** What is shown instead of its state until then. */
  earlier: z.object({ state: instanceState, until: z.number() }).optional(),
  /** When EC2 takes a spot instance back, and when the machine is told. */
  interruption: z.object({ noticeAt: z.number(), at: z.number() }).optional(),
  /** Until then it still holds its security groups, though it is terminated. */
  groupsHeldUntil: z.number().optional(),
  volume,
  tags,
});

export const stateSchema = z.object({
  version: z.literal(1),
  instances: z.array(instance),
  images: z.array(image),
  snapshots: z.array(snapshot),
  disks: z.array(disk),
  keyPairs: z.array(keyPair),
  securityGroups: z.array(securityGroup),
  // What follows is absent in a state that was written before there was any.
  parameters: z.array(parameter).default([]),
  launchTemplates: z.array(launchTemplate).default([]),
  placementGroups: z.array(placementGroup).default([]),
  addresses: z.array(elasticAddress).default([]),
  spotRequests: z.array(spotRequest).default([]),
  /** How often a fault plan has drawn for each purpose, so that all processes on this state draw from one row. */
  draws: z.record(z.string(), z.number()).optional(),
});

export type State = z.infer<typeof stateSchema>;
export type Instance = z.infer<typeof instance>;
export type InstanceState = Instance["state"];
export type Image = z.infer<typeof image>;
export type Snapshot = z.infer<typeof snapshot>;
export type Disk = z.infer<typeof disk>;
export type KeyPair = z.infer<typeof keyPair>;
export type SecurityGroup = z.infer<typeof securityGroup>;
export type Rule = z.infer<typeof rule>;
export type Parameter = z.infer<typeof parameter>;
export type LaunchTemplate = z.infer<typeof launchTemplate>;
export type LaunchTemplateVersion = LaunchTemplate["versions"][number];
export type PlacementGroup = z.infer<typeof placementGroup>;
export type ElasticAddress = z.infer<typeof elasticAddress>;
export type SpotRequest = z.infer<typeof spotRequest>;
export type Boot = z.infer<typeof boot>;
export type Reason = z.infer<typeof reason>;
export type Architecture = z.infer<typeof architecture>;
export type Forward = z.infer<typeof forward>;
export type Tags = z.infer<typeof tags>;

/** The account that everything made here belongs to. */
export const accountId = "000000000000";
export const vpcId = "vpc-0bacea3100000000a";

/** One default subnet per zone; the letter is the zone's. */
export const subnets = [
  { id: "subnet-0bacea3100000000a", letter: "a", cidr: "169.254.0.0/17" },
  { id: "subnet-0bacea3100000000b", letter: "b", cidr: "169.254.128.0/17" },
] as const;

/** What a new local cloud has: as in a new account, a default group that lets nothing in from outside. */
export function emptyState(): State {
  const id = "sg-0bacea3100000000d";
  return {
    version: 1,
    instances: [],
    images: [],
    snapshots: [],
    disks: [],
    keyPairs: [],
    securityGroups: [
      {
        id,
        name: "default",
        description: "default VPC security group",
        vpcId,
        rules: [{ id: "sgr-0bacea3100000000d", protocol: "-1", fromPort: -1, toPort: -1, source: id }],
        tags: {},
      },
    ],
    parameters: [],
    launchTemplates: [],
    placementGroups: [],
    addresses: [],
    spotRequests: [],
  };
}

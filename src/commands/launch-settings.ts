import type { Architecture } from "../aws/instance-types.ts";
import { readS3Url, type S3Place } from "../aws/s3-url.ts";
import { BakeError } from "../base/errors.ts";
import type { ElasticIp } from "../launch/elastic-ip.ts";
import type { InstanceSettings } from "../launch/options.ts";
import { readTags } from "./bake-settings.ts";
import { commaList, readCidrs, readMemory, readPorts, readWholeNumber } from "./options.ts";
import { readParameters, type ParameterValues } from "./project.ts";
import { readRootVolume, type VolumeArguments } from "./volume-options.ts";

/** The options of `withLaunchOptions`, and what is to be launched, as the parser gives them. */
export interface LaunchArguments extends VolumeArguments {
  readonly imageOrServices: readonly string[] | undefined;
  readonly image: string | undefined;
  readonly with: readonly string[];
  readonly type: string | undefined;
  readonly cpu: string | undefined;
  readonly memory: string | undefined;
  readonly arch: Architecture | undefined;
  readonly gpu: boolean;
  readonly cheapest: boolean;
  readonly count: string;
  readonly spot: "one-time" | "persistent" | undefined;
  readonly interruption: "terminate" | "stop" | "hibernate" | undefined;
  readonly instanceProfile: string | undefined;
  readonly placementGroup: string | undefined;
  readonly partition: string | undefined;
  readonly tenancy: "default" | "dedicated" | "host" | undefined;
  readonly hostId: string | undefined;
  readonly ebsOptimized: boolean | undefined;
  readonly protect: boolean;
  readonly tag: readonly string[];
  readonly open: readonly string[];
  readonly allowCidr: readonly string[];
  readonly securityGroup: readonly string[];
  readonly subnet: readonly string[];
  readonly publicIp: boolean | undefined;
  readonly elasticIp: string | undefined;
  readonly key: string | undefined;
  readonly identity: string | undefined;
  readonly login: string | undefined;
  readonly knownHosts: string | undefined;
  readonly set: readonly string[];
  readonly userData: string | undefined;
  readonly channel: string | undefined;
  readonly bundles: string | undefined;
  readonly log: string | undefined;
}

/** Which type the machines are of: one that was named, the smallest or any that fits, or the cloud's default. */
export type TypeWish =
  | { readonly kind: "named"; readonly type: string }
  | {
      readonly kind: "fitting";
      readonly cpus: number | undefined;
      readonly memoryMiB: number | undefined;
      readonly gpu: boolean;
      readonly cheapest: boolean;
    }
  | { readonly kind: "default" };

/** What the options mean, as far as it can be said before any cloud is asked. */
export interface LaunchSettings {
  readonly names: readonly string[];
  readonly image: string | undefined;
  readonly extra: readonly string[];
  readonly type: TypeWish;
  readonly architecture: Architecture | undefined;
  readonly count: number;
  /** SSH's first. */
  readonly ports: readonly number[];
  readonly allowCidrs: readonly string[];
  readonly instance: InstanceSettings;
  readonly extraTags: ReadonlyMap<string, string>;
  readonly values: ParameterValues;
  readonly channel: { readonly name: string; readonly place: S3Place } | undefined;
  readonly log: S3Place | undefined;
}

/** More by one command is a slip of the finger. */
const mostMachines = 1000;

/** EC2's limit for a group of partitions is 7 in a zone. ("Placement strategies") */
const mostPartitions = 7;

/**
 * Reads the options of a launch.
 * @throws BakeError `usage` for what is malformed or does not go together.
 */
export function launchSettings(argv: LaunchArguments): LaunchSettings {
  const names = argv.imageOrServices ?? [];
  if (names.length === 0 && argv.image === undefined) {
    throw new BakeError("usage", "say what to launch: services, or the id of an image", {
      hint: "for example `bake-ami launch hello-web`; see `bake-ami launch --help`",
    });
  }
  if (argv.image !== undefined && !/^ami-[0-9a-f]+$/.test(argv.image)) {
    throw new BakeError("usage", `--image ${argv.image} is no id of an image`, {
      hint: "an id looks like ami-0123456789abcdef0; `bake-ami ls` shows your images",
    });
  }
  const count = readWholeNumber(argv.count, "--count", { least: 1, most: mostMachines });
  return {
    names,
    image: argv.image,
    extra: argv.with,
    type: readTypeWish(argv),
    architecture: argv.arch,
    count,
    ports: [22, ...readPorts(argv.open).filter((port) => port !== 22)],
    allowCidrs: readCidrs(argv.allowCidr),
    instance: readInstance(argv),
    extraTags: readTags(argv.tag),
    values: readParameters(argv.set),
    channel: readChannel(argv),
    log: argv.log === undefined ? undefined : readS3Url(argv.log, "--log"),
  };
}

function readTypeWish(argv: LaunchArguments): TypeWish {
  const { type, cpu, memory, gpu, cheapest } = argv;
  const wishes = [
    ...(cpu === undefined ? [] : ["--cpu"]),
    ...(memory === undefined ? [] : ["--memory"]),
    ...(gpu ? ["--gpu"] : []),
    ...(cheapest ? ["--cheapest"] : []),
  ];
  if (type !== undefined) {
    if (wishes.length === 0) return { kind: "named", type };
    throw new BakeError("usage", `--type names one type, and ${wishes.join(", ")} would choose another`, {
      hint: "leave out one or the other",
    });
  }
  if (wishes.length === 0) return { kind: "default" };
  return {
    kind: "fitting",
    cpus: cpu === undefined ? undefined : readWholeNumber(cpu, "--cpu", { least: 1, most: 10_000 }),
    memoryMiB: memory === undefined ? undefined : readMemory(memory),
    gpu,
    cheapest,
  };
}

function readInstance(argv: LaunchArguments): InstanceSettings {
  const { key, instanceProfile, publicIp, ebsOptimized, protect, elasticIp } = argv;
  const groupIds = commaList(argv.securityGroup);
  if (groupIds.length > 0 && (argv.open.length > 0 || argv.allowCidr.length > 0)) {
    throw new BakeError("usage", "--open and --allow-cidr are for a group of the launch's own", {
      hint: "with --security-group the ports are those of that group: leave out one or the other",
    });
  }
  const spot = readSpot(argv);
  const placement = readPlacement(argv);
  const rootVolume = readRootVolume(argv);
  return {
    groupIds,
    subnets: commaList(argv.subnet),
    protect,
    ...(spot === undefined ? {} : { spot }),
    ...(key === undefined ? {} : { keyName: key }),
    ...(instanceProfile === undefined ? {} : { instanceProfile }),
    ...(publicIp === undefined ? {} : { publicAddress: publicIp }),
    ...(placement === undefined ? {} : { placement }),
    ...(ebsOptimized === undefined ? {} : { ebsOptimized }),
    ...(rootVolume === undefined ? {} : { rootVolume }),
    ...(elasticIp === undefined ? {} : { elasticIp: readElasticIp(elasticIp) }),
  };
}

/** EC2 stops and hibernates instances of persistent requests alone, and terminates those of others. ("Spot interruptions") */
function readSpot({ spot, interruption }: LaunchArguments): InstanceSettings["spot"] {
  if (spot === undefined) {
    if (interruption === undefined) return undefined;
    throw new BakeError("usage", "--interruption is for spot machines", { hint: "add --spot" });
  }
  if (spot === "one-time") {
    if (interruption === undefined || interruption === "terminate") return { kind: spot };
    throw new BakeError("usage", `a one-time spot machine cannot ${interruption}, it can only end`, {
      hint: `say --spot persistent --interruption ${interruption}`,
    });
  }
  if (interruption === "terminate") {
    throw new BakeError("usage", "a persistent spot machine can stop or hibernate, and not end", {
      hint: "leave out --interruption, or say --spot one-time",
    });
  }
  return { kind: spot, interruption: interruption ?? "stop" };
}

function readPlacement(argv: LaunchArguments): InstanceSettings["placement"] {
  const { placementGroup, partition, hostId } = argv;
  if (partition !== undefined && placementGroup === undefined) {
    throw new BakeError("usage", "--partition is one of a placement group's", {
      hint: "add --placement-group",
    });
  }
  if (hostId !== undefined && argv.tenancy !== undefined && argv.tenancy !== "host") {
    throw new BakeError("usage", `--host-id is a dedicated host, and --tenancy ${argv.tenancy} is none`);
  }
  const tenancy = hostId === undefined ? argv.tenancy : "host";
  if (tenancy === "host" && argv.spot !== undefined) {
    throw new BakeError("usage", "EC2 has no spot machines on dedicated hosts", {
      hint: "leave out --spot or --host-id",
    });
  }
  if (placementGroup === undefined && tenancy === undefined) return undefined;
  const bounds = { least: 1, most: mostPartitions };
  return {
    ...(placementGroup === undefined ? {} : { group: placementGroup }),
    ...(partition === undefined ? {} : { partition: readWholeNumber(partition, "--partition", bounds) }),
    ...(tenancy === undefined ? {} : { tenancy }),
    ...(hostId === undefined ? {} : { hostId }),
  };
}

function readElasticIp(text: string): ElasticIp {
  if (text === "new") return { kind: "new" };
  if (/^eipalloc-[0-9a-f]+$/.test(text)) return { kind: "allocation", id: text };
  if (/^\d{1,3}(\.\d{1,3}){3}$/.test(text)) return { kind: "address", address: text };
  throw new BakeError("usage", `--elastic-ip ${text} is no Elastic IP`, {
    hint: "say new, or give one of yours: eipalloc-0123456789abcdef0 or 203.0.113.7",
  });
}

function readChannel({ channel, bundles }: LaunchArguments): LaunchSettings["channel"] {
  if (channel === undefined && bundles === undefined) return undefined;
  if (channel === undefined || bundles === undefined) {
    throw new BakeError(
      "usage",
      "--channel and --bundles go together: which channel, and where the channels are",
      {
        hint: "for example --channel test --bundles s3://bucket/prefix",
      },
    );
  }
  return { name: channel, place: readS3Url(bundles, "--bundles") };
}

import type { Argv } from "yargs";
import type { RootVolume } from "../aws/instances.ts";
import { BakeError } from "../base/errors.ts";

/** The options of a root volume as the parser gives them. */
export interface VolumeArguments {
  readonly volumeSize: number | undefined;
  readonly volumeIops: number | undefined;
  readonly volumeThroughput: number | undefined;
  readonly encrypt: boolean;
  readonly kmsKey: string | undefined;
  readonly volumeInitRate?: number | undefined;
}

/** Adds the options of a root volume, under a heading of the help text. */
export function withVolumeOptions<T>(parser: Argv<T>, group: string) {
  return parser
    .option("volume-size", { group, type: "number", describe: "root volume, GiB (default: the image's)" })
    .option("volume-iops", { group, type: "number", describe: "root volume, operations a second" })
    .option("volume-throughput", { group, type: "number", describe: "root volume, MiB/s" })
    .option("encrypt", { group, type: "boolean", default: false, describe: "encrypt the root volume" })
    .option("kms-key", { group, type: "string", describe: "key to encrypt it with; implies --encrypt" });
}

/** EC2's bounds for the rate at which a snapshot's blocks are fetched ahead, in MiB/s. ("Amazon EBS Provisioned Rate") */
const initRate = { least: 100, most: 300 } as const;

/**
 * The root volume that the options describe.
 * @returns undefined when it is to be as the image has it
 * @throws BakeError `usage`
 */
export function readRootVolume(argv: VolumeArguments): Omit<RootVolume, "deviceName"> | undefined {
  const { volumeSize, volumeIops, volumeThroughput, volumeInitRate, encrypt, kmsKey } = argv;
  const numbers = { volumeSize, volumeIops, volumeThroughput, volumeInitRate };
  for (const [name, value] of Object.entries(numbers)) {
    if (value !== undefined && (!Number.isInteger(value) || value < 1)) {
      const option = name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
      throw new BakeError("usage", `--${option} ${value} is no whole number above 0`);
    }
  }
  if (volumeInitRate !== undefined && (volumeInitRate < initRate.least || volumeInitRate > initRate.most)) {
    const bounds = `from ${initRate.least} to ${initRate.most}`;
    throw new BakeError("usage", `--volume-init-rate ${volumeInitRate} is no whole number ${bounds} (MiB/s)`);
  }
  if (Object.values(numbers).every((value) => value === undefined) && kmsKey === undefined && !encrypt) {
    return undefined;
  }
  return {
    type: "gp3",
    ...(volumeSize === undefined ? {} : { sizeGiB: volumeSize }),
    ...(volumeIops === undefined ? {} : { iops: volumeIops }),
    ...(volumeThroughput === undefined ? {} : { throughput: volumeThroughput }),
    ...(volumeInitRate === undefined ? {} : { initializationRate: volumeInitRate }),
    ...(encrypt || kmsKey !== undefined ? { encrypted: true } : {}),
    ...(kmsKey === undefined ? {} : { kmsKeyId: kmsKey }),
  };
}

import { z } from "zod";
import { stableUuid } from "../state/ids.ts";
import { ApiError, invalidValue } from "../protocol/errors.ts";
import { flag, integer, list, text } from "../protocol/query.ts";
import { accountId, type Image, type Instance, type Snapshot } from "../state/schema.ts";

/** The root device of every image and instance, as Amazon Linux has it. */
export const rootDeviceName = "/dev/xvda";

/** The parameter table of the block devices of a launch. */
export const blockDeviceParameters = list(
  z.strictObject({
    DeviceName: text,
    Ebs: z.strictObject({
      VolumeSize: integer.optional(),
      VolumeType: z.enum(["gp2", "gp3"]).optional(),
      Iops: integer.optional(),
      Throughput: integer.optional(),
      VolumeInitializationRate: integer.optional(),
      Encrypted: flag.optional(),
      KmsKeyId: text.optional(),
      DeleteOnTermination: flag.optional(),
    }),
  }),
);

type Mapping = z.output<typeof blockDeviceParameters>[number];
type Ebs = Mapping["Ebs"];

/** What a launch makes of its root volume. */
export type RootVolume = Pick<
  Instance["volume"],
  | "sizeGiB"
  | "type"
  | "iops"
  | "throughput"
  | "initializationRate"
  | "kmsKeyId"
  | "deviceName"
  | "deleteOnTermination"
>;

/** Disk files here are sparse, but no computer at hand has more than this. EC2 takes up to 65,536 GiB for gp3. */
const largestGiB = 1024;

/**
 * The root volume that a launch asks for.
 * Limits of gp3 from EC2's reference of EbsBlockDevice: 3,000 to 80,000 IOPS and 500 per GiB; 125 to 2,000 MiB/s and a
 * quarter MiB/s per IOPS. 100 to 300 MiB/s for the rate of volume initialization, of a volume that is made from a snapshot, as
 * a root volume always is.
 * @throws ApiError for what EC2 refuses, and for volumes other than the root's
 */
export function rootVolume(
  mappings: readonly Mapping[],
  image: Image,
  snapshot: Snapshot,
  region: string,
): RootVolume {
  const [mapping, second] = mappings;
  if (second !== undefined || (mapping !== undefined && mapping.DeviceName !== rootDeviceName)) {
    throw invalidValue(
      "BlockDeviceMapping",
      (second ?? mapping)?.DeviceName ?? "",
      `A local instance has its root device ${rootDeviceName} and no other.`,
    );
  }
  const ebs: Ebs = mapping?.Ebs ?? {};
  if (ebs.DeleteOnTermination === false) {
    throw invalidValue(
      "BlockDeviceMapping.1.Ebs.DeleteOnTermination",
      "false",
      "The local cloud has no volumes without an instance.",
    );
  }
  const sizeGiB = ebs.VolumeSize ?? image.sizeGiB;
  if (sizeGiB < image.sizeGiB || sizeGiB > largestGiB) {
    throw new ApiError(
      "InvalidBlockDeviceMapping",
      `Volume of size ${sizeGiB}GB is smaller than snapshot '${image.snapshotId}', expect size >= ${image.sizeGiB}GB (and at most ${largestGiB}GB)`,
    );
  }
  const kmsKeyId = keyFor(ebs, snapshot, region);
  const rate = ebs.VolumeInitializationRate;
  if (rate !== undefined && (rate < 100 || rate > 300)) {
    throw invalidValue(
      "volumeInitializationRate",
      String(rate),
      "A volume is initialized at 100 to 300 MiB/s.",
    );
  }
  return {
    sizeGiB,
    ...performance(ebs, sizeGiB),
    ...(rate === undefined ? {} : { initializationRate: rate }),
    ...(kmsKeyId === undefined ? {} : { kmsKeyId }),
    deviceName: rootDeviceName,
    deleteOnTermination: true,
  };
}

function performance(ebs: Ebs, sizeGiB: number): Pick<RootVolume, "type" | "iops" | "throughput"> {
  const type = ebs.VolumeType ?? "gp3";
  if (type === "gp2") {
    const [extra] = Object.entries({ iops: ebs.Iops, throughput: ebs.Throughput }).flatMap(([name, value]) =>
      value === undefined ? [] : [name],
    );
    if (extra !== undefined) {
      throw new ApiError(
        "InvalidParameterCombination",
        `The parameter ${extra} is not supported for gp2 volumes.`,
      );
    }
    return { type, iops: Math.min(16_000, Math.max(100, 3 * sizeGiB)) };
  }
  const { Iops: iops = 3000, Throughput: throughput = 125 } = ebs;
  if (iops < 3000 || iops > 80_000) {
    throw invalidValue("iops", String(iops), "A gp3 volume has 3000 to 80000 IOPS.");
  }
  if (iops > 3000 && iops > 500 * sizeGiB) {
    throw invalidValue("iops", String(iops), "A gp3 volume has at most 500 IOPS per GiB.");
  }
  if (throughput < 125 || throughput > 2000) {
    throw invalidValue("throughput", String(throughput), "A gp3 volume has 125 to 2000 MiB/s.");
  }
  if (throughput > iops / 4) {
    throw invalidValue("throughput", String(throughput), "A gp3 volume has at most 0.25 MiB/s per IOPS.");
  }
  return { type, iops, throughput };
}

/** The ARN of the key of an encrypted volume. There is no KMS here: any key that could be one is taken. */
function keyFor(ebs: Ebs, snapshot: Snapshot, region: string): string | undefined {
  if (ebs.KmsKeyId !== undefined && ebs.Encrypted !== true) {
    throw new ApiError(
      "InvalidParameterDependency",
      "The parameter KmsKeyId requires the parameter Encrypted to be set.",
    );
  }
  if (snapshot.kmsKeyId !== undefined && ebs.Encrypted === false) {
    throw new ApiError(
      "InvalidParameterDependency",
      "Encrypted flag cannot be specified as false since the snapshot is encrypted.",
    );
  }
  if (ebs.KmsKeyId !== undefined) return keyArn(ebs.KmsKeyId, region);
  if (snapshot.kmsKeyId !== undefined) return snapshot.kmsKeyId;
  return ebs.Encrypted === true ? keyArn("alias/aws/ebs", region) : undefined;
}

const uuid = /^(?:mrk-)?[0-9a-f]{8}(?:-?[0-9a-f]{4}){3}-?[0-9a-f]{12}$/;

/** EC2 shows a key by its id whatever name it was given by; an alias stands here for one key for ever. */
function keyArn(key: string, region: string): string {
  const name = /^arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:(?:key\/)?(.*)$/.exec(key)?.[1] ?? key;
  if (uuid.test(name)) return key.startsWith("arn:") ? key : arnOf(name, region);
  if (/^alias\/[\w/-]+$/.test(name)) return arnOf(stableUuid(name), region);
  throw invalidValue("KmsKeyId", key, "Expecting a key id, alias/<name>, or the ARN of one.");
}

function arnOf(id: string, region: string): string {
  return `arn:aws:kms:${region}:${accountId}:key/${id}`;
}

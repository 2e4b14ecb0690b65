import { families } from "./instance-families.ts";
import type { Architecture } from "./state/schema.ts";

/** One type of instance, as DescribeInstanceTypes tells of it. */
export interface InstanceType {
  readonly name: string;
  readonly cpus: number;
  readonly threadsPerCore: number;
  readonly memoryMiB: number;
  readonly architecture: Architecture;
  readonly burstable: boolean;
  readonly hypervisor: "nitro" | "xen";
  /** In EC2's words, such as `Up to 12.5 Gigabit`. */
  readonly network: string;
  readonly isCurrent: boolean;
  readonly ebsOptimized: "default" | "supported" | "unsupported";
  readonly gpu: Gpu | undefined;
  /** NVMe disks that come with the machine, in GB; the local cloud names them and has none. */
  readonly storageGB: number | undefined;
}

export interface Gpu {
  readonly name: string;
  readonly manufacturer: string;
  readonly count: number;
  /** Of each. */
  readonly memoryMiB: number;
}

export const instanceTypes: readonly InstanceType[] = families.flatMap((family) =>
  family.names.split(" ").flatMap((names) =>
    Object.entries(family.sizes).map(([size, [cpus, memoryMiB]]): InstanceType => {
      const isNitro = family.hypervisor !== "xen";
      return {
        name: `${names}.${size}`,
        cpus,
        threadsPerCore: cpus === 1 ? 1 : family.threadsPerCore,
        memoryMiB,
        architecture: family.architecture,
        burstable: names.startsWith("t"),
        hypervisor: isNitro ? "nitro" : "xen",
        network: typeof family.network === "string" ? family.network : (family.network[size] ?? ""),
        isCurrent: family.isPrevious !== true,
        ebsOptimized: isNitro ? "default" : (family.ebsOptimized?.[size] ?? "unsupported"),
        gpu: family.gpu === undefined ? undefined : { ...family.gpu, count: family.gpus?.[size] ?? 1 },
        storageGB: family.storageGB?.[size],
      };
    }),
  ),
);

const byName = new Map(instanceTypes.map((type) => [type.name, type]));

export function instanceTypeNamed(name: string): InstanceType | undefined {
  return byName.get(name);
}

/** How many cores the CPUs of a type are. */
export function coresOf({ cpus, threadsPerCore }: InstanceType): number {
  return cpus / threadsPerCore;
}

/** Which placement groups a type can be started in: burstable ones not in a cluster. (EC2 User Guide, "Placement groups") */
export function strategiesOf({ burstable }: InstanceType): readonly ("cluster" | "partition" | "spread")[] {
  return burstable ? ["partition", "spread"] : ["cluster", "partition", "spread"];
}

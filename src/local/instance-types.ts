import type { Architecture } from "./state/schema.ts";

export interface InstanceType {
  readonly name: string;
  readonly cpus: number;
  readonly memoryMiB: number;
  readonly architecture: Architecture;
  readonly burstable: boolean;
  readonly hypervisor: "nitro" | "xen";
}

type Sizes = Readonly<Record<string, readonly [cpus: number, memoryMiB: number]>>;

/** Sizes with so many GiB for each CPU. */
function sizes(gibPerCpu: number, cpusOf: Readonly<Record<string, number>>): Sizes {
  return Object.fromEntries(
    Object.entries(cpusOf).map(([size, cpus]) => [size, [cpus, cpus * gibPerCpu * 1024]]),
  );
}

const common = { large: 2, xlarge: 4, "2xlarge": 8, "4xlarge": 16 };
const withMedium = { medium: 1, ...common };

const burstable: Sizes = {
  nano: [2, 512],
  micro: [2, 1024],
  small: [2, 2048],
  medium: [2, 4096],
  large: [2, 8192],
  xlarge: [4, 16_384],
  "2xlarge": [8, 32_768],
};
const firstBurstable: Sizes = { ...burstable, nano: [1, 512], micro: [1, 1024], small: [1, 2048] };

/**
 * The types that the local cloud offers, with EC2's names and sizes (docs.aws.amazon.com/ec2/latest/instancetypes). The
 * larger ones get what this computer has.
 */
const families: readonly (readonly [names: string, architecture: Architecture, sizes: Sizes])[] = [
  ["t2", "x86_64", firstBurstable],
  ["t3 t3a", "x86_64", burstable],
  ["t4g", "arm64", burstable],
  ["m5 m5a m6i m6a m7i m7i-flex", "x86_64", sizes(4, common)],
  ["c5 c5a c6i c6a c7i c7i-flex", "x86_64", sizes(2, common)],
  ["r5 r5a r6i r6a r7i", "x86_64", sizes(8, common)],
  ["m7a", "x86_64", sizes(4, withMedium)],
  ["c7a", "x86_64", sizes(2, withMedium)],
  ["r7a", "x86_64", sizes(8, withMedium)],
  ["m6g m7g m8g", "arm64", sizes(4, withMedium)],
  ["c6g c7g c8g", "arm64", sizes(2, withMedium)],
  ["r6g r7g r8g", "arm64", sizes(8, withMedium)],
];

export const instanceTypes: readonly InstanceType[] = families.flatMap(([names, architecture, ofSizes]) =>
  names.split(" ").flatMap((family) =>
    Object.entries(ofSizes).map(([size, [cpus, memoryMiB]]): InstanceType => ({
      name: `${family}.${size}`,
      cpus,
      memoryMiB,
      architecture,
      burstable: family.startsWith("t"),
      hypervisor: family === "t2" ? "xen" : "nitro",
    })),
  ),
);

const byName = new Map(instanceTypes.map((type) => [type.name, type]));

export function instanceTypeNamed(name: string): InstanceType | undefined {
  return byName.get(name);
}

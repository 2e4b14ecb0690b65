import type { Gpu } from "./instance-types.ts";
import type { Architecture } from "./state/schema.ts";

/*
 * The types that the local cloud offers, with EC2's names, sizes and network performance. From "Amazon EC2 instance types",
 * https://docs.aws.amazon.com/ec2/latest/instancetypes, general purpose, compute optimized, memory optimized, accelerated
 * computing, and previous generation. A machine gets what this computer has, when that is less.
 */

type Sizes = Readonly<Record<string, readonly [cpus: number, memoryMiB: number]>>;

/** Types that differ in their size alone. */
export interface Family {
  /** One or more, with a space between. */
  readonly names: string;
  readonly architecture: Architecture;
  readonly threadsPerCore: 1 | 2;
  readonly sizes: Sizes;
  /** For all sizes, or for each. */
  readonly network: string | Readonly<Record<string, string>>;
  /** Nitro when absent. */
  readonly hypervisor?: "xen";
  readonly isPrevious?: boolean;
  /** Where it is not there by default, as it is with Nitro. */
  readonly ebsOptimized?: Readonly<Record<string, "supported">>;
  readonly gpu?: Omit<Gpu, "count">;
  /** How many GPUs a size has, where that is not one. */
  readonly gpus?: Readonly<Record<string, number>>;
  readonly storageGB?: Readonly<Record<string, number>>;
}

/** Sizes with so many GiB for each CPU. */
function sizes(gibPerCpu: number, cpusOf: Readonly<Record<string, number>>): Sizes {
  return Object.fromEntries(
    Object.entries(cpusOf).map(([size, cpus]) => [size, [cpus, cpus * gibPerCpu * 1024]]),
  );
}

const common = { large: 2, xlarge: 4, "2xlarge": 8, "4xlarge": 16 };
const withMedium = { medium: 1, ...common };
const upTo16 = { "8xlarge": 32, "12xlarge": 48, "16xlarge": 64 };

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

/** The same words for several sizes. */
function each(list: string, words: string): Readonly<Record<string, string>> {
  return Object.fromEntries(list.split(" ").map((size) => [size, words]));
}

const small = "medium large xlarge 2xlarge 4xlarge";
const intelNetwork = {
  ...each(small, "Up to 12.5 Gigabit"),
  "8xlarge": "12.5 Gigabit",
  "12xlarge": "18.75 Gigabit",
  "16xlarge": "25 Gigabit",
  "24xlarge": "37.5 Gigabit",
  "32xlarge": "50 Gigabit",
  "48xlarge": "50 Gigabit",
};
const graviton2Network = {
  ...each(small, "Up to 10 Gigabit"),
  "8xlarge": "12 Gigabit",
  "12xlarge": "20 Gigabit",
  "16xlarge": "25 Gigabit",
};
const graviton3Network = {
  ...each("medium large xlarge", "Up to 12.5 Gigabit"),
  ...each("2xlarge 4xlarge", "Up to 15 Gigabit"),
  "8xlarge": "15 Gigabit",
  "12xlarge": "22.5 Gigabit",
  "16xlarge": "30 Gigabit",
};

/** Three families with 4, 2 and 8 GiB for each CPU: general purpose, compute and memory optimised. */
function three(
  [general, compute, memory]: readonly [string, string, string],
  cpusOf: Readonly<Record<string, number>>,
  rest: Omit<Family, "names" | "sizes">,
): readonly Family[] {
  return [
    { ...rest, names: general, sizes: sizes(4, cpusOf) },
    { ...rest, names: compute, sizes: sizes(2, cpusOf) },
    { ...rest, names: memory, sizes: sizes(8, cpusOf) },
  ];
}

const x86 = { architecture: "x86_64", threadsPerCore: 2 } as const;
const arm = { architecture: "arm64", threadsPerCore: 1 } as const;

const general: readonly Family[] = [
  {
    ...x86,
    names: "t2",
    threadsPerCore: 1,
    sizes: firstBurstable,
    hypervisor: "xen",
    network: {
      ...each("nano micro small medium large", "Low to Moderate"),
      ...each("xlarge 2xlarge", "Moderate"),
    },
  },
  { ...x86, names: "t3 t3a", sizes: burstable, network: "Up to 5 Gigabit" },
  { ...arm, names: "t4g", sizes: burstable, network: "Up to 5 Gigabit" },
  ...three(["m5 m5a", "c5 c5a", "r5 r5a"], common, { ...x86, network: "Up to 10 Gigabit" }),
  ...three(
    ["m6i", "c6i", "r6i"],
    { ...common, ...upTo16, "24xlarge": 96, "32xlarge": 128 },
    {
      ...x86,
      network: intelNetwork,
    },
  ),
  ...three(["m6a", "c6a", "r6a"], common, { ...x86, network: intelNetwork }),
  ...three(
    ["m7i", "c7i", "r7i"],
    { ...common, ...upTo16, "24xlarge": 96, "48xlarge": 192 },
    {
      ...x86,
      network: intelNetwork,
    },
  ),
  { ...x86, names: "m7i-flex", sizes: sizes(4, common), network: intelNetwork },
  { ...x86, names: "c7i-flex", sizes: sizes(2, common), network: intelNetwork },
  ...three(["m7a", "c7a", "r7a"], withMedium, { ...x86, threadsPerCore: 1, network: intelNetwork }),
  ...three(
    ["m6g", "c6g", "r6g"],
    { ...withMedium, ...upTo16 },
    {
      ...arm,
      network: graviton2Network,
    },
  ),
  ...three(
    ["m7g m8g", "c7g c8g", "r7g r8g"],
    { ...withMedium, ...upTo16 },
    {
      ...arm,
      network: graviton3Network,
    },
  ),
];

const gSizes = { xlarge: 4, "2xlarge": 8, "4xlarge": 16, "8xlarge": 32, "16xlarge": 64 };

/** GPU memory as the makers of the cards give it. */
const accelerated: readonly Family[] = [
  {
    ...x86,
    names: "g4dn",
    sizes: sizes(4, { ...gSizes, "12xlarge": 48 }),
    network: {
      ...each("xlarge 2xlarge 4xlarge", "Up to 25 Gigabit"),
      ...each("8xlarge 12xlarge 16xlarge", "50 Gigabit"),
    },
    gpu: { name: "T4", manufacturer: "NVIDIA", memoryMiB: 16_384 },
    gpus: { "12xlarge": 4 },
    storageGB: {
      xlarge: 125,
      "2xlarge": 225,
      "4xlarge": 225,
      "8xlarge": 900,
      "12xlarge": 900,
      "16xlarge": 900,
    },
  },
  {
    ...arm,
    names: "g5g",
    sizes: sizes(2, gSizes),
    network: {
      ...each("xlarge 2xlarge 4xlarge", "Up to 10 Gigabit"),
      "8xlarge": "12 Gigabit",
      "16xlarge": "25 Gigabit",
    },
    gpu: { name: "T4g", manufacturer: "NVIDIA", memoryMiB: 16_384 },
    gpus: { "16xlarge": 2 },
  },
  {
    ...x86,
    names: "g5",
    sizes: sizes(4, { ...gSizes, "12xlarge": 48, "24xlarge": 96, "48xlarge": 192 }),
    network: {
      ...each("xlarge 2xlarge", "Up to 10 Gigabit"),
      "4xlarge": "Up to 25 Gigabit",
      ...each("8xlarge 16xlarge", "25 Gigabit"),
      "12xlarge": "40 Gigabit",
      "24xlarge": "50 Gigabit",
      "48xlarge": "100 Gigabit",
    },
    gpu: { name: "A10G", manufacturer: "NVIDIA", memoryMiB: 24_576 },
    gpus: { "12xlarge": 4, "24xlarge": 4, "48xlarge": 8 },
    storageGB: {
      ...{ xlarge: 250, "2xlarge": 450, "4xlarge": 600, "8xlarge": 900 },
      ...{ "12xlarge": 3800, "16xlarge": 1900, "24xlarge": 3800, "48xlarge": 7600 },
    },
  },
  {
    ...x86,
    names: "g6",
    sizes: sizes(4, { ...gSizes, "12xlarge": 48, "24xlarge": 96, "48xlarge": 192 }),
    network: {
      ...each("xlarge 2xlarge", "Up to 10 Gigabit"),
      "4xlarge": "Up to 25 Gigabit",
      ...each("8xlarge 16xlarge", "25 Gigabit"),
      "12xlarge": "40 Gigabit",
      "24xlarge": "50 Gigabit",
      "48xlarge": "100 Gigabit",
    },
    gpu: { name: "L4", manufacturer: "NVIDIA", memoryMiB: 24_576 },
    gpus: { "12xlarge": 4, "24xlarge": 4, "48xlarge": 8 },
    storageGB: {
      ...{ xlarge: 250, "2xlarge": 450, "4xlarge": 600, "8xlarge": 900 },
      ...{ "12xlarge": 3760, "16xlarge": 1880, "24xlarge": 3760, "48xlarge": 7520 },
    },
  },
];

/** Still there, and not for anything new: what lists of current types must leave out. */
const previous: readonly Family[] = [
  {
    ...x86,
    names: "m3",
    hypervisor: "xen",
    isPrevious: true,
    sizes: { medium: [1, 3840], large: [2, 7680], xlarge: [4, 15_360], "2xlarge": [8, 30_720] },
    network: { ...each("medium large", "Moderate"), ...each("xlarge 2xlarge", "High") },
    ebsOptimized: { xlarge: "supported", "2xlarge": "supported" },
  },
  {
    ...x86,
    names: "c3",
    hypervisor: "xen",
    isPrevious: true,
    sizes: { large: [2, 3840], xlarge: [4, 7680], "2xlarge": [8, 15_360], "4xlarge": [16, 30_720] },
    network: { ...each("large xlarge", "Moderate"), ...each("2xlarge 4xlarge", "High") },
    ebsOptimized: { xlarge: "supported", "2xlarge": "supported", "4xlarge": "supported" },
  },
];

export const families: readonly Family[] = [...general, ...accelerated, ...previous];

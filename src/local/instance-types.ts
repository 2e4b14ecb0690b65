import type { Architecture } from "./state/schema.ts";

export interface InstanceType {
  readonly name: string;
  readonly cpus: number;
  readonly memoryMiB: number;
  readonly architecture: Architecture;
  readonly burstable: boolean;
}

/** The types that the local cloud offers, with EC2's sizes: family -> architecture. */
const families: Readonly<
  Record<string, { architecture: Architecture; gibPerCpu: number; burstable: boolean }>
> = {
  t3: { architecture: "x86_64", gibPerCpu: 4, burstable: true },
  t3a: { architecture: "x86_64", gibPerCpu: 4, burstable: true },
  c7i: { architecture: "x86_64", gibPerCpu: 2, burstable: false },
  m7i: { architecture: "x86_64", gibPerCpu: 4, burstable: false },
  r7i: { architecture: "x86_64", gibPerCpu: 8, burstable: false },
  t4g: { architecture: "arm64", gibPerCpu: 4, burstable: true },
  c7g: { architecture: "arm64", gibPerCpu: 2, burstable: false },
  m7g: { architecture: "arm64", gibPerCpu: 4, burstable: false },
};

const burstableSizes: Readonly<Record<string, readonly [cpus: number, memoryMiB: number]>> = {
  nano: [2, 512],
  micro: [2, 1024],
  small: [2, 2048],
  medium: [2, 4096],
  large: [2, 8192],
};

const fixedSizes: Readonly<Record<string, number>> = { large: 2, xlarge: 4 };

export const instanceTypes: readonly InstanceType[] = Object.entries(families).flatMap(
  ([family, { architecture, gibPerCpu, burstable }]) => {
    const sizes = burstable
      ? Object.entries(burstableSizes)
      : Object.entries(fixedSizes).map(([size, cpus]) => [size, [cpus, cpus * gibPerCpu * 1024]] as const);
    return sizes.map(([size, [cpus, memoryMiB]]) => ({
      name: `${family}.${size}`,
      cpus,
      memoryMiB,
      architecture,
      burstable,
    }));
  },
);

export function instanceTypeNamed(name: string): InstanceType | undefined {
  return instanceTypes.find((type) => type.name === name);
}

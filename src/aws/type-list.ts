import {
  DescribeInstanceTypeOfferingsCommand,
  DescribeInstanceTypesCommand,
  type Filter,
  type InstanceTypeInfo as Ec2Type,
} from "@aws-sdk/client-ec2";
import { allPages, type Cloud } from "./cloud.ts";
import type { Architecture } from "./instance-types.ts";

/** An instance type, as far as it matters to whoever chooses one. */
export interface TypeInfo {
  readonly name: string;
  readonly cpus: number;
  readonly memoryMiB: number;
  /** In EC2's words: `Up to 12.5 Gigabit`. */
  readonly network: string;
  readonly architecture: Architecture;
  readonly gpus: number;
  /** Of the first GPU: `NVIDIA L4`. */
  readonly gpu: string | undefined;
  readonly bareMetal: boolean;
}

/** All instance types that match all filters; other architectures than ours are left out. */
export async function describeTypes(
  cloud: Cloud,
  filters: Filter[],
  signal: AbortSignal,
): Promise<TypeInfo[]> {
  const pages = await allPages((next) =>
    cloud.ask("DescribeInstanceTypes", signal, (o) =>
      cloud.ec2.send(new DescribeInstanceTypesCommand({ Filters: filters, ...next }), o),
    ),
  );
  return pages.flatMap((page) => (page.InstanceTypes ?? []).flatMap((raw) => readType(raw) ?? []));
}

/**
 * Names of the instance types that are offered: in all of these availability zones, or in the Region when none is given.
 */
export async function offeredTypes(
  cloud: Cloud,
  zones: readonly string[],
  signal: AbortSignal,
): Promise<Set<string>> {
  const where =
    zones.length === 0
      ? { LocationType: "region" as const }
      : {
          LocationType: "availability-zone" as const,
          Filters: [{ Name: "location", Values: [...zones] }],
        };
  const pages = await allPages((next) =>
    cloud.ask("DescribeInstanceTypeOfferings", signal, (o) =>
      cloud.ec2.send(new DescribeInstanceTypeOfferingsCommand({ ...where, ...next }), o),
    ),
  );
  const counts = new Map<string, number>();
  for (const { InstanceType: name } of pages.flatMap((page) => page.InstanceTypeOfferings ?? [])) {
    if (name !== undefined) counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  const needed = Math.max(1, zones.length);
  return new Set([...counts].filter(([, count]) => count >= needed).map(([name]) => name));
}

function readType(raw: Ec2Type): TypeInfo | undefined {
  const architecture = raw.ProcessorInfo?.SupportedArchitectures?.find(
    (each) => each === "x86_64" || each === "arm64",
  );
  if (raw.InstanceType === undefined || architecture === undefined) return undefined;
  const gpus = raw.GpuInfo?.Gpus ?? [];
  const [first] = gpus;
  return {
    name: raw.InstanceType,
    cpus: raw.VCpuInfo?.DefaultVCpus ?? 0,
    memoryMiB: raw.MemoryInfo?.SizeInMiB ?? 0,
    network: raw.NetworkInfo?.NetworkPerformance ?? "-",
    architecture,
    gpus: gpus.reduce((sum, each) => sum + (each.Count ?? 0), 0),
    gpu: first === undefined ? undefined : [first.Manufacturer, first.Name].join(" ").trim(),
    bareMetal: raw.BareMetal === true,
  };
}

import { z } from "zod";
import {
  coresOf,
  instanceTypeNamed,
  instanceTypes,
  strategiesOf,
  type Gpu,
  type InstanceType,
} from "../instance-types.ts";
import { ApiError } from "../protocol/errors.ts";
import { filtered, filterParameters, page, pageParameters, type Attributes } from "../protocol/listing.ts";
import { list, text } from "../protocol/query.ts";
import type { XmlObject } from "../protocol/xml.ts";
import { subnets } from "../state/schema.ts";
import { action } from "./action.ts";

/** "The maximum number of items to return" of both actions, and what EC2 returns when it is not told. */
const largestPage = { DescribeInstanceTypes: 100, DescribeInstanceTypeOfferings: 1000 };

const attributes: Attributes<InstanceType> = {
  "bare-metal": () => ["false"],
  "burstable-performance-supported": (it) => [String(it.burstable)],
  "current-generation": (it) => [String(it.isCurrent)],
  "ebs-info.ebs-optimized-support": (it) => [it.ebsOptimized],
  hypervisor: (it) => [it.hypervisor],
  "instance-storage-supported": (it) => [String(it.storageGB !== undefined)],
  "instance-type": (it) => [it.name],
  "memory-info.size-in-mib": (it) => [String(it.memoryMiB)],
  "network-info.network-performance": (it) => [it.network],
  "processor-info.supported-architecture": (it) => [it.architecture],
  "supported-root-device-type": () => ["ebs"],
  "supported-usage-class": () => ["on-demand", "spot"],
  "supported-virtualization-type": () => ["hvm"],
  "vcpu-info.default-cores": (it) => [String(coresOf(it))],
  "vcpu-info.default-threads-per-core": (it) => [String(it.threadsPerCore)],
  "vcpu-info.default-vcpus": (it) => [String(it.cpus)],
};

function gpuXml({ name, manufacturer, count, memoryMiB }: Gpu): XmlObject {
  return {
    gpus: [{ name, manufacturer, count, memoryInfo: { sizeInMiB: memoryMiB } }],
    totalGpuMemoryInMiB: count * memoryMiB,
  };
}

function typeXml(it: InstanceType): XmlObject {
  const isNitro = it.hypervisor === "nitro";
  return {
    instanceType: it.name,
    currentGeneration: it.isCurrent,
    freeTierEligible: false,
    supportedUsageClasses: ["on-demand", "spot"],
    supportedRootDeviceTypes: ["ebs"],
    supportedVirtualizationTypes: ["hvm"],
    bareMetal: false,
    hypervisor: it.hypervisor,
    processorInfo: { supportedArchitectures: [it.architecture] },
    vCpuInfo: { defaultVCpus: it.cpus, defaultCores: coresOf(it), defaultThreadsPerCore: it.threadsPerCore },
    memoryInfo: { sizeInMiB: it.memoryMiB },
    instanceStorageSupported: it.storageGB !== undefined,
    instanceStorageInfo: it.storageGB === undefined ? undefined : { totalSizeInGB: it.storageGB },
    ebsInfo: {
      ebsOptimizedSupport: it.ebsOptimized,
      encryptionSupport: "supported",
      nvmeSupport: isNitro ? "required" : "unsupported",
    },
    networkInfo: { networkPerformance: it.network, enaSupport: isNitro ? "required" : "unsupported" },
    gpuInfo: it.gpu === undefined ? undefined : gpuXml(it.gpu),
    placementGroupInfo: { supportedStrategies: [...strategiesOf(it)] },
    burstablePerformanceSupported: it.burstable,
    // There are no hosts to have here.
    dedicatedHostsSupported: false,
    autoRecoverySupported: false,
  };
}

export const instanceTypeActions = [
  action(
    "DescribeInstanceTypes",
    z.strictObject({ InstanceType: list(text), ...filterParameters, ...pageParameters }),
    async (_, request) => {
      const unknown = request.InstanceType.filter((name) => instanceTypeNamed(name) === undefined);
      if (unknown.length > 0) {
        throw new ApiError(
          "InvalidInstanceType",
          `The following supplied instance types do not exist: [${unknown.join(", ")}]`,
        );
      }
      const matching = filtered(
        instanceTypes.filter(
          ({ name }) => request.InstanceType.length === 0 || request.InstanceType.includes(name),
        ),
        request.Filter,
        attributes,
        () => ({}),
      );
      const { items, nextToken } = page(matching, request, { largest: largestPage.DescribeInstanceTypes });
      return Promise.resolve({ instanceTypeSet: items.map(typeXml), nextToken });
    },
  ),

  action(
    "DescribeInstanceTypeOfferings",
    z.strictObject({
      LocationType: z.enum(["region", "availability-zone"]).default("region"),
      ...filterParameters,
      ...pageParameters,
    }),
    async (context, request) => {
      const locations =
        request.LocationType === "region"
          ? [context.region]
          : subnets.map(({ letter }) => `${context.region}${letter}`);
      const offers = instanceTypes.flatMap(({ name }) => locations.map((location) => ({ name, location })));
      const matching = filtered(
        offers,
        request.Filter,
        { location: (it) => [it.location], "instance-type": (it) => [it.name] },
        () => ({}),
      );
      const { items, nextToken } = page(matching, request, {
        largest: largestPage.DescribeInstanceTypeOfferings,
      });
      return Promise.resolve({
        instanceTypeOfferingSet: items.map(({ name, location }) => ({
          instanceType: name,
          locationType: request.LocationType,
          location,
        })),
        nextToken,
      });
    },
  ),
];

import { z } from "zod";
import { instanceTypeNamed, instanceTypes } from "../instance-types.ts";
import { ApiError } from "../protocol/errors.ts";
import { filtered, filterParameters, page, pageParameters } from "../protocol/listing.ts";
import { list, text } from "../protocol/query.ts";
import { subnets } from "../state/schema.ts";
import { action } from "./action.ts";

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
        {
          "bare-metal": () => ["false"],
          "burstable-performance-supported": (it) => [String(it.burstable)],
          "current-generation": () => ["true"],
          hypervisor: (it) => [it.hypervisor],
          "instance-type": (it) => [it.name],
          "memory-info.size-in-mib": (it) => [String(it.memoryMiB)],
          "processor-info.supported-architecture": (it) => [it.architecture],
          "supported-usage-class": () => ["on-demand", "spot"],
          "supported-virtualization-type": () => ["hvm"],
          "vcpu-info.default-vcpus": (it) => [String(it.cpus)],
        },
        () => ({}),
      );
      const { items, nextToken } = page(matching, request);
      return Promise.resolve({
        instanceTypeSet: items.map((it) => ({
          instanceType: it.name,
          currentGeneration: true,
          freeTierEligible: false,
          supportedUsageClasses: ["on-demand", "spot"],
          supportedRootDeviceTypes: ["ebs"],
          supportedVirtualizationTypes: ["hvm"],
          bareMetal: false,
          hypervisor: it.hypervisor,
          processorInfo: { supportedArchitectures: [it.architecture] },
          vCpuInfo: { defaultVCpus: it.cpus, defaultCores: it.cpus, defaultThreadsPerCore: 1 },
          memoryInfo: { sizeInMiB: it.memoryMiB },
          instanceStorageSupported: false,
          burstablePerformanceSupported: it.burstable,
          dedicatedHostsSupported: false,
          autoRecoverySupported: false,
        })),
        nextToken,
      });
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
      const { items, nextToken } = page(matching, request);
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

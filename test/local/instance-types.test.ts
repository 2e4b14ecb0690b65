import {
  DescribeInstanceTypeOfferingsCommand,
  DescribeInstanceTypesCommand,
  paginateDescribeInstanceTypes,
  type DescribeInstanceTypesCommandInput,
  type InstanceTypeInfo,
} from "@aws-sdk/client-ec2";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { stateOnlyCloud, type StateOnlyCloud } from "../support/local-cloud.ts";

let local: StateOnlyCloud;

beforeAll(async () => {
  local = await stateOnlyCloud();
});
afterAll(async () => {
  await local[Symbol.asyncDispose]();
});

async function all(request: DescribeInstanceTypesCommandInput = {}): Promise<InstanceTypeInfo[]> {
  const found: InstanceTypeInfo[] = [];
  for await (const page of paginateDescribeInstanceTypes({ client: local.ec2 }, request)) {
    found.push(...(page.InstanceTypes ?? []));
  }
  return found;
}

async function names(filters: Readonly<Record<string, readonly string[]>>): Promise<string[]> {
  const Filters = Object.entries(filters).map(([Name, Values]) => ({ Name, Values: [...Values] }));
  return (await all({ Filters })).map(({ InstanceType = "" }) => InstanceType);
}

describe("DescribeInstanceTypes", () => {
  test("tells what there is to know of a type", async () => {
    const [m7g, g5, t3] = await all({ InstanceTypes: ["m7g.2xlarge", "g5.12xlarge", "t3.micro"] }).then(
      (found) =>
        ["m7g.2xlarge", "g5.12xlarge", "t3.micro"].map((name) =>
          found.find((it) => it.InstanceType === name),
        ),
    );
    expect(m7g).toMatchObject({
      CurrentGeneration: true,
      ProcessorInfo: { SupportedArchitectures: ["arm64"] },
      VCpuInfo: { DefaultVCpus: 8, DefaultCores: 8, DefaultThreadsPerCore: 1 },
      MemoryInfo: { SizeInMiB: 32_768 },
      NetworkInfo: { NetworkPerformance: "Up to 15 Gigabit", EnaSupport: "required" },
      EbsInfo: { EbsOptimizedSupport: "default" },
      PlacementGroupInfo: { SupportedStrategies: ["cluster", "partition", "spread"] },
      BurstablePerformanceSupported: false,
    });
    expect(m7g?.GpuInfo).toBeUndefined();
    expect(g5).toMatchObject({
      VCpuInfo: { DefaultVCpus: 48, DefaultCores: 24, DefaultThreadsPerCore: 2 },
      MemoryInfo: { SizeInMiB: 196_608 },
      NetworkInfo: { NetworkPerformance: "40 Gigabit" },
      GpuInfo: {
        Gpus: [{ Name: "A10G", Manufacturer: "NVIDIA", Count: 4, MemoryInfo: { SizeInMiB: 24_576 } }],
        TotalGpuMemoryInMiB: 98_304,
      },
      InstanceStorageInfo: { TotalSizeInGB: 3800 },
    });
    expect(t3).toMatchObject({
      BurstablePerformanceSupported: true,
      PlacementGroupInfo: { SupportedStrategies: ["partition", "spread"] },
      NetworkInfo: { NetworkPerformance: "Up to 5 Gigabit" },
    });
  });

  test("every type has all of its figures, and no name comes twice", async () => {
    const found = await all();
    expect(found.length).toBeGreaterThan(200);
    expect(new Set(found.map(({ InstanceType }) => InstanceType)).size).toBe(found.length);
    for (const it of found) {
      expect(it.NetworkInfo?.NetworkPerformance, it.InstanceType).toMatch(/Gigabit$|^Low|^Moderate$|^High$/);
      expect(Number.isInteger(it.VCpuInfo?.DefaultCores), it.InstanceType).toBe(true);
      expect(it.MemoryInfo?.SizeInMiB, it.InstanceType).toBeGreaterThanOrEqual(512);
    }
  });

  test("filters", async () => {
    const current = await names({ "current-generation": ["true"] });
    const previous = await names({ "current-generation": ["false"] });
    expect(previous).toContain("m3.medium");
    expect(current).not.toContain("m3.medium");
    expect(current).toContain("c7i.2xlarge");
    const eight = { "vcpu-info.default-vcpus": ["8"], "memory-info.size-in-mib": ["16384"] };
    const fitting = await names({ ...eight, "processor-info.supported-architecture": ["arm64"] });
    expect(fitting.sort()).toEqual(["c6g.2xlarge", "c7g.2xlarge", "c8g.2xlarge", "g5g.2xlarge"]);
    expect(await names({ "instance-type": ["t4g.*"] })).toHaveLength(7);
    expect(await names({ "ebs-info.ebs-optimized-support": ["supported"] })).toContain("c3.xlarge");
  });

  test("comes in pages of at most 100, also where none are asked for", async () => {
    const first = await local.ec2.send(new DescribeInstanceTypesCommand({}));
    expect(first.InstanceTypes).toHaveLength(100);
    expect(first.NextToken).toBeDefined();
    const refused = local.ec2.send(new DescribeInstanceTypesCommand({ MaxResults: 101 }));
    await expect(refused).rejects.toMatchObject({ name: "InvalidParameterValue" });
    expect(await all({ MaxResults: 30 })).toHaveLength((await all()).length);
  });

  test("a type that does not exist is named", async () => {
    const refused = local.ec2.send(
      new DescribeInstanceTypesCommand({ InstanceTypes: ["t3.micro", "m1.small"] }),
    );
    await expect(refused).rejects.toMatchObject({ name: "InvalidInstanceType" });
    await expect(refused).rejects.toThrow("[m1.small]");
  });
});

test("offerings by Region and by zone", async () => {
  const offered = async (LocationType: "region" | "availability-zone"): Promise<(string | undefined)[]> => {
    const Filters = [{ Name: "instance-type", Values: ["c7i.2xlarge"] }];
    const reply = await local.ec2.send(new DescribeInstanceTypeOfferingsCommand({ LocationType, Filters }));
    return (reply.InstanceTypeOfferings ?? []).map(({ Location }) => Location);
  };
  expect(await offered("region")).toEqual(["local"]);
  expect(await offered("availability-zone")).toEqual(["locala", "localb"]);
});

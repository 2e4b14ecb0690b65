import { expect, test } from "vitest";
import { Cloud } from "../../src/aws/cloud.ts";
import { offeredTypes, type TypeInfo } from "../../src/aws/type-list.ts";
import { findTypes, fittingTypes, typeTable, type TypeNeeds } from "../../src/launch/types.ts";
import { failureOf } from "../support/failure.ts";
import { stateOnlyCloud } from "../support/local-cloud.ts";
import { scriptedHandler } from "../support/scripted-handler.ts";
import { recorderOf } from "../support/sent-requests.ts";

const { signal } = new AbortController();

const needs: TypeNeeds = {
  cpus: undefined,
  memoryMiB: undefined,
  architecture: undefined,
  gpu: false,
  spot: false,
  zones: [],
};

function type(name: string, cpus: number, gib: number, rest: Partial<TypeInfo> = {}): TypeInfo {
  return {
    name,
    cpus,
    memoryMiB: gib * 1024,
    network: "Up to 12.5 Gigabit",
    architecture: "x86_64",
    gpus: 0,
    gpu: undefined,
    bareMetal: false,
    ...rest,
  };
}

const some = [
  type("r7i.2xlarge", 8, 64),
  type("m7i.2xlarge", 8, 32),
  type("c7i.2xlarge", 8, 16),
  type("c7i.4xlarge", 16, 32),
  type("c6i.2xlarge", 8, 16),
  type("c7i.metal", 8, 16, { bareMetal: true }),
  type("c7g.2xlarge", 8, 16, { architecture: "arm64" }),
  type("g6.2xlarge", 8, 32, { gpus: 1, gpu: "NVIDIA L4" }),
];

const names = (types: readonly TypeInfo[]): string[] => types.map(({ name }) => name);

test("at least what is needed, smallest first; bare metal last of its size", () => {
  expect(names(fittingTypes(some, { ...needs, cpus: 8, memoryMiB: 16_384, architecture: "x86_64" }))).toEqual(
    ["c6i.2xlarge", "c7i.2xlarge", "c7i.metal", "m7i.2xlarge", "r7i.2xlarge", "c7i.4xlarge"],
  );
  expect(names(fittingTypes(some, { ...needs, cpus: 9 }))).toEqual(["c7i.4xlarge"]);
  expect(names(fittingTypes(some, { ...needs, architecture: "arm64" }))).toEqual(["c7g.2xlarge"]);
});

test("a GPU only for who asks for one", () => {
  expect(names(fittingTypes(some, { ...needs, gpu: true }))).toEqual(["g6.2xlarge"]);
});

test("a table, with a column for GPUs where there are any", () => {
  expect(typeTable(some.slice(1, 3))).toEqual([
    "type         vCPU  memory  network             arch",
    "m7i.2xlarge     8  32 GiB  Up to 12.5 Gigabit  x86_64",
    "c7i.2xlarge     8  16 GiB  Up to 12.5 Gigabit  x86_64",
  ]);
  expect(typeTable(some.slice(7))).toEqual([
    "type        vCPU  memory  network             arch    GPU",
    "g6.2xlarge     8  32 GiB  Up to 12.5 Gigabit  x86_64  1 x NVIDIA L4",
  ]);
});

test("of a cloud: all pages, current generations alone, offered in the zone", async () => {
  await using local = await stateOnlyCloud();
  const recorder = recorderOf(local.cloud);
  const cloud = new Cloud(recorder.options);
  const types = await findTypes(
    cloud,
    { ...needs, cpus: 8, memoryMiB: 16_384, architecture: "x86_64", spot: true, zones: ["locala"] },
    signal,
  );
  expect(names(types)).toContain("c7i.2xlarge");
  expect(types.every(({ cpus, memoryMiB }) => cpus >= 8 && memoryMiB >= 16_384)).toBe(true);
  expect(types.every(({ architecture, gpus }) => architecture === "x86_64" && gpus === 0)).toBe(true);
  expect(recorder.sent("DescribeInstanceTypes")[0]).toMatchObject({
    "Filter.1.Name": "current-generation",
    "Filter.1.Value.1": "true",
    "Filter.2.Name": "processor-info.supported-architecture",
    "Filter.2.Value.1": "x86_64",
    "Filter.3.Name": "supported-usage-class",
    "Filter.3.Value.1": "spot",
  });
  expect(recorder.sent("DescribeInstanceTypeOfferings")[0]).toMatchObject({
    LocationType: "availability-zone",
    "Filter.1.Name": "location",
    "Filter.1.Value.1": "locala",
  });
  const failure = await failureOf(findTypes(cloud, { ...needs, cpus: 9000, architecture: "arm64" }, signal));
  expect(failure).toMatchObject({ kind: "usage" });
  expect(failure.message).toBe(
    "no instance type of the current generation in this Region has 9000 vCPUs, arm64",
  );
});

test("offered in all of several zones, over several pages", async () => {
  const offering = (name: string, zone: string): string =>
    `<item><instanceType>${name}</instanceType><locationType>availability-zone</locationType><location>${zone}</location></item>`;
  const pages = [
    `<instanceTypeOfferingSet>${offering("m5.large", "a")}${offering("c5.large", "a")}</instanceTypeOfferingSet><nextToken>more</nextToken>`,
    `<instanceTypeOfferingSet>${offering("m5.large", "b")}</instanceTypeOfferingSet>`,
  ];
  const cloud = new Cloud({
    region: "local",
    credentials: { accessKeyId: "a", secretAccessKey: "b" },
    requestHandler: scriptedHandler((parameters) => {
      const page = parameters.get("NextToken") === "more" ? pages[1] : pages[0];
      return {
        status: 200,
        body: `<DescribeInstanceTypeOfferingsResponse>${page ?? ""}</DescribeInstanceTypeOfferingsResponse>`,
      };
    }),
  });
  expect([...(await offeredTypes(cloud, ["a", "b"], signal))]).toEqual(["m5.large"]);
});

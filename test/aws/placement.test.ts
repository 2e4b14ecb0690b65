import { expect, test } from "vitest";
import type { Subnet } from "../../src/aws/network.ts";
import { attempts, describeAttempt, findPlace, fittingSubnets } from "../../src/aws/placement.ts";
import { testBake } from "../support/bake.ts";
import { stateOnlyCloud } from "../support/local-cloud.ts";

const never = new AbortController().signal;

function subnet(id: string, rest: Partial<Subnet> = {}): Subnet {
  return {
    id,
    vpcId: "vpc-1",
    zone: `eu-west-1${id.slice(-1)}`,
    isDefault: false,
    givesPublicAddress: true,
    hasIpv6: false,
    freeAddresses: 100,
    ...rest,
  };
}

const ids = (subnets: readonly Subnet[]): string[] => subnets.map(({ id }) => id);

test("subnets that fit: reachable, with a free address, default ones first, then by zone", () => {
  const all = [
    subnet("subnet-c"),
    subnet("subnet-b", { givesPublicAddress: false, hasIpv6: true }),
    subnet("subnet-a", { freeAddresses: 0 }),
    subnet("subnet-d", { isDefault: true }),
  ];
  expect(ids(fittingSubnets(all, "public-ip"))).toEqual(["subnet-d", "subnet-c"]);
  expect(ids(fittingSubnets(all, "public-dns"))).toEqual(["subnet-d", "subnet-c"]);
  expect(ids(fittingSubnets(all, "private-ip"))).toEqual(["subnet-d", "subnet-b", "subnet-c"]);
  expect(ids(fittingSubnets(all, "ipv6"))).toEqual(["subnet-b"]);
});

test("attempts: spot before on-demand, then types, then zones", () => {
  const subnets = [subnet("subnet-a"), subnet("subnet-b")];
  expect(attempts(["m7i.large", "m6i.large"], subnets, true).map(describeAttempt)).toEqual([
    "spot m7i.large in eu-west-1a (subnet-a)",
    "spot m7i.large in eu-west-1b (subnet-b)",
    "spot m6i.large in eu-west-1a (subnet-a)",
    "spot m6i.large in eu-west-1b (subnet-b)",
    "m7i.large in eu-west-1a (subnet-a)",
    "m7i.large in eu-west-1b (subnet-b)",
    "m6i.large in eu-west-1a (subnet-a)",
    "m6i.large in eu-west-1b (subnet-b)",
  ]);
  expect(attempts(["t3.small"], subnets, false)).toHaveLength(2);
});

test("the default VPC's subnets, or those that are named, in their order", async () => {
  await using local = await stateOnlyCloud();
  const { cloud } = testBake(local).options;
  const place = await findPlace(cloud, { vpc: undefined, subnets: [], sshInterface: "public-ip" }, never);
  expect(place.subnets.length).toBeGreaterThan(1);
  const [first = "", second = ""] = ids(place.subnets);
  const request = { vpc: undefined, subnets: [second, first], sshInterface: "public-ip" } as const;
  const named = await findPlace(cloud, request, never);
  expect(ids(named.subnets)).toEqual([second, first]);
  expect(named.vpcId).toBe(place.vpcId);
});

test.each([
  [
    { vpc: undefined, subnets: ["subnet-0000000000000dead"] },
    /no subnet subnet-0000000000000dead|subnet ID 'subnet-0000000000000dead' does not exist/,
  ],
  [
    { vpc: "vpc-0000000000000dead", subnets: [] },
    /VPC vpc-0000000000000dead has no subnet|vpc ID 'vpc-0000000000000dead' does not exist/i,
  ],
])("a place that does not exist is named: %j", async (request, message) => {
  await using local = await stateOnlyCloud();
  const { cloud } = testBake(local).options;
  await expect(findPlace(cloud, { ...request, sshInterface: "public-ip" }, never)).rejects.toThrow(message);
});

test("named subnets of another VPC than the named one are refused", async () => {
  await using local = await stateOnlyCloud();
  const { cloud } = testBake(local).options;
  const place = await findPlace(cloud, { vpc: undefined, subnets: [], sshInterface: "public-ip" }, never);
  const request = {
    vpc: "vpc-0000000000000dead",
    subnets: ids(place.subnets),
    sshInterface: "public-ip",
  } as const;
  await expect(findPlace(cloud, request, never)).rejects.toThrow(
    /not all in one VPC: vpc-0000000000000dead, vpc-/,
  );
});

import {
  AllocateAddressCommand,
  AssociateAddressCommand,
  DescribeAddressesCommand,
  DescribeInstancesCommand,
  DescribeSpotInstanceRequestsCommand,
  TerminateInstancesCommand,
} from "@aws-sdk/client-ec2";
import { expect, test } from "vitest";
import { Cloud } from "../../src/aws/cloud.ts";
import { cleanup } from "../../src/cleanup/cleanup.ts";
import { findImage } from "../../src/launch/choose-image.ts";
import { launch, type InstanceSettings, type LaunchOptions } from "../../src/launch/launch.ts";
import { ownMachines, terminateMachines } from "../../src/launch/machines.ts";
import type { Interceptor } from "../../src/local/cloud.ts";
import { newKeyPair } from "../../src/local/key-format.ts";
import { ApiError } from "../../src/local/protocol/errors.ts";
import { failureOf } from "../support/failure.ts";
import { image as bakedImage, owner } from "../support/leavings.ts";
import { clientOptions, stateOnlyCloud, type StateOnlyCloud } from "../support/local-cloud.ts";

const { signal } = new AbortController();
const silent = (): void => undefined;

interface Place {
  readonly local: StateOnlyCloud;
  readonly cloud: Cloud;
  readonly launched: (instance: InstanceSettings, rest?: Partial<LaunchOptions>) => ReturnType<typeof launch>;
}

async function within(work: (place: Place) => Promise<void>, intercept?: Interceptor): Promise<void> {
  await using local = await stateOnlyCloud(intercept === undefined ? {} : { intercept });
  await bakedImage(local, "baked", false);
  const cloud = new Cloud(clientOptions(local.cloud));
  const choice = await findImage(cloud, { owner, names: ["web"], extra: [], local: undefined }, signal);
  const options: LaunchOptions = {
    cloud,
    choice,
    run: "20260102-030405-abcdef",
    owner,
    instanceType: "m5.large",
    count: 1,
    ports: [{ port: 22, cidr: "127.0.0.0/8" }],
    loginKey: `${newKeyPair("ed25519").line} me`,
    waitSeconds: undefined,
    listener: silent,
    signal,
  };
  await work({ local, cloud, launched: (instance, rest = {}) => launch({ ...options, instance, ...rest }) });
}

/** What a launch is interrupted with as soon as it waits for the update. */
function interruptedWhileWaiting(): Partial<LaunchOptions> {
  const abort = new AbortController();
  return {
    waitSeconds: 600,
    signal: abort.signal,
    listener: (event) => {
      if (event.type === "stage-started" && event.stage === "update") abort.abort();
    },
  };
}

/** Refuses an action once the launch is under way. */
const refusing =
  (action: string, code: string): Interceptor =>
  async (call, carryOut) => {
    if (call.action === action) throw new ApiError(code, "No.", 400);
    return await carryOut();
  };

async function addresses({ ec2 }: StateOnlyCloud): Promise<Readonly<Record<string, boolean>>> {
  const { Addresses = [] } = await ec2.send(new DescribeAddressesCommand());
  return Object.fromEntries(
    Addresses.map(({ AllocationId, AssociationId }) => [AllocationId ?? "", AssociationId !== undefined]),
  );
}

async function machines({ ec2 }: StateOnlyCloud): Promise<(string | undefined)[]> {
  const filters = [{ Name: "tag:bake-ami:role", Values: ["machine"] }];
  const { Reservations = [] } = await ec2.send(new DescribeInstancesCommand({ Filters: filters }));
  return Reservations.flatMap(({ Instances = [] }) => Instances).map(({ State }) => State?.Name);
}

async function requests({ ec2 }: StateOnlyCloud): Promise<(string | undefined)[]> {
  const { SpotInstanceRequests = [] } = await ec2.send(new DescribeSpotInstanceRequestsCommand());
  return SpotInstanceRequests.map(({ State }) => State);
}

test("a new Elastic IP is the machine's own: it is tagged, bound, and goes with it", async () => {
  await within(async ({ local, cloud, launched }) => {
    const [machine] = await launched({ elasticIp: { kind: "new" } });
    const { Addresses = [] } = await local.ec2.send(new DescribeAddressesCommand());
    const [address] = Addresses;
    expect(Addresses).toHaveLength(1);
    expect(address?.InstanceId).toBe(machine?.instance.id);
    expect(address?.PublicIp).toBe(machine?.instance.publicAddress);
    expect(address?.Tags).toContainEqual({ Key: "bake-ami:role", Value: "machine-address" });
    expect(machine?.instance.tags.get("bake-ami:address")).toBe(address?.AllocationId);
    await terminateMachines(cloud, await ownMachines(cloud, owner, signal), silent, signal);
    expect(await addresses(local)).toEqual({});
  });
});

test("a new Elastic IP is given back when the machine cannot start, and on an interruption", async () => {
  await within(async ({ local, launched }) => {
    await failureOf(launched({ elasticIp: { kind: "new" }, placement: { group: "nobodys" } }));
    expect(await addresses(local)).toEqual({});
    const failure = await failureOf(launched({ elasticIp: { kind: "new" } }, interruptedWhileWaiting()));
    expect(failure).toMatchObject({ kind: "interrupted" });
    expect(await addresses(local)).toEqual({});
    expect(await machines(local)).not.toContain("running");
  });
});

test("a new Elastic IP is given back when it cannot be bound", async () => {
  await within(
    async ({ local, launched }) => {
      await failureOf(launched({ elasticIp: { kind: "new" } }));
      expect(await addresses(local)).toEqual({});
      expect(await machines(local)).not.toContain("running");
    },
    refusing("AssociateAddress", "InvalidParameterValue"),
  );
});

test("an Elastic IP of the user's is bound, freed again when something goes wrong, and never released", async () => {
  await within(async ({ local, cloud, launched }) => {
    const { AllocationId: id = "", PublicIp: address = "" } = await local.ec2.send(
      new AllocateAddressCommand({ Domain: "vpc" }),
    );
    await failureOf(launched({ elasticIp: { kind: "allocation", id } }, interruptedWhileWaiting()));
    expect(await addresses(local)).toEqual({ [id]: false });
    const [machine] = await launched({ elasticIp: { kind: "address", address } }, { run: "r2" });
    expect(machine?.instance.publicAddress).toBe(address);
    expect(await addresses(local)).toEqual({ [id]: true });
    const taken = await failureOf(launched({ elasticIp: { kind: "allocation", id } }, { run: "r3" }));
    expect(taken).toMatchObject({ kind: "usage" });
    expect(taken.message).toBe(`Elastic IP ${id} is bound to ${machine?.instance.id ?? ""}`);
    await terminateMachines(cloud, await ownMachines(cloud, owner, signal), silent, signal);
    expect(await addresses(local)).toEqual({ [id]: false });
    const nobodys = await failureOf(launched({ elasticIp: { kind: "address", address: "192.0.2.9" } }));
    expect(nobodys.message).toBe("there is no Elastic IP 192.0.2.9 here");
  });
});

test("a protected machine ends only when the protection is lifted; an undo lifts it", async () => {
  await within(async ({ local, cloud, launched }) => {
    await failureOf(launched({ protect: true }, interruptedWhileWaiting()));
    expect(await machines(local)).not.toContain("running");
    const [machine] = await launched({ protect: true }, { run: "r2" });
    const all = (await ownMachines(cloud, owner, signal)).filter(({ id }) => id === machine?.instance.id);
    const refused = await failureOf(terminateMachines(cloud, all, silent, signal));
    expect(refused).toMatchObject({ kind: "usage" });
    expect(refused.hint).toContain(`\`bake-ami terminate --unprotect ${machine?.instance.id ?? ""}\``);
    await terminateMachines(cloud, all, silent, signal, { unprotect: true });
    expect(await machines(local)).not.toContain("running");
  });
});

test("a persistent spot request ends with its machine, and when something goes wrong", async () => {
  await within(async ({ local, cloud, launched }) => {
    const spot = { kind: "persistent", interruption: "stop" } as const;
    await failureOf(launched({ spot }, interruptedWhileWaiting()));
    expect(await requests(local)).not.toContain("active");
    const [machine] = await launched({ spot }, { run: "r2" });
    expect(machine?.instance.spotRequestId).toMatch(/^sir-/);
    expect((await requests(local)).filter((state) => state === "active")).toHaveLength(1);
    await terminateMachines(cloud, await ownMachines(cloud, owner, signal), silent, signal);
    expect(await requests(local)).not.toContain("active");
    expect(await requests(local)).not.toContain("open");
  });
});

test("cleanup finds Elastic IPs and persistent spot requests of launches whose machines are gone", async () => {
  await within(async ({ local, cloud, launched }) => {
    const spot = { kind: "persistent", interruption: "stop" } as const;
    await launched({ spot, elasticIp: { kind: "new" } });
    const clean = (): ReturnType<typeof cleanup> =>
      cleanup({ cloud, owner, dryRun: false, listener: silent, signal });
    expect(await clean()).toEqual([]);
    const [machine] = await ownMachines(cloud, owner, signal);
    const { AllocationId: other = "" } = await local.ec2.send(new AllocateAddressCommand({ Domain: "vpc" }));
    // Somebody ends the machine in the console.
    await local.ec2.send(new TerminateInstancesCommand({ InstanceIds: [machine?.id ?? ""] }));
    const whats = (await clean()).map(({ what }) => what);
    expect(whats).toContain("elastic IP");
    expect(whats).toContain("security group");
    expect(Object.keys(await addresses(local))).toEqual([other]);
    expect(await requests(local)).not.toContain("active");
    expect(await requests(local)).not.toContain("open");
  });
});

test("an address that is bound to something else is no free one", async () => {
  await within(async ({ local, launched }) => {
    const [machine] = await launched({});
    const { AllocationId: id = "" } = await local.ec2.send(new AllocateAddressCommand({ Domain: "vpc" }));
    await local.ec2.send(
      new AssociateAddressCommand({ AllocationId: id, InstanceId: machine?.instance.id ?? "" }),
    );
    const failure = await failureOf(launched({ elasticIp: { kind: "allocation", id } }, { run: "r2" }));
    expect(failure.hint).toMatch(/aws ec2 disassociate-address --association-id eipassoc-/);
  });
});

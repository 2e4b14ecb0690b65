import {
  AllocateAddressCommand,
  CreatePlacementGroupCommand,
  CreateSecurityGroupCommand,
  ImportKeyPairCommand,
} from "@aws-sdk/client-ec2";
import { describe, expect, test } from "vitest";
import { describeAddresses, disassociateAddress } from "../../src/aws/addresses.ts";
import { Cloud } from "../../src/aws/cloud.ts";
import type { Clock } from "../../src/base/clock.ts";
import { newRunId } from "../../src/base/ids.ts";
import { findImage } from "../../src/launch/choose-image.ts";
import { launch, type LaunchOptions } from "../../src/launch/launch.ts";
import { ownMachines, terminateMachines } from "../../src/launch/machines.ts";
import { findTypes } from "../../src/launch/types.ts";
import { newKeyPair } from "../../src/local/key-format.ts";
import { image, owner } from "../support/leavings.ts";
import { clientOptions } from "../support/local-cloud.ts";
import { documented, shortenings, together, under, type Workplace } from "../support/policies.ts";
import { VirtualClock } from "../support/virtual-clock.ts";

const signal = new AbortController().signal;
const loginKey = `${newKeyPair("ed25519").line} me`;

async function launchOf(
  { local, listener }: Workplace,
  clock: Clock,
  rest: Partial<LaunchOptions> = {},
): Promise<LaunchOptions> {
  const cloud = new Cloud({ ...clientOptions(local.cloud), clock });
  return {
    cloud,
    choice: await findImage(cloud, { owner, names: ["web"], extra: [], local: undefined }, signal),
    run: newRunId(new Date()),
    owner,
    instanceType: "t3.micro",
    count: 1,
    ports: [{ port: 22, cidr: "127.0.0.0/8" }],
    loginKey,
    waitSeconds: undefined,
    ...{ listener, signal },
    ...rest,
  };
}

/** What others have made: a key pair, a security group, a placement group. Gives the id of the security group. */
async function existing({ unrestricted: { ec2 } }: Workplace): Promise<string> {
  await ec2.send(new CreatePlacementGroupCommand({ GroupName: "far", Strategy: "spread" }));
  await ec2.send(
    new ImportKeyPairCommand({
      KeyName: "mine",
      PublicKeyMaterial: Buffer.from(newKeyPair("ed25519").line),
    }),
  );
  const group = new CreateSecurityGroupCommand({ GroupName: "mine", Description: "d" });
  return (await ec2.send(group)).GroupId ?? "";
}

async function launchWithEverything(place: Workplace, clock: Clock): Promise<void> {
  await image(place.unrestricted, "baked", false);
  const groupId = await existing(place);
  const options = await launchOf(place, clock);
  const { cloud, listener } = options;
  const needs = { cpus: 2, memoryMiB: 1024, architecture: undefined, gpu: false, spot: true, zones: [] };
  await findTypes(cloud, needs, signal);
  const [launched] = await launch({
    ...options,
    instance: {
      spot: { kind: "persistent", interruption: "stop" },
      keyName: "mine",
      groupIds: [groupId],
      placement: { group: "far" },
      elasticIp: { kind: "new" },
    },
  });
  expect(launched?.instance.publicAddress).toMatch(/^127\./);
  const { AllocationId: id = "" } = await place.unrestricted.ec2.send(new AllocateAddressCommand({}));
  const elasticIp = { kind: "allocation", id } as const;
  await launch(await launchOf(place, clock, { role: "job", instance: { protect: true, elasticIp } }));
  // As a launch does that is interrupted after this.
  const named = [{ Name: "allocation-id", Values: [id] }];
  const [address] = await describeAddresses(cloud, named, signal);
  await disassociateAddress(cloud, address?.associationId ?? "", signal);
  const machines = await ownMachines(cloud, owner, signal);
  expect(machines).toHaveLength(2);
  await terminateMachines(cloud, machines, listener, signal, { unprotect: true });
}

/** What is denied a deletion would else keep a group in use for minutes. */
async function quickly(place: Workplace): Promise<void> {
  const clock = new VirtualClock(Date.now());
  await clock.run(() => launchWithEverything(place, clock));
}

const base = documented("launch");

describe("launch-options.json", () => {
  test("is enough beside launch.json", async () => {
    const outcome = await under(together(base, documented("launch-options")), quickly);
    expect(outcome).toEqual({ refused: [], warnings: [], error: undefined });
  });

  for (const { without, policy } of shortenings(documented("launch-options"))) {
    test(`needs ${without}`, async () => {
      const { refused, warnings, error } = await under(together(base, policy), quickly);
      expect(refused).not.toEqual([]);
      expect([...warnings, ...(error === undefined ? [] : [error])]).not.toEqual([]);
    });
  }
});

import {
  AllocateAddressCommand,
  CreateImageCommand,
  CreateSecurityGroupCommand,
  DeregisterImageCommand,
  ImportKeyPairCommand,
  RunInstancesCommand,
  TerminateInstancesCommand,
  type ResourceType,
  type Tag,
  type TagSpecification,
} from "@aws-sdk/client-ec2";
import { newKeyPair } from "../../src/local/key-format.ts";
import type { StateOnlyCloud } from "./local-cloud.ts";

/* What others have left in a cloud, made as they would have made it. */

export const owner = "somebody";

/** The tags of a resource with this role; an expiry among them has passed. */
export function tagsOf(role: string, expires: boolean, by = owner): Tag[] {
  return [
    { Key: "bake-ami:run", Value: "r1" },
    { Key: "bake-ami:owner", Value: by },
    { Key: "bake-ami:role", Value: role },
    { Key: "bake-ami:services", Value: "web" },
    { Key: "bake-ami:init.1", Value: "web=1" },
    ...(expires ? [{ Key: "bake-ami:expires", Value: "2026-01-01T00:00:00.000Z" }] : []),
  ];
}

export const specification = (ResourceType: ResourceType, Tags: Tag[]): TagSpecification => ({
  ResourceType,
  Tags,
});

export async function instance({ ec2, imageId }: StateOnlyCloud, role: string, by?: string): Promise<string> {
  const tags = tagsOf(role, ["builder", "job", "trial"].includes(role), by);
  const { Instances = [] } = await ec2.send(
    new RunInstancesCommand({
      ImageId: imageId,
      InstanceType: "t3.micro",
      MinCount: 1,
      MaxCount: 1,
      TagSpecifications: [specification("instance", tags), specification("volume", tags)],
    }),
  );
  return Instances[0]?.InstanceId ?? "";
}

export async function image(local: StateOnlyCloud, name: string, expires: boolean): Promise<string> {
  const InstanceId = await instance(local, "builder");
  const tags = tagsOf("image", expires);
  const TagSpecifications = [specification("image", tags), specification("snapshot", tags)];
  const made = await local.ec2.send(new CreateImageCommand({ InstanceId, Name: name, TagSpecifications }));
  await local.ec2.send(new TerminateInstancesCommand({ InstanceIds: [InstanceId] }));
  return made.ImageId ?? "";
}

async function group({ ec2 }: StateOnlyCloud, role: string): Promise<void> {
  await ec2.send(
    new CreateSecurityGroupCommand({
      GroupName: role,
      Description: "d",
      TagSpecifications: [specification("security-group", tagsOf(role, role === "builder-group"))],
    }),
  );
}

async function key({ ec2 }: StateOnlyCloud, role: string): Promise<void> {
  await ec2.send(
    new ImportKeyPairCommand({
      KeyName: role,
      PublicKeyMaterial: Buffer.from(newKeyPair("ed25519").line),
      TagSpecifications: [specification("key-pair", tagsOf(role, role === "builder-key"))],
    }),
  );
}

/** What launches with more options can leave: an address, a spot request that starts again, a job past its time, a trial. */
export async function leaveOfLaunches(local: StateOnlyCloud): Promise<void> {
  const { ec2, imageId: ImageId } = local;
  await ec2.send(
    new AllocateAddressCommand({
      TagSpecifications: [specification("elastic-ip", tagsOf("machine-address", false))],
    }),
  );
  const { Instances = [] } = await ec2.send(
    new RunInstancesCommand({
      ...{ ImageId, InstanceType: "t3.micro", MinCount: 1, MaxCount: 1 },
      InstanceMarketOptions: {
        MarketType: "spot",
        SpotOptions: { SpotInstanceType: "persistent", InstanceInterruptionBehavior: "stop" },
      },
      TagSpecifications: [
        specification("spot-instances-request", tagsOf("machine-spot-request", false)),
        specification("instance", tagsOf("machine", false)),
      ],
    }),
  );
  await ec2.send(new TerminateInstancesCommand({ InstanceIds: [Instances[0]?.InstanceId ?? ""] }));
  for (const role of ["job", "trial"]) await instance(local, role);
}

/** Everything that bakes and launches can leave. */
export async function leaveAll(local: StateOnlyCloud): Promise<void> {
  await image(local, "half made", true);
  const orphaned = await image(local, "gone", true);
  await local.ec2.send(new DeregisterImageCommand({ ImageId: orphaned }));
  await instance(local, "builder");
  for (const role of ["builder-group", "machine-group"]) await group(local, role);
  for (const role of ["builder-key", "machine-key"]) await key(local, role);
}

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { parseQuery } from "../../src/local/protocol/query.ts";
import { questionsOf } from "../../src/local/policy/requirements.ts";
import type { Question } from "../../src/local/policy/evaluate.ts";
import { Subjects } from "../../src/local/policy/subjects.ts";
import { ec2, ssm, sts } from "../../src/local/services.ts";
import { emptyState, subnets, vpcId } from "../../src/local/state/schema.ts";

/*
 * What each action is authorised against, and with which condition keys, compared with a copy of what AWS publishes.
 * `source` in the file says where it is from.
 */

const reference = z
  .strictObject({
    source: z.string(),
    arns: z.record(z.string(), z.string()),
    actions: z.record(
      z.string(),
      z.strictObject({
        keys: z.array(z.string()),
        resources: z.record(z.string(), z.strictObject({ required: z.boolean(), keys: z.array(z.string()) })),
      }),
    ),
  })
  .parse(JSON.parse(readFileSync(join(import.meta.dirname, "policy-reference.json"), "utf8")));

const tagged = (...types: readonly string[]): string =>
  types
    .map((type, index) => {
      const it = `TagSpecification.${index + 1}`;
      return `${it}.ResourceType=${type}&${it}.Tag.1.Key=a&${it}.Tag.1.Value=b`;
    })
    .join("&");

const [subnet] = subnets;
const instance = "i-00000000000000001";
const image = "ami-00000000000000001";
const group = "sg-0bacea3100000000d";
const template = "lt-00000000000000001";
const placementGroup = "pg-00000000000000001";
const address = "eipalloc-00000000000000001";
const spotRequest = "sir-00000001";

/** For each action the calls that make it ask for everything that it ever asks for. */
const samples: Readonly<Record<string, string>> = {
  "ec2:AllocateAddress": tagged("elastic-ip"),
  "ec2:AssociateAddress": `AllocationId=${address}&InstanceId=${instance}`,
  "ec2:AuthorizeSecurityGroupIngress": `GroupId=${group}&${tagged("security-group-rule")}`,
  "ec2:CancelSpotInstanceRequests": `SpotInstanceRequestId.1=${spotRequest}`,
  "ec2:CreateImage": `InstanceId=${instance}&Name=n&${tagged("image", "snapshot")}`,
  "ec2:CreateKeyPair": `KeyName=k&${tagged("key-pair")}`,
  "ec2:CreateLaunchTemplate": `LaunchTemplateName=new&LaunchTemplateData.InstanceType=t3.micro&${tagged("launch-template")}`,
  "ec2:CreateLaunchTemplateVersion": `LaunchTemplateId=${template}&LaunchTemplateData.InstanceType=t3.micro`,
  "ec2:CreatePlacementGroup": `GroupName=new&Strategy=spread&${tagged("placement-group")}`,
  "ec2:CreateSecurityGroup": `GroupName=g&GroupDescription=d&VpcId=${vpcId}&${tagged("security-group")}`,
  "ec2:CreateTags": `ResourceId.1=${instance}&ResourceId.2=${image}&ResourceId.3=snap-00000000000000001&ResourceId.4=vol-00000000000000001&ResourceId.5=${group}&ResourceId.6=key-00000000000000001&ResourceId.7=${vpcId}&ResourceId.8=${subnet.id}&ResourceId.9=${template}&ResourceId.10=${placementGroup}&ResourceId.11=${address}&ResourceId.12=${spotRequest}&Tag.1.Key=a&Tag.1.Value=b`,
  "ec2:DeleteKeyPair": "KeyName=k",
  "ec2:DeleteLaunchTemplate": "LaunchTemplateName=web",
  "ec2:DeleteLaunchTemplateVersions": `LaunchTemplateId=${template}&LaunchTemplateVersion.1=1`,
  "ec2:DeletePlacementGroup": "GroupName=g",
  "ec2:DeleteSecurityGroup": `GroupId=${group}`,
  "ec2:DeleteSnapshot": "SnapshotId=snap-00000000000000001",
  "ec2:DeleteTags": `ResourceId.1=${instance}&Tag.1.Key=a`,
  "ec2:DeregisterImage": `ImageId=${image}&DeleteAssociatedSnapshots=true`,
  "ec2:DescribeInstanceAttribute": `InstanceId=${instance}&Attribute=disableApiTermination`,
  "ec2:DisableImageDeprecation": `ImageId=${image}`,
  "ec2:DisassociateAddress": "AssociationId=eipassoc-00000000000000001",
  "ec2:EnableImageDeprecation": `ImageId=${image}`,
  "ec2:GetConsoleOutput": `InstanceId=${instance}`,
  "ec2:ImportKeyPair": `KeyName=k&${tagged("key-pair")}`,
  "ec2:ModifyImageAttribute": `ImageId=${image}&ImdsSupport.Value=v2.0`,
  "ec2:ModifyInstanceAttribute": `InstanceId=${instance}&GroupId.1=${group}`,
  "ec2:ModifyLaunchTemplate": `LaunchTemplateId=${template}&SetDefaultVersion=1`,
  "ec2:RebootInstances": `InstanceId.1=${instance}`,
  "ec2:ReleaseAddress": `AllocationId=${address}`,
  "ec2:RevokeSecurityGroupIngress": `GroupId=${group}`,
  "ec2:RunInstances": `ImageId=${image}&InstanceType=t3.micro&KeyName=k&IamInstanceProfile.Name=p&InstanceMarketOptions.MarketType=spot&MetadataOptions.HttpTokens=required&MetadataOptions.HttpEndpoint=enabled&MetadataOptions.HttpPutResponseHopLimit=1&EbsOptimized=true&Placement.GroupName=g&Placement.Tenancy=dedicated&LaunchTemplate.LaunchTemplateName=web&NetworkInterface.1.AssociatePublicIpAddress=true&NetworkInterface.1.SubnetId=${subnet.id}&NetworkInterface.1.SecurityGroupId.1=${group}&BlockDeviceMapping.1.Ebs.VolumeSize=8&BlockDeviceMapping.1.Ebs.VolumeType=gp3&BlockDeviceMapping.1.Ebs.Iops=3000&BlockDeviceMapping.1.Ebs.Throughput=125&BlockDeviceMapping.1.Ebs.VolumeInitializationRate=200&BlockDeviceMapping.1.Ebs.Encrypted=true&BlockDeviceMapping.1.Ebs.KmsKeyId=key&${tagged("instance", "volume", "network-interface", "spot-instances-request")}`,
  "ec2:StartInstances": `InstanceId.1=${instance}`,
  "ec2:StopInstances": `InstanceId.1=${instance}`,
  "ec2:TerminateInstances": `InstanceId.1=${instance}`,
  "ssm:DeleteParameter": "Name=/a/b",
  "ssm:DeleteParameters": "Names.1=/a/b",
  "ssm:DescribeParameters": "",
  "ssm:GetParametersByPath": "Path=/a",
  "ssm:GetParameter": "Name=/a/b",
  "ssm:GetParameters": "Names.1=/a/b",
  "ssm:PutParameter": "Name=/a/b",
};

/** A cloud that has one of everything. */
function populated(): ReturnType<typeof emptyState> {
  const state = emptyState();
  const tags = { team: "a" };
  const snapshotId = "snap-00000000000000001";
  const architecture = "x86_64";
  const boot = { kind: "disk" } as const;
  state.keyPairs.push({
    id: "key-00000000000000001",
    name: "k",
    type: "ed25519",
    fingerprint: "",
    publicKey: "",
    createdAt: 0,
    tags,
  });
  state.snapshots.push({
    id: snapshotId,
    ownerId: "000000000000",
    volumeId: "vol-00000000000000001",
    description: "",
    sizeGiB: 8,
    disk: "d",
    startedAt: 0,
    tags,
  });
  state.images.push({
    id: image,
    name: "n",
    description: "",
    ownerId: "000000000000",
    public: false,
    architecture,
    state: "available",
    createdAt: 0,
    snapshotId,
    sizeGiB: 8,
    boot,
    tags,
  });
  const requestDigest = "";
  state.launchTemplates.push({
    ...{ id: template, name: "web", createdAt: 0, createdBy: "", requestDigest, tags },
    ...{ defaultVersion: 1, lastNumber: 1 },
    versions: [{ number: 1, createdAt: 0, createdBy: "", requestDigest, data: {} }],
  });
  state.placementGroups.push({ id: placementGroup, name: "g", strategy: "cluster", createdAt: 0, tags });
  const association = { id: "eipassoc-00000000000000001", instanceId: instance, hadAddress: true };
  state.addresses.push({ id: address, address: "127.63.0.9", createdAt: 0, tags, association });
  state.spotRequests.push({
    ...{ id: spotRequest, type: "persistent", interruptionBehavior: "stop", instanceId: instance },
    ...{ instanceType: "t3.micro", imageId: image, zone: "locala", createdAt: 0, tags },
  });
  state.instances.push({
    id: instance,
    engine: "state-only",
    reservationId: "r-1",
    launchIndex: 0,
    requestDigest: "",
    imageId: image,
    boot,
    type: "t3.micro",
    architecture,
    groupIds: [group],
    region: "local",
    zone: "locala",
    subnetId: subnet.id,
    privateAddress: "169.254.1.2",
    mac: "",
    forwards: [],
    metadata: { enabled: true, tokensRequired: true, hopLimit: 1, tags: true, key: "" },
    shutdownBehavior: "stop",
    state: "running",
    transitionReason: "",
    changedAt: 0,
    launchedAt: 0,
    started: true,
    profileArn: "arn:aws:iam::000000000000:instance-profile/p",
    volume: {
      id: "vol-00000000000000001",
      sizeGiB: 8,
      disk: "d",
      snapshotId,
      type: "gp3",
      iops: 3000,
      throughput: 125,
      deviceName: "/dev/xvda",
      deleteOnTermination: true,
      createdAt: 0,
      tags,
    },
    tags,
  });
  return state;
}

const subjects = new Subjects(populated(), "local");

function ask(name: string): readonly Question[] | undefined {
  const [service = "", action = ""] = name.split(":");
  return questionsOf(
    { service, action, query: parseQuery([samples[name] ?? ""]), region: "local", subjects },
    new Map(),
  );
}

/** `instance` of `arn:aws:ec2:local:000000000000:instance/i-1`. */
function typeOf(resource: string): string {
  return resource.split(":").slice(5).join(":").split("/")[0] ?? "";
}

/** Keys that every request has. (IAM User Guide, "AWS global condition context keys") */
const everywhere = ["aws:requestedregion"];

/** Keys of tags without the tag's own key. */
const family = (key: string): string => key.replace(/(?<=tag)\/.*$/i, "/").toLowerCase();

const implemented = [ec2, ssm, sts].flatMap(({ name, actions }) =>
  [...actions.keys()].map((it) => `${name}:${it}`),
);

test("every action that the local cloud has is known to authorisation", () => {
  expect(implemented.filter((name) => ask(name) === undefined)).toEqual([]);
});

describe("as in the Service Authorization Reference", () => {
  for (const name of implemented) {
    test(name, () => {
      const questions = ask(name) ?? [];
      for (const { action, resource, keys } of questions) {
        const entry = reference.actions[action];
        expect(entry, action).toBeDefined();
        if (entry === undefined) continue;
        const published = entry.resources[typeOf(resource)];
        if (Object.keys(entry.resources).length === 0) expect(resource).toBe("*");
        else expect(published, `${action} on ${resource}`).toBeDefined();
        const allowed = [...entry.keys, ...(published?.keys ?? [])].map(family);
        const unknown = [...keys.keys()]
          .map(family)
          .filter((key) => ![...allowed, ...everywhere].includes(key));
        expect(unknown, `${action} on ${resource}`).toEqual([]);
        expectForm(action, resource);
      }
      const asked = questions.filter(({ action }) => action === name).map(({ resource }) => typeOf(resource));
      const required = Object.entries(reference.actions[name]?.resources ?? {}).flatMap(([type, it]) =>
        it.required ? [type] : [],
      );
      expect(asked).toEqual(expect.arrayContaining(required));
    });
  }
});

function expectForm(action: string, resource: string): void {
  if (resource === "*") return;
  const form = reference.arns[`${action.split(":")[0]}:${typeOf(resource)}`] ?? "";
  const pattern = form
    .replaceAll(/\$\{(?!Partition|Region|Account)\w+\}/g, "[^:]+")
    .replace("${Partition}", "aws")
    .replace("${Region}", "local")
    .replace("${Account}", "000000000000");
  expect(resource).toMatch(new RegExp(`^${pattern}$`));
}

test("what a launch asks for", () => {
  const all = (ask("ec2:RunInstances") ?? []).map(({ action, resource }) => `${action} ${typeOf(resource)}`);
  expect(all).toEqual([
    "ec2:RunInstances instance",
    "ec2:RunInstances volume",
    "ec2:RunInstances network-interface",
    "ec2:RunInstances image",
    "ec2:RunInstances subnet",
    "ec2:RunInstances security-group",
    "ec2:RunInstances key-pair",
    "ec2:RunInstances placement-group",
    "ec2:RunInstances launch-template",
    "ec2:RunInstances spot-instances-request",
    "iam:PassRole role",
    "kms:DescribeKey key",
    "kms:GenerateDataKeyWithoutPlaintext key",
    "kms:ReEncryptFrom key",
    "kms:ReEncryptTo key",
    "kms:Decrypt key",
    "kms:CreateGrant key",
    "ec2:CreateTags instance",
    "ec2:CreateTags volume",
    "ec2:CreateTags network-interface",
    "ec2:CreateTags spot-instances-request",
  ]);
});

import { accountId } from "../state/schema.ts";
import { listAt, tagSpecifications, textAt, textsAt } from "./request.ts";
import type { Asked, Need } from "./requirements.ts";
import { joinKeys, keysOf, parameter, requestTags, type Subject } from "./subjects.ts";

const resolvePrefix = "resolve:ssm:";

/**
 * What RunInstances is authorised against: everything that it creates and everything that it uses.
 *
 * A spot request is asked about only when it is to have tags, which `tagging` does: "Amazon EC2 does not evaluate the
 * spot-instances-request resource in the RunInstances statement if the Spot Instance request is not tagged on create".
 * (EC2 User Guide, "Example policies to control access", Spot Instances)
 */
export function launchNeeds(whole: Asked): Need[] {
  const { query, template } = whole.subjects.launch(whole.query);
  const asked = { ...whole, query };
  const { subjects } = asked;
  /** What each resource tells about the template, given the parameters that would name it without one. */
  const byTemplate = (...names: readonly string[]): ReturnType<typeof keysOf> =>
    template === undefined
      ? new Map()
      : keysOf({
          "ec2:LaunchTemplate": template,
          "ec2:IsLaunchTemplateResource": !names.some((name) => name in whole.query),
        });
  const using = (on: Subject, ...names: readonly string[]): Need => ({
    on: { ...on, keys: joinKeys(on.keys, byTemplate(...names)) },
  });
  const tags = tagSpecifications(query);
  const networkInterface = listAt(query, "NetworkInterface")[0] ?? {};
  const profile = profileArn(asked);
  const subnet = subjects.subnet(
    textAt(networkInterface, "SubnetId") ?? textAt(query, "SubnetId"),
    textAt(query, "Placement.AvailabilityZone"),
  );
  const groups = [
    ...textsAt(networkInterface, "SecurityGroupId"),
    ...textsAt(query, "SecurityGroupId"),
    ...textsAt(query, "SecurityGroup"),
  ];
  const imageId = textAt(query, "ImageId") ?? "";
  const keyName = textAt(query, "KeyName");
  const place = keysOf({ "ec2:AvailabilityZone": subnet.zone });
  const placementGroup = textAt(query, "Placement.GroupName") ?? textAt(query, "Placement.GroupId");
  const instance = keysOf({
    "ec2:EbsOptimized": textAt(query, "EbsOptimized") ?? "false",
    "ec2:InstanceMarketType": textAt(query, "InstanceMarketOptions.MarketType") ?? "on-demand",
    "ec2:InstanceProfile": profile,
    "ec2:InstanceType": textAt(query, "InstanceType"),
    "ec2:PlacementGroup":
      placementGroup === undefined ? undefined : subjects.placementGroup(placementGroup).arn,
    "ec2:Tenancy": textAt(query, "Placement.Tenancy") ?? "default",
    // As in the request: one that says nothing about the metadata service does not have these keys.
    "ec2:MetadataHttpEndpoint": textAt(query, "MetadataOptions.HttpEndpoint"),
    "ec2:MetadataHttpPutResponseHopLimit": textAt(query, "MetadataOptions.HttpPutResponseHopLimit"),
    "ec2:MetadataHttpTokens": textAt(query, "MetadataOptions.HttpTokens"),
  });
  const created = (type: string): ReturnType<typeof requestTags> => requestTags(tags.get(type) ?? []);
  const groupNames = ["NetworkInterface", "SecurityGroupId", "SecurityGroup"];
  const subnetNames = ["NetworkInterface", "SubnetId", "Placement"];
  return [
    using(subjects.created("instance", joinKeys(place, instance, created("instance"))), "InstanceType"),
    using(
      subjects.created("volume", joinKeys(place, volumeKeys(asked), created("volume"))),
      "BlockDeviceMapping",
    ),
    using(
      subjects.created("network-interface", joinKeys(place, interfaceKeys(asked, subnet.arn))),
      ...subnetNames,
    ),
    using(subjects.image(imageId), "ImageId"),
    ...(imageId.startsWith(resolvePrefix)
      ? [{ action: "ssm:GetParameters", on: parameter(imageId.slice(resolvePrefix.length), asked.region) }]
      : []),
    using(subnet, ...subnetNames),
    ...(groups.length === 0 ? ["default"] : groups).map((name) => using(subjects.group(name), ...groupNames)),
    ...(keyName === undefined ? [] : [using(subjects.keyPair(keyName), "KeyName")]),
    ...(placementGroup === undefined ? [] : [using(subjects.placementGroup(placementGroup), "Placement")]),
    ...(template === undefined ? [] : [using(subjects.launchTemplate(template.split("/").at(-1) ?? ""))]),
    ...(tags.has("spot-instances-request")
      ? [{ on: subjects.created("spot-instances-request", created("spot-instances-request")) }]
      : []),
    ...(profile === undefined ? [] : [passRole(profile)]),
    ...kmsKeys(asked).flatMap((arn) => keyUse(arn, asked.region)),
  ];
}

function interfaceKeys({ query, subjects }: Asked, subnetArn: string): ReturnType<typeof keysOf> {
  const [first] = listAt(query, "NetworkInterface");
  return joinKeys(
    keysOf({
      "ec2:AssociatePublicIpAddress":
        first === undefined ? undefined : textAt(first, "AssociatePublicIpAddress"),
      "ec2:Subnet": subnetArn,
      "ec2:Vpc": subjects.vpcArn,
    }),
    requestTags(tagSpecifications(query).get("network-interface") ?? []),
  );
}

function volumeKeys({ query }: Asked): ReturnType<typeof keysOf> {
  const root = listAt(query, "BlockDeviceMapping")[0] ?? {};
  return keysOf({
    "ec2:Encrypted": textAt(root, "Ebs.Encrypted") ?? "false",
    "ec2:VolumeInitializationRate": textAt(root, "Ebs.VolumeInitializationRate"),
    "ec2:VolumeIops": textAt(root, "Ebs.Iops"),
    "ec2:VolumeSize": textAt(root, "Ebs.VolumeSize"),
    "ec2:VolumeThroughput": textAt(root, "Ebs.Throughput"),
    "ec2:VolumeType": textAt(root, "Ebs.VolumeType"),
  });
}

function profileArn({ query }: Asked): string | undefined {
  const name = textAt(query, "IamInstanceProfile.Name");
  if (name !== undefined) return `arn:aws:iam::${accountId}:instance-profile/${name}`;
  return textAt(query, "IamInstanceProfile.Arn");
}

/** Giving a machine a role is passing it to EC2. There is no IAM here: a profile's role has the profile's name. */
function passRole(profile: string): Need {
  const arn = profile.replace(":instance-profile/", ":role/");
  return {
    action: "iam:PassRole",
    on: { arn, keys: keysOf({ "iam:PassedToService": "ec2.amazonaws.com" }) },
  };
}

function kmsKeys({ query, region }: Asked): string[] {
  const named = listAt(query, "BlockDeviceMapping").flatMap(
    (mapping) => textAt(mapping, "Ebs.KmsKeyId") ?? [],
  );
  return [...new Set(named)].map((key) =>
    key.startsWith("arn:") ? key : `arn:aws:kms:${region}:${accountId}:key/${key}`,
  );
}

/**
 * What a customer managed key needs. EC2 finds out after its reply, and the instance ends by itself; here the launch is
 * refused, which says more. (EBS User Guide, "Requirements for Amazon EBS encryption")
 */
function keyUse(arn: string, region: string): Need[] {
  const via = keysOf({ "kms:ViaService": `ec2.${region}.amazonaws.com` });
  const use = ["DescribeKey", "GenerateDataKeyWithoutPlaintext", "ReEncryptFrom", "ReEncryptTo", "Decrypt"];
  return [
    ...use.map((name) => ({ action: `kms:${name}`, on: { arn, keys: via } })),
    {
      action: "kms:CreateGrant",
      on: { arn, keys: joinKeys(via, keysOf({ "kms:GrantIsForAWSResource": true })) },
    },
  ];
}

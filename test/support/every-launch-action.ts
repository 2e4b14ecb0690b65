import * as ec2 from "@aws-sdk/client-ec2";

/* The part of every-action.ts that is about launch templates and what launches refer to. */

const tags = (ResourceType: ec2.ResourceType): ec2.TagSpecification[] => [
  { ResourceType, Tags: [{ Key: "Name", Value: "of every action" }] },
];

export async function drivePlacement(client: ec2.EC2Client, ImageId: string): Promise<void> {
  const GroupName = "every";
  await client.send(
    new ec2.CreatePlacementGroupCommand({
      GroupName,
      Strategy: "partition",
      PartitionCount: 3,
      TagSpecifications: tags("placement-group"),
    }),
  );
  await client.send(new ec2.CreatePlacementGroupCommand({ GroupName: "spread", Strategy: "spread" }));
  await client.send(new ec2.DescribePlacementGroupsCommand({}));
  const { Instances = [] } = await client.send(
    new ec2.RunInstancesCommand({
      ...{ ImageId, InstanceType: "t3.micro", MinCount: 1, MaxCount: 1, DisableApiTermination: true },
      Placement: { GroupName, PartitionNumber: 2 },
    }),
  );
  const InstanceId = Instances[0]?.InstanceId ?? "";
  await client.send(new ec2.DescribeInstancesCommand({}));
  for (const Attribute of [
    "disableApiTermination",
    "ebsOptimized",
    "groupSet",
    "instanceType",
    "userData",
  ] as const) {
    await client.send(new ec2.DescribeInstanceAttributeCommand({ InstanceId, Attribute }));
  }
  await driveAddress(client, InstanceId);
  await client.send(
    new ec2.ModifyInstanceAttributeCommand({ InstanceId, DisableApiTermination: { Value: false } }),
  );
  await client.send(new ec2.TerminateInstancesCommand({ InstanceIds: [InstanceId] }));
  await client.send(new ec2.DescribeInstancesCommand({}));
  await client.send(new ec2.DeletePlacementGroupCommand({ GroupName }));
}

async function driveAddress(client: ec2.EC2Client, InstanceId: string): Promise<void> {
  const { AllocationId } = await client.send(
    new ec2.AllocateAddressCommand({ Domain: "vpc", TagSpecifications: tags("elastic-ip") }),
  );
  const { AssociationId } = await client.send(
    new ec2.AssociateAddressCommand({ AllocationId, InstanceId, AllowReassociation: true }),
  );
  await client.send(new ec2.DescribeAddressesCommand({}));
  await client.send(new ec2.DescribeInstancesCommand({}));
  await client.send(new ec2.DescribeTagsCommand({}));
  await client.send(new ec2.DisassociateAddressCommand({ AssociationId }));
  await client.send(new ec2.DescribeAddressesCommand({}));
  await client.send(new ec2.ReleaseAddressCommand({ AllocationId }));
}

export async function driveTemplates(client: ec2.EC2Client, ImageId: string, groupId: string): Promise<void> {
  const LaunchTemplateName = "every";
  await client.send(
    new ec2.CreateLaunchTemplateCommand({
      LaunchTemplateName,
      ClientToken: "every",
      VersionDescription: "the first",
      TagSpecifications: tags("launch-template"),
      LaunchTemplateData: {
        ImageId,
        InstanceType: "m7i.large",
        KeyName: "brought",
        EbsOptimized: true,
        DisableApiTermination: false,
        IamInstanceProfile: { Name: "every" },
        InstanceInitiatedShutdownBehavior: "stop",
        InstanceMarketOptions: {
          MarketType: "spot",
          SpotOptions: {
            MaxPrice: "0.5",
            SpotInstanceType: "persistent",
            InstanceInterruptionBehavior: "stop",
          },
        },
        Placement: { AvailabilityZone: "locala", Tenancy: "dedicated" },
        MetadataOptions: { HttpTokens: "required", HttpEndpoint: "enabled", HttpPutResponseHopLimit: 2 },
        UserData: Buffer.from("#!/bin/sh\n").toString("base64"),
        NetworkInterfaces: [{ DeviceIndex: 0, Groups: [groupId], AssociatePublicIpAddress: true }],
        BlockDeviceMappings: [
          {
            DeviceName: "/dev/xvda",
            Ebs: { VolumeSize: 20, VolumeType: "gp3", VolumeInitializationRate: 100, Encrypted: true },
          },
        ],
        TagSpecifications: [...tags("instance"), ...tags("volume"), ...tags("spot-instances-request")],
      },
    }),
  );
  await client.send(
    new ec2.CreateLaunchTemplateVersionCommand({
      LaunchTemplateName,
      SourceVersion: "1",
      LaunchTemplateData: { InstanceType: "m7i.xlarge" },
    }),
  );
  await client.send(new ec2.DescribeLaunchTemplatesCommand({}));
  await client.send(new ec2.DescribeLaunchTemplateVersionsCommand({ LaunchTemplateName }));
  const { Instances = [] } = await client.send(
    new ec2.RunInstancesCommand({
      LaunchTemplate: { LaunchTemplateName, Version: "$Latest" },
      MinCount: 1,
      MaxCount: 1,
    }),
  );
  await client.send(new ec2.DescribeInstancesCommand({}));
  await client.send(new ec2.DescribeVolumesCommand({}));
  const { SpotInstanceRequests = [] } = await client.send(new ec2.DescribeSpotInstanceRequestsCommand({}));
  await client.send(
    new ec2.CancelSpotInstanceRequestsCommand({
      SpotInstanceRequestIds: SpotInstanceRequests.map(
        ({ SpotInstanceRequestId = "" }) => SpotInstanceRequestId,
      ),
    }),
  );
  await client.send(new ec2.DescribeSpotInstanceRequestsCommand({}));
  const InstanceIds = Instances.map(({ InstanceId = "" }) => InstanceId);
  await client.send(new ec2.TerminateInstancesCommand({ InstanceIds }));
  await client.send(new ec2.ModifyLaunchTemplateCommand({ LaunchTemplateName, DefaultVersion: "2" }));
  await client.send(
    new ec2.DeleteLaunchTemplateVersionsCommand({ LaunchTemplateName, Versions: ["1", "2"] }),
  );
  await client.send(new ec2.DeleteLaunchTemplateCommand({ LaunchTemplateName }));
}

import {
  DescribeImagesCommand,
  DescribeInstancesCommand,
  DescribeKeyPairsCommand,
  DescribeSecurityGroupsCommand,
  DescribeSnapshotsCommand,
  type EC2Client,
} from "@aws-sdk/client-ec2";

/** Ids of everything in a cloud that did not come with it; a snapshot only when no image has it. */
export async function leftIn({ ec2 }: { readonly ec2: EC2Client }): Promise<string[]> {
  const [instances, images, snapshots, keys, groups] = await Promise.all([
    ec2.send(new DescribeInstancesCommand({})),
    ec2.send(new DescribeImagesCommand({ Owners: ["self"] })),
    ec2.send(new DescribeSnapshotsCommand({ OwnerIds: ["self"] })),
    ec2.send(new DescribeKeyPairsCommand({})),
    ec2.send(new DescribeSecurityGroupsCommand({})),
  ]);
  const ofImages = new Set(
    (images.Images ?? []).flatMap((image) =>
      (image.BlockDeviceMappings ?? []).map((mapping) => mapping.Ebs?.SnapshotId),
    ),
  );
  return [
    ...(instances.Reservations ?? [])
      .flatMap((reservation) => reservation.Instances ?? [])
      .filter((instance) => instance.State?.Name !== "terminated")
      .map((instance) => instance.InstanceId),
    ...(images.Images ?? []).map((image) => image.ImageId),
    ...(snapshots.Snapshots ?? []).map((snapshot) => snapshot.SnapshotId).filter((id) => !ofImages.has(id)),
    ...(keys.KeyPairs ?? []).map((key) => key.KeyPairId),
    ...(groups.SecurityGroups ?? [])
      .filter((group) => group.GroupName !== "default")
      .map((group) => group.GroupId),
  ].flatMap((id) => id ?? []);
}

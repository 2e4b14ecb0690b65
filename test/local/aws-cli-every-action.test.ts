import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { services } from "../../src/local/services.ts";
import { noAws, serveToAws, type ServedCloud } from "../support/aws-cli.ts";
import { stateOnlyCloud, type StateOnlyCloud } from "../support/local-cloud.ts";

/** The actions that ended well, as the cloud saw them. */
const done = new Set<string>();
let local: StateOnlyCloud;
let served: ServedCloud;

beforeAll(async () => {
  local = await stateOnlyCloud({
    intercept: async ({ service, action }, carryOut) => {
      const reply = await carryOut();
      if (reply.status === 200) done.add(`${service} ${action}`);
      return reply;
    },
  });
  served = await serveToAws(local);
});
afterAll(async () => {
  await served[Symbol.asyncDispose]();
  await local[Symbol.asyncDispose]();
});

/** Runs `aws ec2` with a line of words, and further arguments that hold spaces; gives the result of `--query`. */
async function ec2(line: string, ...more: string[]): Promise<string> {
  return await served.ask("ec2", ...line.split(" "), ...more);
}

async function describeEverything(): Promise<void> {
  const found = await Promise.all([
    served.ask("sts", "get-caller-identity", "--query", "Account"),
    ec2("describe-regions --query Regions[0].RegionName"),
    ec2("describe-availability-zones --query AvailabilityZones[].ZoneName"),
    ec2("describe-vpcs --query Vpcs[].IsDefault"),
    ec2("describe-subnets --filters Name=default-for-az,Values=true --query Subnets[].MapPublicIpOnLaunch"),
    ec2(
      "describe-instance-type-offerings --filters Name=instance-type,Values=t3.micro --query",
      "length(InstanceTypeOfferings)",
    ),
    ec2(
      "describe-instance-types --instance-types m7g.large --query InstanceTypes[].ProcessorInfo.SupportedArchitectures",
    ),
    // The command line asks page by page.
    ec2(
      "describe-instance-types --page-size 50 --query",
      "length(InstanceTypes[?InstanceType=='t4g.micro'])",
    ),
  ]);
  const paged = found.pop()?.split("\n") ?? [];
  expect(paged.filter((count) => count === "1")).toHaveLength(1);
  expect(paged.length).toBeGreaterThan(1);
  expect(found).toEqual(["000000000000", "local", "locala\tlocalb", "True", "True\tTrue", "1", "arm64"]);
}

async function parameters(): Promise<void> {
  const ssm = async (line: string): Promise<string> => await served.ask("ssm", ...line.split(" "));
  await ssm(
    `put-parameter --name /cli/image --type String --value ${local.imageId} --data-type aws:ec2:image`,
  );
  expect(await ssm("get-parameter --name /cli/image --query Parameter.Value")).toBe(local.imageId);
  expect(await ssm("get-parameters --names /cli/image /none --query InvalidParameters")).toBe("/none");
  await ssm("put-parameter --name /cli/secret --type SecureString --value x --description d --tier Standard");
  expect(
    await ssm("get-parameters-by-path --path /cli --recursive --with-decryption --query Parameters[].Value"),
  ).toBe(`${local.imageId}\tx`);
  expect(
    await ssm(
      "describe-parameters --parameter-filters Key=Type,Values=SecureString --query Parameters[].[Name,Description]",
    ),
  ).toBe("/cli/secret\td");
  expect(await ssm("delete-parameters --names /cli/secret /none --query InvalidParameters")).toBe("/none");
}

async function access(): Promise<string> {
  const keyFile = join(local.directory, "key.pub");
  await writeFile(
    keyFile,
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJhXzhCs4DUEzZ5yDsNhG4oA4iTWKLkoTqiqvL0MDYKM me\n",
  );
  const [group] = await Promise.all([
    ec2("create-security-group --group-name cli --description d --query GroupId"),
    ec2(`import-key-pair --key-name brought --public-key-material fileb://${keyFile}`),
    ec2("create-key-pair --key-name made --key-type ed25519"),
  ]);
  const rule = `--group-id ${group} --protocol tcp --port 22 --cidr 192.0.2.1/32`;
  await ec2(`authorize-security-group-ingress ${rule}`);
  expect(
    await ec2(
      `describe-security-groups --group-ids ${group} --query SecurityGroups[].IpPermissions[].FromPort`,
    ),
  ).toBe("22");
  await ec2(`revoke-security-group-ingress ${rule}`);
  expect(await ec2("describe-key-pairs --query KeyPairs[].KeyName")).toMatch(
    /^(?:made\tbrought|brought\tmade)$/,
  );
  return group;
}

async function instance(group: string): Promise<string> {
  const id = await ec2(
    `run-instances --image-id resolve:ssm:/cli/image --instance-type m6i.large --key-name brought --client-token cli`,
    ...["--security-group-ids", group, "--iam-instance-profile", "Name=web"],
    ...["--metadata-options", "HttpTokens=required,HttpPutResponseHopLimit=1"],
    ...[
      "--block-device-mappings",
      "DeviceName=/dev/xvda,Ebs={VolumeSize=20,Iops=4000,Throughput=500,Encrypted=true}",
    ],
    ...["--query", "Instances[0].InstanceId"],
  );
  const spot = await ec2(
    `run-instances --image-id ${local.imageId} --instance-type t3.micro --instance-market-options MarketType=spot --query Instances[0].InstanceId`,
  );
  await ec2(`wait instance-running --instance-ids ${id} ${spot}`);
  const shown = await Promise.all([
    ec2(
      `describe-instances --filters Name=instance-lifecycle,Values=spot --query Reservations[].Instances[].InstanceId`,
    ),
    ec2(`describe-instances --instance-ids ${id} --query Reservations[].Instances[].IamInstanceProfile.Arn`),
    ec2(`describe-instance-status --instance-ids ${id} --query InstanceStatuses[].InstanceStatus.Status`),
    ec2(
      `describe-volumes --filters Name=attachment.instance-id,Values=${id} --query Volumes[].[Iops,Throughput,Encrypted]`,
    ),
    ec2(`get-console-output --instance-id ${id} --query InstanceId`),
  ]);
  expect(shown).toEqual([
    spot,
    "arn:aws:iam::000000000000:instance-profile/web",
    "ok",
    "4000\t500\tTrue",
    id,
  ]);
  await ec2(`create-tags --resources ${id} --tags Key=a,Value=b`);
  expect(await ec2(`describe-tags --filters Name=key,Values=a --query Tags[].ResourceId`)).toBe(id);
  await ec2(`delete-tags --resources ${id} --tags Key=a`);
  await ec2(`modify-instance-attribute --instance-id ${id} --groups ${group}`);
  await ec2(`reboot-instances --instance-ids ${id}`);
  await ec2(`stop-instances --instance-ids ${id}`);
  await ec2(`wait instance-stopped --instance-ids ${id}`);
  await ec2(`modify-instance-attribute --instance-id ${id} --instance-type Value=m6i.xlarge`);
  await ec2(`start-instances --instance-ids ${id}`);
  return id;
}

async function placed(): Promise<void> {
  await ec2("create-placement-group --group-name cli --strategy partition --partition-count 2");
  expect(await ec2("describe-placement-groups --query PlacementGroups[].PartitionCount")).toBe("2");
  const spot = "MarketType=spot,SpotOptions={SpotInstanceType=persistent,InstanceInterruptionBehavior=stop}";
  const launched = `run-instances --image-id ${local.imageId} --instance-type t3.micro --query Instances[0].InstanceId`;
  const [first, second] = await Promise.all([
    ec2(`${launched} --disable-api-termination --placement GroupName=cli,PartitionNumber=2`),
    ec2(`${launched} --instance-market-options ${spot}`),
  ]);
  await ec2(`wait instance-running --instance-ids ${first} ${second}`);
  const attribute = `describe-instance-attribute --instance-id ${first} --attribute disableApiTermination`;
  expect(await ec2(`${attribute} --query DisableApiTermination.Value`)).toBe("True");
  const refused = await served.aws("ec2", "terminate-instances", "--instance-ids", first);
  expect(refused.stderr).toContain("(OperationNotPermitted)");
  await ec2(`modify-instance-attribute --instance-id ${first} --no-disable-api-termination`);
  const address = await ec2("allocate-address --domain vpc --query AllocationId");
  const association = await ec2(
    `associate-address --allocation-id ${address} --instance-id ${first} --query AssociationId`,
  );
  expect(await ec2(`describe-addresses --allocation-ids ${address} --query Addresses[].InstanceId`)).toBe(
    first,
  );
  await ec2(`disassociate-address --association-id ${association}`);
  await ec2(`release-address --allocation-id ${address}`);
  const request = await ec2(
    "describe-spot-instance-requests --filters Name=type,Values=persistent --query SpotInstanceRequests[].SpotInstanceRequestId",
  );
  await ec2(`cancel-spot-instance-requests --spot-instance-request-ids ${request}`);
  await ec2(`terminate-instances --instance-ids ${first} ${second}`);
  await ec2(`wait instance-terminated --instance-ids ${first} ${second}`);
  await ec2("delete-placement-group --group-name cli");
}

async function templates(): Promise<void> {
  const data = `ImageId=${local.imageId},InstanceType=t3.small,EbsOptimized=true`;
  const name = "--launch-template-name cli";
  const id = await ec2(
    `create-launch-template ${name} --launch-template-data ${data} --query LaunchTemplate.LaunchTemplateId`,
  );
  await ec2(
    `create-launch-template-version ${name} --source-version 1 --launch-template-data InstanceType=t3.large`,
  );
  await ec2(`modify-launch-template ${name} --default-version 2`);
  expect(
    await ec2(
      `describe-launch-templates --launch-template-ids ${id} --query LaunchTemplates[].DefaultVersionNumber`,
    ),
  ).toBe("2");
  expect(
    await ec2(
      `describe-launch-template-versions ${name} --query LaunchTemplateVersions[].LaunchTemplateData.[InstanceType,ImageId]`,
    ),
  ).toBe(`t3.large\t${local.imageId}\nt3.small\t${local.imageId}`);
  const started = await ec2(
    `run-instances --launch-template LaunchTemplateId=${id},Version=1 --query Instances[].[InstanceType,InstanceId]`,
  );
  const [type, instanceId = ""] = started.split("\t");
  expect(type).toBe("t3.small");
  await ec2(`terminate-instances --instance-ids ${instanceId}`);
  expect(
    await ec2(
      `delete-launch-template-versions ${name} --versions 1 --query SuccessfullyDeletedLaunchTemplateVersions[].VersionNumber`,
    ),
  ).toBe("1");
  await ec2(`delete-launch-template --launch-template-id ${id}`);
}

async function image(id: string): Promise<void> {
  const made = await ec2(`create-image --instance-id ${id} --name cli --no-reboot --query ImageId`);
  await ec2(`wait image-available --image-ids ${made}`);
  // This command line is older than --imds-support.
  await ec2(`modify-image-attribute --image-id ${made} --attribute imdsSupport --value v2.0`);
  await ec2(
    `enable-image-deprecation --image-id ${made} --deprecate-at ${new Date(Date.now() + 1e8).toISOString()}`,
  );
  expect(await ec2(`describe-images --owners self --query Images[].[ImageId,ImdsSupport]`)).toBe(
    `${made}\tv2.0`,
  );
  await ec2(`disable-image-deprecation --image-id ${made}`);
  const snapshot = await ec2("describe-snapshots --owner-ids self --query Snapshots[].SnapshotId");
  await ec2(`deregister-image --image-id ${made}`);
  await ec2(`delete-snapshot --snapshot-id ${snapshot}`);
}

async function end(id: string, group: string): Promise<void> {
  await ec2(`terminate-instances --instance-ids ${id}`);
  await ec2(`wait instance-terminated --instance-ids ${id}`);
  await Promise.all([
    ec2(`delete-security-group --group-id ${group}`),
    ec2("delete-key-pair --key-name brought"),
    served.ask("ssm", "delete-parameter", "--name", "/cli/image"),
  ]);
}

describe.skipIf(noAws !== undefined)(`the aws command line ${noAws ?? ""}`, { timeout: 600_000 }, () => {
  test("works against every action that is implemented", async () => {
    await describeEverything();
    await parameters();
    const group = await access();
    const id = await instance(group);
    await Promise.all([placed(), templates(), image(id)]);
    await end(id, group);
    const all = services.flatMap(({ name, actions }) =>
      [...actions.keys()].map((action) => `${name} ${action}`),
    );
    expect(all.filter((action) => !done.has(action))).toEqual([]);
  });
});

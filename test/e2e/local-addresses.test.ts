import { connect } from "node:net";
import {
  AllocateAddressCommand,
  AssociateAddressCommand,
  AuthorizeSecurityGroupIngressCommand,
  CreateSecurityGroupCommand,
  DescribeImagesCommand,
  DescribeInstancesCommand,
  DisassociateAddressCommand,
  EC2Client,
  RunInstancesCommand,
  type Instance,
} from "@aws-sdk/client-ec2";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openLocalCloud } from "../../src/local/index.ts";
import { clientOptions } from "../support/local-cloud.ts";
import { noLocalMachines, openTestCloud, type TestCloud } from "../support/vm-cloud.ts";

const why = noLocalMachines ?? "";

describe.skipIf(noLocalMachines !== undefined)(`Elastic IP addresses of virtual machines ${why}`, () => {
  let local: TestCloud;
  let ec2: EC2Client;

  beforeAll(async () => {
    local = await openTestCloud();
    ec2 = new EC2Client(clientOptions(openLocalCloud({ directory: local.directory })));
  });
  afterAll(async () => {
    await local[Symbol.asyncDispose]();
  });

  async function launch(): Promise<string> {
    const { Images } = await ec2.send(new DescribeImagesCommand({ Owners: ["amazon"] }));
    const { GroupId } = await ec2.send(new CreateSecurityGroupCommand({ GroupName: "vm", Description: "d" }));
    const ssh = { IpProtocol: "tcp", FromPort: 22, ToPort: 22, IpRanges: [{ CidrIp: "127.0.0.0/8" }] };
    await ec2.send(new AuthorizeSecurityGroupIngressCommand({ GroupId, IpPermissions: [ssh] }));
    const { Instances } = await ec2.send(
      new RunInstancesCommand({
        ...{ ImageId: Images?.[0]?.ImageId, InstanceType: "t3.micro", MinCount: 1, MaxCount: 1 },
        SecurityGroupIds: [GroupId ?? ""],
      }),
    );
    return Instances?.[0]?.InstanceId ?? "";
  }

  async function instance(id: string): Promise<Instance> {
    const reply = await ec2.send(new DescribeInstancesCommand({ InstanceIds: [id] }));
    return reply.Reservations?.[0]?.Instances?.[0] ?? {};
  }

  test("the machine's ports answer at the address that it has, and no longer at the one before", async () => {
    const id = await launch();
    const first = await instance(id);
    await greeted(first, 180);
    const { AllocationId, PublicIp } = await ec2.send(new AllocateAddressCommand({}));
    const { AssociationId } = await ec2.send(new AssociateAddressCommand({ AllocationId, InstanceId: id }));
    const second = await instance(id);
    expect(second.PublicIpAddress).toBe(PublicIp);
    await greeted(second, 30);
    await expect(greetingOf(first)).rejects.toMatchObject({ code: "ECONNREFUSED" });
    await ec2.send(new DisassociateAddressCommand({ AssociationId }));
    const third = await instance(id);
    expect(third.PublicIpAddress).not.toBe(PublicIp);
    await greeted(third, 30);
    await expect(greetingOf(second)).rejects.toMatchObject({ code: "ECONNREFUSED" });
  });
});

/** Waits until a machine's SSH server says something. */
async function greeted(instance: Instance, seconds: number): Promise<void> {
  const until = Date.now() + seconds * 1000;
  for (;;) {
    try {
      expect(await greetingOf(instance)).toMatch(/^SSH-2\.0/);
      return;
    } catch (error) {
      if (Date.now() > until) throw error;
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  }
}

/** What the SSH server of a machine says first. @throws the error of the connection, or one after five seconds */
async function greetingOf({ PublicIpAddress = "", Tags = [] }: Instance): Promise<string> {
  const port = Number(Tags.find(({ Key }) => Key === "bake-ami:ssh-port")?.Value ?? 22);
  return await new Promise((resolve, reject) => {
    const socket = connect({ host: PublicIpAddress, port });
    socket.setTimeout(5000, () => socket.destroy(new Error(`${PublicIpAddress}:${port} says nothing`)));
    socket.once("error", reject);
    socket.once("close", () => {
      reject(new Error(`${PublicIpAddress}:${port} hangs up`));
    });
    socket.once("data", (data) => {
      resolve(data.toString("latin1"));
      socket.destroy();
    });
  });
}

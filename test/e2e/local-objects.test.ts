import { createHash, randomBytes } from "node:crypto";
import { CreateBucketCommand, GetObjectCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import {
  DescribeImagesCommand,
  EC2Client,
  RunInstancesCommand,
  TerminateInstancesCommand,
} from "@aws-sdk/client-ec2";
import { expect, test } from "vitest";
import { openLocalCloud } from "../../src/local/index.ts";
import { clientOptions } from "../support/local-cloud.ts";
import { presign } from "../support/s3.ts";
import { noLocalMachines, openTestCloud } from "../support/vm-cloud.ts";

const Bucket = "from-inside";

/** What a machine knows the object store by; see docs/local-cloud.md. */
const inside = `http://169.254.169.252/${Bucket}`;

test.skipIf(noLocalMachines !== undefined)(
  `a machine gets and puts objects by presigned URLs, with nothing running beside it ${noLocalMachines ?? ""}`,
  async () => {
    await using local = await openTestCloud();
    const options = clientOptions(openLocalCloud({ directory: local.directory }));
    const [ec2, s3] = [new EC2Client(options), new S3Client(options)];
    await s3.send(new CreateBucketCommand({ Bucket }));
    const large = randomBytes(30_000_000);
    await s3.send(new PutObjectCommand({ Bucket, Key: "large", Body: large }));
    const url = async (method: "GET" | "PUT", key: string): Promise<string> =>
      await presign(s3, { method, url: `${inside}/${key}`, seconds: 3600 });
    const script = `#!/bin/sh
      curl -sS --fail -o /var/tmp/large '${await url("GET", "large")}'
      curl -sS --fail -T /var/tmp/large '${await url("PUT", "back")}'
      {
        sha256sum < /var/tmp/large
        curl -sS '${(await url("GET", "large")).replace("Expires=3600", "Expires=3601")}'
        curl -sS '${await url("GET", "missing")}'
      } > /var/tmp/told 2>&1
      curl -sS --fail -T /var/tmp/told '${await url("PUT", "told")}'
    `;
    const { Images } = await ec2.send(new DescribeImagesCommand({ Owners: ["amazon"] }));
    const started = await ec2.send(
      new RunInstancesCommand({
        ImageId: Images?.[0]?.ImageId,
        InstanceType: "t3.small",
        MinCount: 1,
        MaxCount: 1,
        UserData: Buffer.from(script).toString("base64"),
      }),
    );
    const read = async (Key: string): Promise<Buffer> => {
      const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key }));
      return Buffer.from((await Body?.transformToByteArray()) ?? []);
    };
    try {
      await expect
        .poll(async () => await read("told").then(String, () => ""), { timeout: 300_000, interval: 500 })
        .not.toBe("");
      const told = (await read("told")).toString();
      expect(told).toContain(createHash("sha256").update(large).digest("hex"));
      expect(told).toContain("<Code>SignatureDoesNotMatch</Code>");
      expect(told).toContain("<Code>NoSuchKey</Code>");
      expect((await read("back")).equals(large)).toBe(true);
    } finally {
      const InstanceIds = started.Instances?.map(({ InstanceId }) => InstanceId ?? "") ?? [];
      await ec2.send(new TerminateInstancesCommand({ InstanceIds }));
    }
  },
);

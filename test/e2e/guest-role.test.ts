import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import {
  DescribeImagesCommand,
  DescribeInstancesCommand,
  DescribeTagsCommand,
  EC2Client,
  RunInstancesCommand,
  TerminateInstancesCommand,
} from "@aws-sdk/client-ec2";
import { CreateBucketCommand, GetObjectCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { PutParameterCommand, SSMClient } from "@aws-sdk/client-ssm";
import { expect, test } from "vitest";
import { openLocalCloud } from "../../src/local/index.ts";
import { clientOptions } from "../support/local-cloud.ts";
import { presign } from "../support/s3.ts";
import { noLocalMachines, openTestCloud } from "../support/vm-cloud.ts";

const Bucket = "from-inside";

/** What a machine does with the credentials of its role, by its own curl; keys and tokens are never arguments. */
const program = String.raw`#!/bin/sh
exec >/var/tmp/told 2>&1
imds=http://169.254.169.254/latest
imds_token=$(curl -sS -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' $imds/api/token)
imds() { curl -sS -H "X-aws-ec2-metadata-token: $imds_token" "$imds/meta-data/$1"; }
member() { sed -n "s/^ *\"$1\" *: *\"\(.*\)\",*\$/\1/p" /run/keys.json; }
role=$(imds iam/security-credentials/)
echo "role: $role"
imds "iam/security-credentials/$role" >/run/keys.json
region=$(imds placement/region)
# signed SERVICE TARGET-OF-SSM-OR-EMPTY PATH MORE-LINES
signed() {
	curl --config - <<CONFIG
silent
show-error
url = "$AWS_ENDPOINT_URL$2"
aws-sigv4 = "aws:amz:$region:$1"
user = "$(member AccessKeyId):$(member SecretAccessKey)"
header = "X-Amz-Security-Token: $(member Token)"
write-out = " %{http_code}\n"
$3
CONFIG
}
unsigned_payload='header = "x-amz-content-sha256: UNSIGNED-PAYLOAD"'
ssm() { signed ssm / "header = \"Content-Type: application/x-amz-json-1.1\"
header = \"X-Amz-Target: AmazonSSM.$1\"
data = \"$2\""; }
echo "put by role" >/run/body
sum=$(sha256sum </run/body | cut -d" " -f1)
echo "s3 put:"; signed s3 '/${Bucket}/a%20b%2Bc/d' "upload-file = \"/run/body\"
header = \"x-amz-content-sha256: $sum\""
echo "s3 get:"; signed s3 '/${Bucket}/a%20b%2Bc/d' "$unsigned_payload"
echo "s3 list:"; signed s3 '/${Bucket}?list-type=2&max-keys=1&prefix=a%20' "$unsigned_payload"
echo "s3 not modified:"; signed s3 '/${Bucket}/etag' "$unsigned_payload
header = \"If-None-Match: \\\"9dd4e461268c8034f5c8564e155c67a6\\\"\""
echo "s3 denied:"; signed s3 '/${Bucket}/secret' "$unsigned_payload"
echo "ssm get:"; ssm GetParameter '{\"Name\":\"/app/token\",\"WithDecryption\":true}'
echo "ssm denied:"; ssm GetParameter '{\"Name\":\"/other/token\",\"WithDecryption\":true}'
echo "sts:"; signed sts / 'data = "Action=GetCallerIdentity&Version=2011-06-15"'
echo "ec2:"; signed ec2 / "data = \"Action=CreateTags&Version=2016-11-15&ResourceId.1=$(imds instance-id)&Tag.1.Key=told&Tag.1.Value=yes\""
echo "presigned:"; curl -sS -w '%{http_code}\n' -T /run/body 'PRESIGNED'
echo "expired:"; curl -sS -w '%{http_code}\n' -T /run/body 'EXPIRED'
echo "without a role: $(curl -s -o /dev/null -w '%{http_code}' -H "X-aws-ec2-metadata-token: $imds_token" $imds/meta-data/iam/info)"
echo "unit: $(systemctl show-environment | grep AWS_) $(systemd-run -q --pipe --wait env | grep AWS_)"
echo "login: $(su -l admin -c env | grep AWS_) sudo: $(su -l admin -c 'sudo env' | grep AWS_)"
curl --version | head -1
for tool in ssh-keygen openssl gzip; do command -v $tool; done
echo "launched:"; signed ec2 / "data = \"Action=RunInstances&Version=2016-11-15&ImageId=$(imds ami-id)&InstanceType=t3.nano&MinCount=1&MaxCount=1\""
curl -sS --fail -T /var/tmp/told 'TOLD'
signed ec2 / "data = \"Action=TerminateInstances&Version=2016-11-15&InstanceId.1=$(imds instance-id)\""
`;

test.skipIf(noLocalMachines !== undefined)(
  `a machine's own curl signs for S3, Systems Manager, STS and EC2 with the credentials of its role ${noLocalMachines ?? ""}`,
  async () => {
    await using local = await openTestCloud();
    const options = clientOptions(openLocalCloud({ directory: local.directory }));
    const ec2 = new EC2Client(options);
    const s3 = new S3Client({ ...options, requestChecksumCalculation: "WHEN_REQUIRED" });
    const ssm = new SSMClient(options);
    await s3.send(new CreateBucketCommand({ Bucket }));
    for (const Key of ["etag", "secret"]) await s3.send(new PutObjectCommand({ Bucket, Key, Body: "x" }));
    for (const Name of ["/app/token", "/other/token"])
      await ssm.send(new PutParameterCommand({ Name, Value: "t0p s3cret", Type: "SecureString" }));
    mkdirSync(join(local.directory, "profiles"));
    const allow = (Action: string, Resource: string): object => ({ Effect: "Allow", Action, Resource });
    writeFileSync(
      join(local.directory, "profiles", "app.json"),
      JSON.stringify({
        Version: "2012-10-17",
        Statement: [
          allow("s3:*", `arn:aws:s3:::${Bucket}`),
          allow("s3:*", `arn:aws:s3:::${Bucket}/a b+c/*`),
          allow("s3:GetObject", `arn:aws:s3:::${Bucket}/etag`),
          allow("ssm:GetParameter", "arn:aws:ssm:*:*:parameter/app/*"),
          ...["CreateTags", "RunInstances", "TerminateInstances"].map((action) =>
            allow(`ec2:${action}`, "*"),
          ),
        ],
      }),
    );
    const url = async (key: string, at = new Date()): Promise<string> =>
      await presign(s3, { method: "PUT", url: `http://169.254.169.252/${Bucket}/${key}`, seconds: 3600, at });
    const script = async (told: string): Promise<Uint8Array> =>
      gzipSync(
        program
          .replace("PRESIGNED", await url("by-url"))
          .replace("EXPIRED", await url("by-url", new Date(Date.now() - 7_200_000)))
          .replace("TOLD", await url(told)),
      );
    const { Images } = await ec2.send(new DescribeImagesCommand({ Owners: ["amazon"] }));
    const launch = async (told: string, profile: object): Promise<string> => {
      const { Instances } = await ec2.send(
        new RunInstancesCommand({
          ImageId: Images?.[0]?.ImageId,
          InstanceType: "t3.small",
          MinCount: 1,
          MaxCount: 1,
          UserData: Buffer.from(await script(told)).toString("base64"),
          ...profile,
        }),
      );
      return Instances?.[0]?.InstanceId ?? "";
    };
    const read = async (Key: string): Promise<string> => {
      const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key }));
      return (await Body?.transformToString()) ?? "";
    };
    const toldBy = async (key: string): Promise<string> => {
      await expect
        .poll(async () => await read(key).catch(() => ""), { timeout: 300_000, interval: 500 })
        .not.toBe("");
      return await read(key);
    };
    const InstanceIds: string[] = [];
    try {
      const id = await launch("told", { IamInstanceProfile: { Name: "app" } });
      InstanceIds.push(id);
      const told = await toldBy("told");
      console.log(told.replaceAll(/<\?xml[^]*?<\/\w+> (\d+)$/gm, "(xml) $1"));
      const after = (what: string): string =>
        told.slice(told.indexOf(`${what}:\n`) + what.length + 2).split("\n")[0] ?? "";
      expect(told).toContain("role: app\n");
      expect(after("s3 put")).toBe(" 200");
      expect(after("s3 get")).toBe("put by role");
      expect(told).toMatch(/s3 list:\n[^]*<Key>a b\+c\/d<\/Key>[^]* 200\ns3 not modified:\n 304\n/);
      expect(told).toMatch(/s3 denied:\n[^]*?<Code>AccessDenied<\/Code>[^]*? 403\nssm get/);
      expect(after("ssm get")).toMatch(/"Value":"t0p s3cret".* 200$/);
      expect(after("ssm denied")).toMatch(/^\{"__type":"AccessDeniedException".* 400$/);
      expect(told).toContain(`<Arn>arn:aws:sts::000000000000:assumed-role/app/${id}</Arn>`);
      const { Tags } = await ec2.send(
        new DescribeTagsCommand({ Filters: [{ Name: "key", Values: ["told"] }] }),
      );
      expect(Tags).toMatchObject([{ ResourceId: id, Value: "yes" }]);
      expect(after("presigned")).toBe("200");
      expect(told).toMatch(/expired:\n[^]*?<Message>Request has expired<\/Message>[^]*?403\n/);
      const endpoint = "AWS_ENDPOINT_URL=http://169.254.169.252";
      expect(told).toContain(`unit: ${endpoint} ${endpoint}\nlogin: ${endpoint} sudo: ${endpoint}\n`);
      expect(told).toMatch(/\/ssh-keygen\n[^\n]*\/openssl\n[^\n]*\/gzip\n/);
      // It started another machine, which outlives it, and ended itself.
      const other =
        /<instanceId>(i-\w+)<\/instanceId>/.exec(told.slice(told.indexOf("launched:")))?.[1] ?? "";
      InstanceIds.push(other);
      const statesOf = async (): Promise<(string | undefined)[]> => {
        const { Reservations = [] } = await ec2.send(
          new DescribeInstancesCommand({ InstanceIds: [id, other] }),
        );
        const found = Reservations.flatMap(({ Instances = [] }) => Instances);
        return [id, other].map((each) => found.find(({ InstanceId }) => InstanceId === each)?.State?.Name);
      };
      await expect.poll(statesOf, { timeout: 60_000 }).toEqual(["terminated", "running"]);
      await ec2.send(new TerminateInstancesCommand({ InstanceIds: [other] }));

      InstanceIds.push(await launch("bare", {}));
      const bare = await toldBy("bare");
      expect(bare).toContain("without a role: 404\n");
      expect(bare).toMatch(/ssm get:\n\{"__type":"\w+Exception".* 400\n/);
    } finally {
      await ec2.send(new TerminateInstancesCommand({ InstanceIds }));
    }
  },
);

import { CreateBucketCommand, S3Client } from "@aws-sdk/client-s3";
import { describe, expect, test } from "vitest";
import { Cloud } from "../../src/aws/cloud.ts";
import { getObject, putObject, readS3Url } from "../../src/aws/s3.ts";
import { withBakeLog } from "../../src/commands/log-bake.ts";
import { channelLines } from "../../src/fleet/channel-lines.ts";
import { push } from "../../src/fleet/push.ts";
import { openSigner } from "../../src/fleet/sign.ts";
import { logLines } from "../../src/launch/log-lines.ts";
import { newKeyPair } from "../../src/machine/keys.ts";
import { testBake } from "../support/bake.ts";
import { clientOptions } from "../support/local-cloud.ts";
import { documented, shortenings, under, type Workplace } from "../support/policies.ts";

const signal = new AbortController().signal;
const signer = openSigner(newKeyPair("").privateKey, "key");
const [bundles, logs] = [readS3Url("s3://my-bucket/bundles", ""), readS3Url("s3://my-bucket/logs", "")];

async function makeBucket({ unrestricted }: Workplace): Promise<void> {
  await new S3Client(clientOptions(unrestricted.cloud)).send(
    new CreateBucketCommand({ Bucket: "my-bucket" }),
  );
}

async function pushTo(local: Workplace["local"], digest: string): Promise<void> {
  const cloud = new Cloud(clientOptions(local.cloud));
  const bundle = { digest, archive: new Uint8Array([1]), services: new Map<string, string>() };
  const where = { place: bundles, channel: "test", force: false, dryRun: false };
  await push({ cloud, ...where, bundle, signer, signal });
}

const jobs = [
  {
    name: "push",
    work: async (place: Workplace) => {
      await makeBucket(place);
      await pushTo(place.local, "aa");
      await pushTo(place.local, "bb");
    },
  },
  {
    name: "buckets",
    work: async (place: Workplace) => {
      await makeBucket(place);
      await pushTo(place.unrestricted, "aa");
      const { listener } = place;
      const cloud = new Cloud(clientOptions(place.local.cloud));
      const machines = { place: logs, run: "r1", count: 1, names: ["update.log"], byRole: false } as const;
      const [log] = await logLines(cloud, machines, listener, signal);
      expect(log).toEqual({ kind: "log", url: "s3://my-bucket/logs/r1/" });
      const image = { id: "ami-1", tags: new Map([["bake-ami:signer", signer.fingerprint]]) };
      const following = { channel: "test", place: bundles, image, byRole: false };
      expect((await channelLines(cloud, following, listener, signal)).lines).toHaveLength(1);
      // The log is all that the policy is about: the bake itself has another.
      const { options } = testBake(place.local, { listener });
      const result = {
        imageId: "ami-1",
        imageName: "",
        snapshotIds: [],
        run: "r1",
        services: [],
        planDigest: "",
      };
      await withBakeLog(options, logs, () => Promise.resolve({ ...result, sourceImageId: "" }));
    },
  },
  {
    name: "machine",
    work: async (place: Workplace) => {
      await makeBucket(place);
      await pushTo(place.unrestricted, "aa");
      const cloud = new Cloud(clientOptions(place.local.cloud));
      await getObject(cloud, { bucket: "my-bucket", key: "bundles/test.bundle" }, signal);
      const log = { bucket: "my-bucket", key: "logs/r1/0/update.log" };
      await putObject(cloud, log, Buffer.from("done"), signal);
    },
  },
] as const;

for (const { name, work } of jobs) {
  describe(`${name}.json`, () => {
    const policy = documented(name);

    test("is enough", async () => {
      expect(await under(policy, work)).toEqual({ refused: [], warnings: [], error: undefined });
    });

    // What secrets need is tried out with the machine's own programs.
    const ofS3 = shortenings(policy).filter(({ without }) => !without.startsWith("ReadSecrets"));
    test.each(ofS3)("without $without it is not", async ({ policy: shortened }) => {
      const { refused, warnings, error } = await under(shortened, work);
      expect(refused).not.toEqual([]);
      expect([...warnings, error ?? ""].join()).toMatch(/s3:/);
    });
  });
}

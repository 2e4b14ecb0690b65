import { CreateBucketCommand } from "@aws-sdk/client-s3";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Cloud } from "../../src/aws/cloud.ts";
import { readS3Url } from "../../src/aws/s3.ts";
import { selectMachines } from "../../src/fleet/deploy-machines.ts";
import { checkTopic, deployByMessage, type Published } from "../../src/fleet/deploy-sns.ts";
import { push } from "../../src/fleet/push.ts";
import { openSigner } from "../../src/fleet/sign.ts";
import { newKeyPair } from "../../src/machine/keys.ts";
import { noModel } from "../support/api-model.ts";
import { failureOf } from "../support/failure.ts";
import { clientOptions } from "../support/local-cloud.ts";
import { anInstance } from "../support/resources.ts";
import { newObjects, type Objects } from "../support/s3.ts";
import { actionsOf, inputsOf, openWire, type Wire, type WireAnswer } from "../support/wire.ts";

const { signal } = new AbortController();
const topic = "arn:aws:sns:eu-central-1:123456789012:deployments";
const bundle = { digest: "aa", archive: Buffer.from("archive"), services: new Map<string, string>() };

describe.skipIf(noModel !== undefined)(`deploy --via sns on the wire ${noModel ?? ""}`, () => {
  let objects: Objects;
  let wire: Wire;
  let cloud: Cloud;
  let answer: WireAnswer;
  let serial: number;

  beforeEach(async () => {
    objects = await newObjects();
    const own = clientOptions(objects.cloud);
    answer = { value: { MessageId: "m-1" } };
    wire = openWire(() => answer, own.requestHandler);
    cloud = new Cloud({ ...own, region: "eu-central-1", requestHandler: wire.handler });
    await objects.s3.send(new CreateBucketCommand({ Bucket: "team" }));
    const pushed = await push({
      cloud,
      place: readS3Url("s3://team/bundles", "push"),
      channel: "live",
      bundle,
      signer: openSigner(newKeyPair("").privateKey, "key"),
      force: false,
      dryRun: false,
      signal,
    });
    serial = pushed.serial;
  });

  afterEach(async () => {
    expect(wire.problems).toEqual([]);
    await objects[Symbol.asyncDispose]();
  });

  async function deploy(channels: readonly (string | undefined)[], to = topic): Promise<Published[]> {
    const instances = channels.map((channel, index) =>
      anInstance(`i-${index}`, {
        tags: new Map([
          ["bake-ami:role", "machine"],
          ["bake-ami:services", "web"],
          ...(channel === undefined
            ? []
            : ([
                ["bake-ami:channel", channel],
                ["bake-ami:bundles", "s3://team/bundles/"],
              ] as const)),
        ]),
      }),
    );
    const machines = selectMachines(instances, { services: ["web"], tags: new Map(), machines: [] });
    return await deployByMessage({
      cloud,
      topic: to,
      services: ["web"],
      machines,
      run: "r1",
      listener: () => undefined,
      signal,
    });
  }

  test("one message for each channel, with what the channel has", async () => {
    const published = await deploy(["live", "live"]);
    expect(published).toHaveLength(1);
    expect(inputsOf(wire, "Publish")).toEqual([
      {
        TopicArn: topic,
        Subject: "bake-ami deploy live",
        Message: JSON.stringify({ version: 1, channel: "live", serial, services: ["web"] }),
      },
    ]);
  });

  test("an ordered topic gets a group and an id for each message", async () => {
    await deploy(["live"], `${topic}.fifo`);
    expect(inputsOf(wire, "Publish")).toEqual([
      expect.objectContaining({
        MessageGroupId: "live",
        MessageDeduplicationId: `live-${serial}-r1`,
      }),
    ]);
  });

  test("nobody is told of a channel that has nothing, and no machine without a channel is passed over", async () => {
    const error = await failureOf(deploy(["live", "test"]));
    expect(error.message).toBe("nothing was pushed to channel test of s3://team/bundles/ yet");
    expect(error.hint).toContain("`bake-ami push --channel test s3://team/bundles/`");
    expect((await failureOf(deploy(["live", undefined]))).message).toBe("i-1 has no channel");
    expect(actionsOf(wire)).toEqual([]);
  });

  test("a topic that is not there, and a caller without rights", async () => {
    answer = { error: "NotFound", message: "Topic does not exist", status: 404 };
    const missing = await failureOf(deploy(["live"]));
    expect(missing.kind).toBe("not-found");
    expect(missing.message).toContain(`sns:Publish ${topic}: Topic does not exist`);
    answer = {
      error: "AuthorizationError",
      message: `User: arn:aws:iam::1:user/me is not authorized to perform: SNS:Publish on resource: ${topic}`,
      status: 403,
    };
    expect((await failureOf(deploy(["live"]))).hint).toContain(topic);
  });

  test("the topic must be one, and in this Region", async () => {
    await checkTopic(cloud, topic);
    expect((await failureOf(checkTopic(cloud, "deployments"))).message).toMatch(/is no ARN of a topic/);
    const elsewhere = await failureOf(checkTopic(cloud, "arn:aws:sns:us-east-1:123456789012:deployments"));
    expect(elsewhere.hint).toBe("give --region us-east-1");
  });
});

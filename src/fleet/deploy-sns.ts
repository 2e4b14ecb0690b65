import type { Cloud } from "../aws/cloud.ts";
import { readS3Url } from "../aws/s3-url.ts";
import { tagKeys } from "../aws/tags.ts";
import { BakeError } from "../base/errors.ts";
import type { Listener } from "../report/events.ts";
import { findChannel } from "./channel.ts";
import type { Selected } from "./deploy-machines.ts";
import { checkChannels } from "./deploy-ssm.ts";

/** What a topic's listeners on the machines are told: which channel has something new, and for whom. */
export interface DeploymentMessage {
  /** Of this form of message. */
  readonly version: 1;
  readonly channel: string;
  /** Of the bundle that the channel has; a machine that has taken that one, or a later one, has nothing to do. */
  readonly serial: number;
  /** Update is run for these. */
  readonly services: readonly string[];
}

export interface MessageDeployOptions {
  readonly cloud: Cloud;
  /** The ARN of the topic. */
  readonly topic: string;
  readonly services: readonly string[];
  readonly machines: readonly Selected[];
  readonly run: string;
  readonly listener: Listener;
  readonly signal: AbortSignal;
}

/** A message that was published. */
export interface Published {
  readonly messageId: string;
  readonly message: DeploymentMessage;
}

/**
 * Takes the ARN of a topic apart, and checks that it is where the cloud is.
 * @throws BakeError `usage`.
 */
export async function checkTopic(cloud: Cloud, topic: string): Promise<void> {
  const [, region] = /^arn:aws[a-z-]*:sns:([a-z0-9-]+):\d{12}:[A-Za-z0-9_.-]+$/.exec(topic) ?? [];
  if (region === undefined) {
    throw new BakeError("usage", `--topic ${topic} is no ARN of a topic`, {
      hint: "it looks like arn:aws:sns:eu-central-1:123456789012:deployments",
    });
  }
  const here = await cloud.region();
  if (region === here) return;
  throw new BakeError("usage", `the topic is in ${region}, and this command in ${here}`, {
    hint: `give --region ${region}`,
  });
}

/**
 * Tells a topic which channels have something new, a message for each channel that the machines are on. The service that
 * listens on the machines fetches and runs update; what comes of it, their consoles and `bake-ami ls` tell.
 * @throws BakeError `usage` for machines without a channel, or a channel without a bundle.
 */
export async function deployByMessage(options: MessageDeployOptions): Promise<Published[]> {
  const { cloud, topic, services, machines, run, listener, signal } = options;
  const instances = machines.map(({ instance }) => instance);
  checkChannels(instances);
  const places = new Set(
    instances.map(({ tags }) => `${tags.get(tagKeys.channel) ?? ""} ${tags.get(tagKeys.bundles) ?? ""}`),
  );
  // All are looked at before anybody is told anything.
  const messages: DeploymentMessage[] = [];
  for (const place of [...places].sort()) {
    const [channel = "", bundles = ""] = place.split(" ");
    const found = await findChannel(cloud, readS3Url(bundles, `tag ${tagKeys.bundles}`), channel, signal);
    if (found === undefined) {
      throw new BakeError("usage", `nothing was pushed to channel ${channel} of ${bundles} yet`, {
        hint: `\`bake-ami push --channel ${channel} ${bundles}\``,
      });
    }
    messages.push({ version: 1, channel, serial: found.serial, services });
  }
  const { publish } = await import("../aws/sns.ts");
  const published: Published[] = [];
  for (const message of messages) {
    const messageId = await publish(
      cloud,
      {
        topic,
        subject: `bake-ami deploy ${message.channel}`,
        body: JSON.stringify(message),
        group: message.channel,
        once: `${message.channel}-${message.serial}-${run}`,
      },
      signal,
    );
    listener({ type: "note", at: Date.now(), message: `told ${topic} of channel ${message.channel}` });
    published.push({ messageId, message });
  }
  return published;
}
